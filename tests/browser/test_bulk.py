"""Bulk actions in a real browser: selecting rows, the dialogs, the progress, and the axe check of every state."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_accessibility import Checker, both_widths, once

pytestmark = pytest.mark.browser

Visit = Callable[..., Page]


@pytest.mark.complaints("422 /devices/bulk/commands/erase/")
def test_selected_devices_get_a_command(signed_in: Visit, macs: list[str]) -> None:
    page, names = signed_in(), [macs.pop(), macs.pop()]
    page.goto("/devices/?q=Tester")
    bar = page.get_by_role("group", name="Selection")
    expect(bar).to_be_hidden()
    for name in names:
        page.get_by_role("checkbox", name=f"Select {name}", exact=True).check()
    expect(bar).to_contain_text("2 selected")
    page.get_by_role("checkbox", name="Select this page").check()
    expect(bar).not_to_contain_text("2 selected")
    page.get_by_role("checkbox", name="Select this page").uncheck()
    expect(bar).to_be_hidden()
    for name in names:
        page.get_by_role("checkbox", name=f"Select {name}", exact=True).check()
    bar.get_by_role("button", name="Send command").click()
    page.locator("dialog").get_by_role("link", name="Erase").click()
    page.locator("dialog").get_by_role("button", name="Erase").click()
    expect(page.get_by_text("Type the number of devices to go on.")).to_be_visible()
    page.get_by_label(re.compile("to confirm")).fill("2 devices")
    page.locator("dialog").get_by_role("button", name="Erase").click()
    expect(page.locator("main h1")).to_have_text("Erase")
    expect(page.get_by_role("region", name="Progress")).to_contain_text("100%")
    expect(page.get_by_role("table", name="Results").get_by_role("cell", name="Done")).to_have_count(2)


def test_all_that_match_without_javascript(signed_in: Visit, macs: list[str]) -> None:
    page = signed_in(java_script_enabled=False)
    page.goto("/devices/")
    page.get_by_role("link", name="that match").click()
    expect(page.get_by_text("that match are selected.")).to_be_visible()
    page.get_by_role("link", name="Clear selection").click()
    page.goto("/devices/?q=Tester")
    page.get_by_role("checkbox", name=f"Select {macs[0]}", exact=True).check()
    page.get_by_role("button", name="Add tag").click()
    page.get_by_label("New tag").fill("Without a script")
    page.get_by_role("button", name="Add tag").click()
    expect(page.get_by_role("heading", name="Add tag “Without a script”: 1 device")).to_be_visible()
    page.get_by_role("button", name="Add tag").click()
    expect(page.locator("main h1")).to_have_text("Add tag “Without a script”")


@once
@both_widths
@pytest.mark.complaints("422 /devices/bulk/*")
def test_bulk_pages_pass_axe(signed_in: Visit, width: int) -> None:
    page = signed_in(width=width)
    check = Checker(page)
    page.goto("/devices/")
    page.get_by_role("link", name="that match").click()
    expect(page.get_by_text("that match are selected.")).to_be_visible()
    check("all selected")
    page.get_by_role("button", name="Send command").click()
    expect(page.get_by_role("heading", name="Send command")).to_be_visible()
    check("choosing a command")
    page.locator("dialog").get_by_role("link", name="Erase").click()
    page.locator("dialog").get_by_role("button", name="Erase").click()
    expect(page.locator("dialog .field-error").first).to_be_visible()
    check("erase, refused")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Add tag").click()
    page.locator("dialog").get_by_role("button", name="Add tag").click()
    expect(page.get_by_text("Choose a tag.")).to_be_visible()
    check("add a tag, refused")
    page.get_by_label("New tag").fill(f"{width} " + "long " * 30)
    page.locator("dialog").get_by_role("button", name="Add tag").click()
    expect(page.get_by_text("Changed")).to_be_visible()
    check("add a tag, the numbers")
    page.locator("dialog").get_by_role("button", name="Add tag").click()
    expect(page.get_by_role("region", name="Progress")).to_be_visible()
    check("progress")
    page.get_by_role("link", name="Bulk actions").click()
    expect(page.get_by_role("table", name="Bulk actions")).to_be_visible()
    check("bulk actions")
    page.get_by_role("link", name="Update device inventory").click()
    check("an action that has ended")
    for path, action in (("/users/", "Assign Blueprint"), ("/library/", "Assign to Blueprint")):
        page.goto(path)
        page.get_by_role("checkbox", name="Select ").nth(1).check()
        page.get_by_role("button", name=action).click()
        expect(page.locator("dialog form")).to_be_visible()
        check(action)
    assert not check.found, "\n".join(check.found)
