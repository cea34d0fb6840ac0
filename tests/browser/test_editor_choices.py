"""The permission editor as a new user meets it: search, presets, a second editor, and a session that ends."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.servers import OWNER, PASSWORD, Server
from tests.browser.test_accessibility import once

pytestmark = pytest.mark.browser


@pytest.fixture
def edit(signed_in: Callable[..., Page], server: Server) -> Callable[..., Page]:
    """Open the editor of a new token, which has the permission `list_users`."""

    def open_editor(name: str) -> Page:
        server.manage("api_token", "create", "--tenant", "accuhive", "--name", name, "--permissions", "list_users")
        page = signed_in()
        page.goto("/access/tokens/")
        page.get_by_role("link", name=name, exact=True).click()
        page.get_by_role("link", name="Edit permissions").click()
        return page

    return open_editor


def box(page: Page, codename: str) -> Locator:
    return page.locator(f"input[name=permission][value={codename}]")


@once
def test_a_search_limits_what_is_ticked_and_puts_the_best_first(edit: Callable[..., Page]) -> None:
    page = edit("Searched")
    rows, summary, save = (
        page.locator("[data-row]:visible"),
        page.locator("[data-summary]"),
        page.locator("[data-save]"),
    )
    search = page.get_by_role("searchbox", name="Search")
    expect(save).to_be_disabled()
    order = page.locator("[data-area] h2").all_text_contents()
    search.fill("devices list")
    expect(rows.first).to_contain_text("Device list")
    search.fill("wipe device")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("Erase")
    search.fill("note")
    expect(rows).to_have_count(5)
    expect(page.get_by_role("button", name="Select 5 matching")).to_be_enabled()
    page.get_by_role("checkbox", name="All of Device Information in sight").check()
    expect(summary).to_have_text("5 added")
    expect(page.get_by_role("button", name="Select 5 shown")).to_be_disabled()
    page.get_by_role("button", name="Select all 16").click()
    expect(summary).to_have_text("16 added")
    search.fill("erase")
    page.get_by_role("button", name="matching").click()
    expect(summary).to_contain_text("1 sensitive")
    search.fill("")
    expect(page.locator("[data-area] h2").nth(0)).to_have_text(order[0])
    assert page.locator("[data-area] h2").all_text_contents() == order
    page.get_by_role("button", name="Review changes").click()
    expect(page.locator("[data-changes-added] li").first).to_contain_text("Device")


@once
def test_a_preset_and_another_token_are_starting_points(edit: Callable[..., Page], server: Server) -> None:
    server.manage("api_token", "create", "--tenant", "accuhive", "--name", "Source", "--permissions", "list_tags")
    page = edit("Preset")
    page.get_by_role("button", name="Start from").click()
    page.get_by_role("button", name="Prometheus exporter").click()
    expect(page.locator("[data-summary]")).to_have_text("1 added, 1 removed")
    page.get_by_role("button", name="Start from").click()
    page.get_by_role("link", name="Copy from another token").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("searchbox").fill("sourc")
    dialog.get_by_role("button", name="Source").click()
    expect(box(page, "list_tags")).to_be_checked()
    expect(page.locator("[data-summary]")).to_have_text("1 added, 1 removed")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("status").filter(has_text="has 1 of")).to_be_visible()


@pytest.mark.complaints("409 */permissions/edit/")
@once
def test_two_windows_keep_both_changes(edit: Callable[..., Page]) -> None:
    page = edit("Twice")
    other = page.context.new_page()
    other.goto(page.url)
    for window, codename in ((other, "list_tags"), (page, "list_devices")):
        box(window, codename).check()
        window.get_by_role("button", name="Save", exact=True).click()
        window.wait_for_load_state()
    expect(page.get_by_role("heading", name="You saved this token in another window")).to_be_visible()
    page.get_by_role("button", name="Keep both").click()
    expect(page.get_by_role("status").filter(has_text="has 3 of")).to_be_visible()


@pytest.mark.complaints("422 /sign-in/")
@once
def test_a_lost_session_does_not_lose_the_ticks(edit: Callable[..., Page]) -> None:
    page = edit("Signed out")
    box(page, "list_tags").check()
    cookies = page.context.cookies()
    page.context.clear_cookies(name=next(each["name"] for each in cookies if "csrf" in each["name"]))
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("status").filter(has_text="has 2 of")).to_be_visible()

    page.get_by_role("link", name="Edit permissions").click()
    box(page, "list_devices").check()
    page.context.clear_cookies()
    page.get_by_role("button", name="Save", exact=True).click()
    dialog = page.get_by_role("dialog", name="You were signed out")
    dialog.get_by_label("Password").fill("a wrong password")
    dialog.get_by_role("button", name="Sign in and save").click()
    expect(dialog.get_by_role("alert")).not_to_be_empty()
    dialog.get_by_label("Password").fill(PASSWORD)
    dialog.get_by_role("button", name="Sign in and save").click()
    expect(page.get_by_role("status").filter(has_text="has 3 of")).to_be_visible()

    page.get_by_role("link", name="Edit permissions").click()
    box(page, "list_blueprints").check()
    page.context.clear_cookies()
    page.on("dialog", lambda question: question.accept())
    page.reload()  # leads to the sign-in page, and from there back to the editor
    page.get_by_label("E-mail").fill(OWNER)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(box(page, "list_blueprints")).to_be_checked()
    expect(page.locator("[data-summary]")).to_have_text("1 added")
