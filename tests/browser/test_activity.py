"""The tenant's activity in the browser."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.keyboard import tab_to
from tests.browser.servers import Server
from tests.browser.test_accessibility import Checker, Visit, both_widths, once

pytestmark = pytest.mark.browser


def made(server: Server, name: str) -> str:
    server.manage("api_token", "create", "--tenant", "accuhive", "--name", name, "--permissions", "list_users")
    return name


def test_an_event_is_found_opened_and_downloaded(signed_in: Visit, server: Server) -> None:
    page, name = signed_in(), made(server, "Found in the activity")
    page.get_by_role("link", name="Activity").click()
    page.get_by_role("searchbox").fill("IN THE ACTIVITY")
    row = page.locator(".activity details").filter(has_text=name)
    expect(page.locator(".activity details")).to_have_count(1)
    row.locator("summary").click()
    expect(row.get_by_text("GET /api/v1/users")).to_be_visible()
    page.get_by_role("button", name="Filter").click()
    page.get_by_label("Action", exact=True).select_option(label="Delete")
    expect(page.get_by_text("No event matches")).to_be_visible()
    page.get_by_label("Action", exact=True).select_option(label="Create")
    expect(page.locator(".activity details")).to_have_count(1)
    assert "action=create" in page.url
    page.keyboard.press("Escape")
    with page.expect_download() as download:
        page.get_by_role("link", name="Export JSON").click()
    events = json.loads(Path(download.value.path()).read_text())
    assert [event["new_state"]["label"] for event in events] == [name]


def test_an_event_with_the_keyboard_alone(signed_in: Visit, server: Server) -> None:
    page, name = signed_in(), made(server, "Opened by a key")
    page.goto(f"/activity/?q={name}")
    tab_to(page, ".activity summary")
    page.keyboard.press("Enter")
    expect(page.get_by_text("GET /api/v1/users")).to_be_visible()


def test_without_javascript(signed_in: Visit, server: Server) -> None:
    page, name = signed_in(java_script_enabled=False), made(server, "Without any script")
    page.goto("/activity/")
    page.get_by_role("searchbox").fill(name)
    page.get_by_role("button", name="Search").click()
    page.locator(".activity summary").click()
    expect(page.get_by_text("GET /api/v1/users")).to_be_visible()


@once
@both_widths
def test_every_state_passes_axe(signed_in: Visit, width: int) -> None:
    page = signed_in(width=width)
    check = Checker(page)
    page.goto("/activity/")
    check("list")
    page.locator(".activity summary").first.click()
    check("open")
    page.get_by_role("button", name="Filter").click()
    check("filters")
    page.goto("/activity/?q=nothing+of+the+kind")
    check("no match")
    assert not check.found, "\n".join(check.found)
