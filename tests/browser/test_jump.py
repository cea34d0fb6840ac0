"""The palette that searches all pages: by the keyboard alone, beside open dialogs, and as a page without JavaScript."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.keyboard import tab_to
from tests.browser.test_accessibility import Checker, Visit, both_widths, once

pytestmark = [pytest.mark.browser, once]


def palette(page: Page) -> None:
    page.wait_for_load_state("networkidle")
    page.keyboard.press("Control+k")
    expect(page.get_by_role("combobox", name="Search everything")).to_be_focused()


def options(page: Page, name: str = "") -> Locator:
    return page.locator("#jump").get_by_role("option", name=name)


def chosen(page: Page) -> str:
    """The label of the option that the field names as active."""
    return str(
        page.evaluate(
            """() => {
                const id = document.activeElement.getAttribute("aria-activedescendant");
                const option = document.getElementById(id);
                return option?.getAttribute("aria-selected") === "true" ? option.title : "";
            }"""
        )
    )


def test_by_the_keyboard_to_a_page_and_to_the_dialog_of_a_command(signed_in: Visit, mac: str) -> None:
    page = signed_in()
    page.goto("/devices/")
    palette(page)
    field, status = page.get_by_role("combobox"), page.locator("[data-jump-status]")
    expect(options(page, "Overview")).to_be_visible()
    assert chosen(page) == "Overview"
    page.keyboard.press("ArrowUp")
    assert chosen(page) == "Your account"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert chosen(page) == "Devices"

    page.keyboard.type(f"lock {mac}")
    expect(options(page, f"Lock: {mac}")).to_be_visible()
    expect(status).to_have_text("2 results")
    expect(field).to_have_attribute("aria-expanded", "true")
    assert chosen(page) == f"Lock: {mac}"
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=f"Lock: {mac}")).to_be_visible()
    expect(page.locator("#jump")).to_be_hidden()
    expect(page).to_have_url(re.compile("/devices/$"))
    page.keyboard.press("Escape")

    palette(page)
    expect(field).to_have_value("")  # a new search
    page.keyboard.type("test000")
    page.keyboard.press("Enter")  # before the answer: it waits for it
    expect(page).to_have_url(re.compile("/devices/[0-9a-f-]{36}/$"))

    palette(page)
    page.keyboard.type("xyzzy")
    expect(status).to_have_text("Nothing was found for “xyzzy”.")
    expect(field).to_have_attribute("aria-expanded", "false")
    page.keyboard.press("Enter")
    expect(page.locator("#jump")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#jump")).to_be_hidden()


def test_an_open_dialog_keeps_what_was_entered(signed_in: Visit) -> None:
    page = signed_in()
    page.goto("/blueprints/")
    page.wait_for_load_state("networkidle")
    page.get_by_role("link", name=re.compile("Create|Add|New")).first.click()
    name = page.locator("dialog[open]").get_by_label("Name", exact=True)
    name.fill("Half a name")
    page.keyboard.press("Control+k")
    expect(page.locator("#jump")).to_be_hidden()
    expect(name).to_have_value("Half a name")


def test_the_focus_returns_and_the_drawer_of_a_phone_opens_it(signed_in: Visit) -> None:
    page = signed_in(width=390, height=700)
    page.goto("/users/")
    search = page.locator("#id_q")
    search.focus()
    palette(page)
    page.keyboard.press("Escape")
    expect(search).to_be_focused()

    page.get_by_role("button", name="Open navigation").click()
    page.get_by_role("link", name="Search", exact=False).first.click()
    expect(page.get_by_role("combobox", name="Search everything")).to_be_focused()
    page.keyboard.type("webhooks")
    expect(options(page).first).to_contain_text("Webhooks")
    options(page).first.click()
    expect(page).to_have_url(re.compile("/access/webhooks/$"))


@pytest.mark.complaints("net::ERR_FAILED /jump/", "htmx:*")
def test_a_search_without_an_answer_says_so(signed_in: Visit) -> None:
    page = signed_in()
    page.goto("/users/")
    page.route("**/jump/**", lambda route: route.abort())
    palette(page)
    page.keyboard.type("a")
    expect(page.locator("[data-jump-status]")).to_contain_text("The search got no answer.")


def test_without_javascript_it_is_a_page(signed_in: Visit, mac: str) -> None:
    page = signed_in(java_script_enabled=False)
    page.goto("/devices/")
    tab_to(page, ".nav [data-jump]")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Search")
    page.get_by_role("searchbox", name="Search everything").fill(f"lock {mac}")
    page.keyboard.press("Enter")
    expect(page.locator("main").get_by_role("heading", level=2)).to_have_text(["Actions", "Devices"])
    page.get_by_role("link", name=f"Lock: {mac}").click()
    expect(page.get_by_role("heading", name=f"Lock: {mac}")).to_be_visible()


@both_widths
def test_the_palette_passes_axe(signed_in: Visit, width: int) -> None:
    page = signed_in(width=width)
    check = Checker(page)
    page.goto("/jump/?q=mac")
    check("page")
    page.goto("/jump/?q=xyzzy")
    check("page, nothing found")
    page.goto("/users/")
    palette(page)
    expect(options(page, "Overview")).to_be_visible()
    check("palette")
    page.keyboard.type("lock mac")
    expect(options(page).first).to_contain_text("Lock")
    check("palette, hits")
    page.keyboard.type(" xyzzy")
    expect(page.locator("[data-jump-status]")).to_contain_text("Nothing was found")
    check("palette, nothing found")
    assert not check.found, "\n".join(check.found)
