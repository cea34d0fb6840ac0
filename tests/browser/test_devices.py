"""The fleet in a real browser: finding a device, acting on it, its secrets, and what axe says of every state."""

import re
from collections.abc import Callable
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from tests.browser.keyboard import tab_to
from tests.browser.test_accessibility import Checker, both_widths, once

pytestmark = pytest.mark.browser

Visit = Callable[..., Page]
PIN = re.compile(r"^[0-9]{6}$")


def open_mac(page: Page, name: str) -> None:
    page.goto(f"/devices/?q={quote(name)}")
    page.get_by_role("link", name=name, exact=True).click()
    expect(page.locator("main h1")).to_have_text(name)


def choose(page: Page, action: str) -> None:
    page.get_by_role("button", name="Actions", exact=True).click()
    page.locator("#actions").get_by_role("link", name=action, exact=True).click()
    expect(page.locator("dialog[open] h1, .sheet h1")).to_be_visible()


def tab(page: Page, name: str) -> None:
    page.locator(".tabs").get_by_role("link", name=name, exact=True).click()
    expect(page.locator(".tabs [aria-current]")).to_have_text(name)


def lock(page: Page) -> str:
    choose(page, "Lock")
    page.get_by_role("button", name="Lock", exact=True).click()
    expect(page.locator(".pin")).to_have_text(PIN)
    return page.locator(".pin").inner_text()


def test_a_device_is_found_and_restarted(signed_in: Visit, mac: str) -> None:
    page = signed_in()
    page.goto("/devices/")
    page.get_by_role("searchbox").fill(mac.upper())
    expect(page.locator("[data-announce]")).to_contain_text("1 device found")
    expect(page).to_have_url(re.compile("q=TESTER"))
    page.get_by_role("link", name=mac, exact=True).click()
    choose(page, "Restart")
    expect(page.locator("dialog")).to_contain_text("Unsaved work is lost.")
    page.locator("dialog").get_by_role("button", name="Restart", exact=True).click()
    expect(page.get_by_role("status").filter(has_text="“Restart” waits for")).to_be_visible()
    expect(page.get_by_role("cell", name="Waiting")).to_be_visible()
    choose(page, "Restart")
    expect(page.locator("dialog")).to_contain_text("Already waiting since")
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_be_hidden()
    tab(page, "Activity")
    expect(page.get_by_role("heading", name="Command sent: Restart")).to_be_visible()


def test_filters_work_from_their_menu(signed_in: Visit) -> None:
    page = signed_in()
    page.goto("/devices/")
    page.get_by_role("button", name="Filter").click()
    page.get_by_label("Platform").select_option("AppleTV")
    expect(page).to_have_url(re.compile("platform=AppleTV"))
    expect(page.locator(".devices tbody tr").first).to_contain_text("Apple TV")
    page.reload()
    expect(page.locator(".devices tbody tr").first).to_contain_text("Apple TV")


@pytest.mark.complaints("422 /devices/*/edit/")
def test_an_edit_saves_user_blueprint_and_tags(signed_in: Visit, mac: str) -> None:
    page = signed_in()
    open_mac(page, mac)
    page.get_by_role("link", name="Edit", exact=True).click()
    page.get_by_label("Assigned user").press_sequentially(".")
    expect(page.get_by_label("Assigned user")).to_be_focused()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("No user has this e-mail address.")).to_be_visible()
    expect(page.get_by_label("Assigned user")).to_be_focused()
    page.get_by_label("Assigned user").fill("")
    page.get_by_label("Blueprint").select_option(label="Company Macs")
    page.get_by_label("New tags").fill("Browser test")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").filter(has_text="Saved.")).to_be_visible()
    expect(page.locator(".page-head-facts")).to_contain_text("Company Macs")
    expect(page.locator(".page-head-facts")).to_contain_text("not assigned")
    expect(page.get_by_role("list", name="Tags")).to_contain_text("Browser test")


def copied(page: Page, name: str) -> str:
    """The clipboard after a press of the button."""
    page.evaluate("navigator.clipboard.writeText('nothing')")
    page.get_by_role("button", name=name, exact=True).click()
    expect(page.get_by_text("Copied", exact=True).first).to_be_visible()
    return str(page.evaluate("navigator.clipboard.readText()"))


def test_a_secret_leaves_with_the_focus_and_with_the_page(signed_in: Visit, mac: str) -> None:
    page = signed_in(permissions=["clipboard-read", "clipboard-write"])
    open_mac(page, mac)
    pin = lock(page)
    assert copied(page, "Copy PIN") == pin
    page.evaluate("dispatchEvent(new Event('blur'))")
    assert pin not in page.content()
    expect(page.get_by_text("The PIN is hidden because you left this window.")).to_be_visible()
    page.get_by_role("link", name="Done").click()
    tab(page, "Secrets")
    assert pin not in page.content()
    page.get_by_role("button", name="Show Unlock PIN").click()
    expect(page.locator(".secret-shown code")).to_have_text(pin)
    page.evaluate("dispatchEvent(new Event('blur'))")
    assert pin not in page.content()

    page.reload()
    page.get_by_role("button", name="Show Unlock PIN").click()
    expect(page.locator(".secret-shown code")).to_have_text(pin)
    assert copied(page, "Copy") == pin
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('refused')) }")
    page.get_by_role("button", name="Copied", exact=True).click()
    expect(page.get_by_role("button", name="Selected", exact=True)).to_be_visible()
    assert page.evaluate("getSelection().toString()") == pin
    page.goto("/devices/")
    page.go_back()
    page.wait_for_load_state()
    assert pin not in page.content()
    stored = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, history.state, location.href])")
    assert pin not in stored
    tab(page, "Activity")
    expect(page.get_by_role("heading", name="Unlock PIN read").first).to_be_visible()
    assert pin not in page.content()


@pytest.mark.complaints("422 /devices/*/actions/erase/")
def test_the_same_without_javascript(signed_in: Visit, mac: str) -> None:
    page = signed_in(java_script_enabled=False)
    open_mac(page, mac)
    choose(page, "Erase")
    page.get_by_role("button", name="Erase", exact=True).click()
    expect(page.get_by_text("Type the name to go on.")).to_be_visible()
    page.get_by_label(re.compile("to confirm")).fill(mac)
    page.get_by_role("button", name="Erase", exact=True).click()
    expect(page.get_by_role("cell", name="Waiting")).to_be_visible()
    pin = lock(page)
    page.get_by_role("link", name="Done").click()
    tab(page, "Secrets")
    page.get_by_role("button", name="Show Unlock PIN").click()
    expect(page.locator(".secret-shown code")).to_have_text(pin)
    tab(page, "Notes")
    page.get_by_role("textbox", name="Note").fill("Written plainly")
    page.get_by_role("button", name="Add note").click()
    expect(page.get_by_text("Written plainly")).to_be_visible()
    page.get_by_role("link", name="Delete the note").click()
    page.get_by_role("button", name="Delete note").click()
    expect(page.get_by_text("No notes yet")).to_be_visible()
    choose(page, "Delete record")
    page.get_by_label(re.compile("to confirm")).fill(mac)
    page.get_by_role("button", name="Delete record").click()
    expect(page.get_by_text(f"The record of “{mac}” is deleted.")).to_be_visible()


def test_an_action_with_the_keyboard_alone(signed_in: Visit, mac: str) -> None:
    page = signed_in()
    open_mac(page, mac)
    page.get_by_role("button", name="Actions", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.locator("#actions a").first).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.locator("#actions a").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("dialog h1")).to_be_focused()
    tab_to(page, "dialog a[data-close]")
    tab_to(page, "dialog button[type=submit]")
    page.keyboard.press("Enter")
    expect(page.locator("dialog")).to_be_hidden()
    tab(page, "Commands")
    expect(page.locator("main")).to_contain_text("Waiting")


@once
@both_widths
@pytest.mark.complaints("422 /devices/*/actions/erase/", "422 /devices/*/notes/new/")
def test_device_pages_pass_axe(signed_in: Visit, mac: str, width: int) -> None:
    page = signed_in(width=width)
    check = Checker(page)
    page.goto("/devices/")
    check("list")
    page.get_by_role("button", name="Filter").click()
    check("filters")
    page.goto("/devices/?q=nothing+is+called+this")
    check("no results")

    open_mac(page, mac)
    check("overview")
    page.get_by_role("button", name="Actions", exact=True).click()
    check("menu")
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Edit", exact=True).click()
    expect(page.get_by_label("Assigned user")).to_be_visible()
    check("edit")
    page.keyboard.press("Escape")
    choose(page, "Erase")
    page.get_by_role("button", name="Erase", exact=True).click()
    expect(page.locator(".field-error")).to_be_visible()
    check("erase, refused")
    page.keyboard.press("Escape")
    choose(page, "Turn on Remote Desktop")
    check("a switch")
    page.keyboard.press("Escape")
    lock(page)
    check("PIN")
    page.evaluate("dispatchEvent(new Event('blur'))")
    check("PIN, hidden")
    page.get_by_role("link", name="Done").click()
    expect(page.get_by_role("cell", name="Waiting")).to_be_visible()
    check("commands")
    tab(page, "Apps")
    check("apps")
    tab(page, "Activity")
    check("activity")
    tab(page, "Notes")
    page.get_by_role("button", name="Add note").click()
    expect(page.locator(".field-error")).to_be_visible()
    check("note, refused")
    page.get_by_role("textbox", name="Note").fill("Screen replaced. " * 20)
    page.get_by_role("button", name="Add note").click()
    expect(page.get_by_role("status").filter(has_text="Note added.")).to_be_visible()
    check("notes")
    tab(page, "Secrets")
    check("secrets")
    page.get_by_role("button", name="Show Unlock PIN").click()
    expect(page.locator(".secret-shown code")).to_be_visible()
    check("secret, shown")
    assert not check.found, "\n".join(check.found)


@once
@both_widths
@pytest.mark.complaints("422 /blueprints/new/")
def test_blueprint_and_user_pages_pass_axe(signed_in: Visit, width: int) -> None:
    page = signed_in(width=width)
    check = Checker(page)
    page.goto("/blueprints/")
    check("Blueprints")
    page.get_by_role("link", name="New Blueprint").click()
    page.get_by_role("button", name="Create").click()
    expect(page.locator("dialog .field-error")).to_be_visible()
    check("new Blueprint, refused")
    page.get_by_role("textbox", name="Name").fill(f"Browser test {width}")
    page.get_by_role("button", name="Create").click()
    expect(page.locator("main h1")).to_have_text(f"Browser test {width}")
    check("Blueprint without devices")
    page.get_by_role("link", name="Assign library item").click()
    expect(page.get_by_label("Library item", exact=True)).to_be_visible()
    check("assign a library item")
    page.goto("/blueprints/")
    page.get_by_role("link", name="Company Macs").click()
    page.get_by_role("link", name="Delete", exact=True).click()
    expect(page.locator("dialog")).to_contain_text("They stop being managed")
    check("delete a Blueprint")

    page.goto("/users/")
    check("users")
    page.locator(".row-name a").first.click()
    expect(page.get_by_role("heading", name="Details")).to_be_visible()
    check("user")
    page.get_by_role("link", name="Edit", exact=True).click()
    expect(page.get_by_label("Job title")).to_be_visible()
    check("edit a user")
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Delete", exact=True).click()
    expect(page.locator("dialog").get_by_role("button", name="Delete user")).to_be_disabled()
    check("a user who is kept")
    assert not check.found, "\n".join(check.found)
