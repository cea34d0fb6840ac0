"""Commands in a real browser: what becomes of them, cancelling, parameters, accounts, the preview of Lost Mode."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.keyboard import press
from tests.browser.test_accessibility import Checker, Visit, both_widths, once
from tests.browser.test_devices import choose, open_mac, tab

pytestmark = pytest.mark.browser


def send(page: Page, action: str) -> None:
    choose(page, action)
    page.locator("dialog[open], .sheet").get_by_role("button", name=action, exact=True).click()


def test_a_waiting_command_says_so_and_is_cancelled(signed_in: Visit, mac: str) -> None:
    page = signed_in()
    open_mac(page, mac)
    choose(page, "Restart")
    expect(page.locator("dialog")).to_contain_text("This server cannot reach devices yet.")
    page.locator("dialog").get_by_label("Ask the person at the Mac first").check()
    page.locator("dialog").get_by_role("button", name="Restart", exact=True).click()
    expect(page.get_by_role("status").filter(has_text=f"“Restart” waits for “{mac}”")).to_be_visible()
    row = page.get_by_role("row").filter(has_text="Restart")
    expect(row).to_contain_text("Waiting")
    expect(row).to_contain_text("check")  # since when the device has not come
    expect(row).to_contain_text("Ask the person at the Mac first: Yes")
    expect(page.locator("main .banner")).to_contain_text("This server cannot reach devices yet.")

    choose(page, "Restart")
    dialog = page.locator("dialog[open]")
    expect(dialog).to_contain_text(re.compile(r"Already waiting since \d\d:\d\d, requested by Ana Ruiz"))
    dialog.get_by_role("link", name="View").click()
    expect(page).to_have_url(re.compile("/commands/#command-"))
    choose(page, "Restart")
    page.locator("dialog[open]").get_by_role("link", name="Cancel command").click()
    expect(page.locator("dialog[open] h1")).to_have_text("Cancel “Restart”?")
    page.locator("dialog[open]").get_by_role("button", name="Cancel command").click()
    expect(page.get_by_role("row").filter(has_text="Restart")).to_contain_text("Cancelled")
    tab(page, "Activity")
    expect(page.get_by_role("heading", name="Command cancelled: Restart")).to_be_visible()


def test_a_lock_is_in_the_head_with_a_way_to_its_pin(signed_in: Visit, mac: str) -> None:
    page = signed_in(java_script_enabled=False)
    open_mac(page, mac)
    page.goto(page.url + "actions/lock/")
    page.get_by_role("button", name="Lock", exact=True).click()
    expect(page.locator(".pin")).to_be_visible()
    open_mac(page, mac)
    expect(page.get_by_text("Lock waits")).to_be_visible()
    page.get_by_role("link", name="Unlock PIN").click()
    expect(page).to_have_url(re.compile("/secrets/$"))


def test_the_known_accounts_are_offered_and_another_can_be_written(signed_in: Visit) -> None:
    page = signed_in()
    page.goto("/devices/?q=aino+macbook")
    page.locator(".row-name a").first.click()
    page.wait_for_load_state("networkidle")
    choose(page, "Unlock account")
    field, other = page.get_by_label("Account name"), page.get_by_label("Other account")
    expect(field.locator("option")).to_contain_text(["Choose…", "aino", "Other…"])
    expect(other).to_be_hidden()
    field.select_option("Other…")
    expect(other).to_be_visible()
    page.locator("dialog[open]").get_by_role("link", name="Cancel").click()
    choose(page, "Delete user")
    expect(page.locator("dialog")).to_contain_text("to confirm")


def test_lost_mode_needs_a_text_and_shows_it(signed_in: Visit) -> None:
    page = signed_in()
    page.goto("/devices/?platform=iPhone&sort=-name")
    page.locator(".row-name a").first.click()
    page.wait_for_load_state("networkidle")
    page.get_by_role("button", name="Actions", exact=True).click()
    expect(page.locator("#actions").get_by_role("link", name="Enable Lost Mode")).to_be_visible()
    expect(page.locator("#actions").get_by_role("link", name="Disable Lost Mode")).to_have_count(0)
    page.keyboard.press("Escape")
    choose(page, "Enable Lost Mode")
    shown = page.get_by_role("figure", name="Preview of the lock screen")
    expect(shown).to_contain_text("Your message")
    page.get_by_label("Phone number").fill("+1 555 0100")
    page.get_by_label("Message").fill("Please call us")
    expect(shown).to_contain_text("Please call us")
    expect(shown).to_contain_text("Call +1 555 0100")


def test_by_the_keyboard_alone(signed_in: Visit, mac: str) -> None:
    page = signed_in()
    open_mac(page, mac)
    send(page, "Restart")
    expect(page.get_by_role("row").filter(has_text="Restart")).to_contain_text("Waiting")
    press(page, "tbody .command-state a")
    expect(page.locator("dialog[open] h1")).to_have_text("Cancel “Restart”?")
    press(page, "dialog button[type=submit]")
    expect(page.get_by_role("row").filter(has_text="Restart")).to_contain_text("Cancelled")


@once
@both_widths
def test_they_pass_axe(signed_in: Visit, mac: str, width: int) -> None:
    page = signed_in(width=width)
    check = Checker(page)
    open_mac(page, mac)
    send(page, "Restart")
    expect(page.get_by_role("row").filter(has_text="Restart")).to_contain_text("Waiting")
    check("commands")
    choose(page, "Restart")
    check("waiting already")
    page.locator("dialog[open]").get_by_role("link", name="Cancel command").click()
    expect(page.locator("dialog[open] h1")).to_have_text("Cancel “Restart”?")
    check("cancel")
    page.goto("/devices/?platform=iPhone&sort=-name")
    page.locator(".row-name a").first.click()
    page.wait_for_load_state("networkidle")
    choose(page, "Enable Lost Mode")
    check("Lost Mode")
    assert not check.found, "\n".join(check.found)
