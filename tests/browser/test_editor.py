"""The permission editor's script: which rows are in sight, unsaved changes, and saving once."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Dialog, Page, Request, Route, expect

from tests.browser.servers import Server
from tests.browser.test_accessibility import once

pytestmark = pytest.mark.browser


@once
def test_the_editor_filters_warns_and_saves_once(signed_in: Callable[..., Page], server: Server) -> None:
    server.manage("api_token", "create", "--tenant", "accuhive", "--name", "Edited", "--permissions", "list_users")
    page = signed_in()
    rows, status = page.locator("[data-row]:visible"), page.locator("[data-status]")
    posts: list[Request] = []
    questions: list[str] = []
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    def stay(dialog: Dialog) -> None:
        questions.append(dialog.type)
        dialog.dismiss()

    page.on("request", lambda request: posts.append(request) if request.method == "POST" else None)
    page.on("dialog", stay)
    page.goto("/access/tokens/")
    page.get_by_role("link", name="Edited", exact=True).click()
    only_enabled = page.get_by_label("Only show enabled permissions")
    expect(only_enabled).to_be_checked()
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("List users")
    only_enabled.uncheck()
    everything = page.locator("[data-row]").count()
    expect(rows).to_have_count(everything)
    expect(status).to_have_text(f"{everything} permissions shown")

    page.get_by_role("link", name="Edit permissions").click()
    expect(rows).to_have_count(everything)
    page.get_by_role("checkbox", name="Device list").check()
    page.get_by_label("Only show enabled permissions").check()
    expect(rows).to_have_count(2)
    page.locator("main").get_by_role("link", name="Activity").click()
    expect(page.locator("[data-summary]")).to_have_text("1 added")
    assert questions == ["beforeunload"]

    # The answer to the first press waits until the second one has come.
    page.route("**/permissions/edit/", hold)
    save = page.get_by_role("button", name="Save", exact=True).bounding_box()
    assert save
    with page.expect_request(lambda request: request.method == "POST"):
        page.mouse.click(save["x"] + 5, save["y"] + 5)
    page.mouse.click(save["x"] + 5, save["y"] + 5)
    held[-1].continue_()
    page.unroute("**/permissions/edit/")
    expect(page.get_by_role("status").filter(has_text="Saved.")).to_be_visible()
    expect(rows).to_have_count(2)
    assert len(posts) == 1
    page.get_by_role("link", name="Edit permissions").click()
    page.get_by_role("checkbox", name="Device list").uncheck()
    page.get_by_role("link", name="Cancel").click()  # is itself the decision to drop the changes
    expect(page.get_by_role("link", name="Edit permissions")).to_be_visible()
    assert questions == ["beforeunload"]
