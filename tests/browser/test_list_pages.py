"""Lists in a real browser: search by words, order, chips, the way back, selections, and the deletion of a user."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.keyboard import tab_to
from tests.browser.test_accessibility import Checker, Visit, both_widths, once

pytestmark = pytest.mark.browser


def test_every_word_of_a_search_matches_somewhere(signed_in: Visit) -> None:
    page = signed_in()
    page.goto("/devices/")
    page.get_by_role("searchbox").fill("macbook lindstrom")
    expect(page.locator("[data-announce]")).to_contain_text("1 device found")
    expect(page.locator("tbody tr")).to_contain_text("Aino Lindström")


def test_heads_sort_and_filters_are_chips(signed_in: Visit) -> None:
    page = signed_in()
    page.goto("/devices/?platform=Mac")
    page.get_by_role("columnheader", name="Last check-in").get_by_role("link").click()
    head = page.get_by_role("columnheader", name="Last check-in")
    expect(head).to_have_attribute("aria-sort", "descending")
    head.get_by_role("link").click()
    expect(head).to_have_attribute("aria-sort", "ascending")
    expect(page).to_have_url(re.compile("platform=Mac"))
    page.get_by_role("button", name="Filter").click()
    page.get_by_label("Last check-in").select_option("month")
    page.keyboard.press("Escape")
    chips = page.get_by_role("list", name="Active filters")
    expect(chips.get_by_role("listitem")).to_contain_text(["Platform: Mac", "Last check-in: In the last 30 days"])
    chips.get_by_role("link", name="Remove: Platform Mac").click()
    expect(page.get_by_role("list", name="Active filters").get_by_role("listitem")).to_have_count(1)
    expect(page).to_have_url(re.compile("seen=month&sort=seen"))
    page.goto("/devices/?platform=Toaster")
    expect(page.get_by_role("list", name="Active filters")).to_contain_text("Platform: Toaster (unknown)")
    expect(page.get_by_role("heading", name="No device matches")).to_be_visible()


def test_the_breadcrumb_leads_back_to_the_list_as_it_was(signed_in: Visit) -> None:
    page = signed_in()
    page.goto("/devices/?platform=Mac&sort=-name&page=2")
    row = page.locator("tbody tr").nth(40).locator(".row-name a")
    row.scroll_into_view_if_needed()
    top = page.evaluate("scrollY")
    assert top > 500
    row.click()
    page.locator(".tabs").get_by_role("link", name="Commands").click()
    page.get_by_role("navigation", name="Breadcrumb").get_by_role("link", name="Devices").click()
    expect(page).to_have_url(re.compile(r"/devices/\?platform=Mac&sort=-name&page=2$"))
    page.wait_for_function(f"Math.abs(scrollY - {top}) < 5")


def test_the_devices_of_a_user_are_selected_and_reassigned_instead_of_a_dead_end(
    signed_in: Visit, macs: list[str]
) -> None:
    page, name = signed_in(), macs.pop()
    page.goto(f"/devices/?q={name}")
    page.get_by_role("link", name=name, exact=True).click()
    page.get_by_role("link", name="Edit", exact=True).click()
    page.get_by_label("Assigned user").fill("aino.lindstrom@accuhive.example")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("link", name="Aino Lindström").first.click()
    page.get_by_role("checkbox", name=f"Select {name}", exact=True).check()
    bar = page.get_by_role("group", name="Selection")
    expect(bar).to_contain_text("1 selected")
    for action in ("Send command", "Add tag", "Assign Blueprint", "Assign user", "Export CSV"):
        expect(bar.get_by_role("button", name=action)).to_be_visible()

    page.get_by_role("group", name="User").get_by_role("link", name="Delete").click()
    dialog = page.locator("dialog[open]")
    expect(dialog.get_by_role("button", name="Delete user")).to_be_disabled()
    expect(dialog.get_by_role("link", name=name)).to_be_visible()
    expect(dialog.get_by_role("link", name="Archive")).to_be_visible()
    dialog.get_by_role("link", name="Cancel").click()

    bar.get_by_role("button", name="Assign user").click()
    dialog.get_by_label("Remove the user from these devices instead").check()
    dialog.get_by_role("button", name="Assign user").click()
    expect(dialog.get_by_role("heading")).to_have_text("Unassign user: 1 device")
    dialog.get_by_role("button", name="Assign user").click()
    expect(page.locator("main h1")).to_have_text("Unassign user")
    expect(page.get_by_role("region", name="Progress")).to_contain_text("100%")


def test_the_selected_rows_are_a_file(signed_in: Visit, macs: list[str]) -> None:
    page = signed_in()
    page.goto("/devices/?q=Tester")
    page.get_by_role("checkbox", name=f"Select {macs[0]}", exact=True).check()
    with page.expect_download() as download:
        page.get_by_role("group", name="Selection").get_by_role("button", name="Export CSV").click()
    lines = download.value.path().read_text().splitlines()
    assert len(lines) == 2
    assert macs[0] in lines[1]


def test_without_javascript_and_by_the_keyboard(signed_in: Visit) -> None:
    page = signed_in(java_script_enabled=False)
    page.goto("/users/")
    tab_to(page, "th a[href*=department]")
    page.keyboard.press("Enter")
    expect(page.get_by_role("columnheader", name="Department")).to_have_attribute("aria-sort", "ascending")
    page.goto("/devices/?platform=Mac")
    page.get_by_role("link", name="Remove: Platform Mac").click()
    expect(page).to_have_url(re.compile("/devices/$"))


@once
@both_widths
def test_they_pass_axe(signed_in: Visit, width: int) -> None:
    page = signed_in(width=width)
    check = Checker(page)
    for url in ("/devices/?platform=Mac&encryption=Toaster", "/devices/?sort=-seen&seen=month", "/blueprints/"):
        page.goto(url)
        check(url)
    page.goto("/users/?q=aino")
    page.locator(".row-name a").first.click()
    expect(page.get_by_role("heading", name="Devices")).to_be_visible()
    check("devices of a user")
    page.get_by_role("group", name="User").get_by_role("link", name="Delete").click()
    expect(page.locator("dialog[open] h1")).to_be_visible()
    check("a user with devices")
    assert not check.found, "\n".join(check.found)
