"""The life of a token in the browser: each dialog and state, in both themes, with what axe says of it."""

import pytest
from playwright.sync_api import expect

from tests.browser.keyboard import tab_to, tab_to_label
from tests.browser.servers import Server
from tests.browser.test_accessibility import Checker, Visit, both_widths, once

pytestmark = pytest.mark.browser


def issued(server: Server, name: str) -> str:
    """The secret of a new token that may list users."""
    create = ("api_token", "create", "--tenant", "accuhive", "--name", name, "--permissions", "list_users")
    return server.manage(*create).strip()


@once
@both_widths
@pytest.mark.complaints("422 /access/tokens/*/revoke/")
def test_the_life_of_a_token(signed_in: Visit, server: Server, width: int) -> None:
    name = f"Life {width}"
    secret = issued(server, name)
    page = signed_in(width=width)
    check = Checker(page)
    dialog = page.get_by_role("dialog")
    server.call("/api/v1/users", secret)
    server.call("/api/v1/tags", secret)
    page.wait_for_timeout(2500)  # the server writes its counts once a second
    page.goto("/access/tokens/")
    page.get_by_role("link", name=name, exact=True).click()
    page.get_by_role("link", name="Usage").click()
    expect(page.get_by_role("link", name="Grant Get Tags")).to_be_visible()
    check("usage")
    page.get_by_role("link", name="Learn mode").click()
    dialog.get_by_role("button", name="Start").click()
    expect(page.get_by_text("Learn mode ends")).to_be_visible()
    assert server.call("/api/v1/blueprints", secret).status == 403
    expect(page.get_by_role("link", name="Review suggestions")).to_be_hidden()
    page.wait_for_timeout(2500)
    page.reload()
    page.get_by_role("link", name="Review suggestions").click()
    expect(page.get_by_text("Suggested")).to_have_count(1)
    check("suggestions")
    page.get_by_role("button", name="Start from").click()
    check("presets")
    page.get_by_role("link", name="Copy from another token").click()
    expect(dialog.get_by_role("heading", name="Copy from another token")).to_be_visible()
    check("copy")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("status").filter(has_text="has 2 of")).to_be_visible()
    assert server.call("/api/v1/blueprints", secret).status == 200

    page.get_by_role("link", name="Rotate").click()
    expect(dialog.get_by_role("heading", name=f"Rotate “{name}”?")).to_be_visible()
    check("rotate")
    dialog.get_by_role("button", name="Rotate").click()
    expect(dialog.get_by_role("heading", name="Copy your new API token")).to_be_visible()
    dialog.get_by_role("button", name="Show token").click()
    new = dialog.get_by_role("textbox", name="API token").input_value()
    check("new secret")
    dialog.get_by_role("checkbox").check()
    dialog.get_by_role("button", name="Done").click()
    expect(page.get_by_text("Two secrets")).to_be_visible()
    check("two secrets")
    assert [server.call("/api/v1/users", each).status for each in (secret, new)] == [200, 200]
    page.get_by_role("link", name="End overlap").click()
    dialog.get_by_role("button", name="End overlap").click()
    expect(page.get_by_text("Two secrets")).to_be_hidden()
    assert [server.call("/api/v1/users", each).status for each in (secret, new)] == [401, 200]

    page.get_by_role("link", name="Disable").click()
    dialog.get_by_role("button", name="Disable").click()
    expect(page.get_by_text("Every call with it is refused until it is enabled")).to_be_visible()
    check("disabled")
    assert server.call("/api/v1/users", new).status == 401
    page.get_by_role("link", name="Enable").first.click()
    dialog.get_by_role("button", name="Enable").click()
    expect(page.get_by_text("Calls with it work again")).to_be_visible()
    assert server.call("/api/v1/users", new).status == 200

    page.get_by_role("link", name="Edit", exact=True).click()
    dialog.get_by_label("Expires").select_option("date")
    expect(dialog.get_by_label("Last day")).to_be_visible()
    check("edit with a date")
    dialog.get_by_label("Expires").select_option("30")
    expect(dialog.get_by_label("Last day")).to_be_hidden()
    dialog.get_by_label("Allowed networks").fill("192.0.2.0/24")
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_text("is not in the allowed networks")).to_be_visible()
    expect(page.get_by_text("Every call with it is refused from then on.")).to_contain_text("in 30 days")
    check("networks")
    assert server.call("/api/v1/users", new).status == 401

    page.get_by_role("link", name="Revoke").click()
    revoke = dialog.get_by_role("button", name="Revoke")
    expect(revoke).to_be_visible()
    check("revoke by name")
    revoke.click()
    expect(dialog.get_by_text("Type the name of the token.")).to_be_visible()
    dialog.get_by_label("Type its name to confirm").fill(name)
    revoke.click()
    expect(page.get_by_role("status").filter(has_text="is revoked")).to_be_visible()
    page.goto("/access/tokens/?state=revoked")
    page.get_by_role("link", name=name, exact=True).first.click()
    expect(page.get_by_text("Every call with it is refused, for good.")).to_be_visible()
    check("revoked")
    assert not check.found, "\n".join(check.found)


def test_learn_mode_and_rotation_with_the_keyboard_alone(signed_in: Visit, server: Server) -> None:
    name, page = "Keys only", signed_in()
    former = issued(server, name)
    page.goto(f"/access/tokens/?q={name}")
    tab_to_label(page, name)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    tab_to_label(page, "Usage")
    page.keyboard.press("Enter")
    page.wait_for_url("**/usage/")
    tab_to_label(page, "Learn mode")
    page.keyboard.press("Enter")
    expect(page.locator("dialog h1")).to_be_focused()
    tab_to_label(page, "Start")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Learn mode ends")).to_be_visible()
    assert server.call("/api/v1/blueprints", former).status == 403
    page.wait_for_timeout(2500)  # the server writes its counts once a second
    page.reload()
    tab_to_label(page, "Review suggestions")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Suggested")).to_have_count(1)
    tab_to_label(page, "Skip to Save")
    page.keyboard.press("Enter")
    tab_to_label(page, "Save")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").filter(has_text="has 2 of")).to_be_visible()
    assert server.call("/api/v1/blueprints", former).status == 200

    tab_to_label(page, "Rotate")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=f"Rotate “{name}”?")).to_be_focused()
    tab_to_label(page, "The present secret works for")
    page.keyboard.type("7")  # more days
    tab_to(page, "dialog button[type=submit]")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Copy your new API token")).to_be_focused()
    tab_to_label(page, "Show token")
    page.keyboard.press("Space")
    new = page.get_by_label("API token", exact=True).input_value()
    tab_to_label(page, "I have copied")
    page.keyboard.press("Space")
    tab_to_label(page, "Done")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Two secrets")).to_be_visible()
    assert [server.call("/api/v1/users", each).status for each in (former, new)] == [200, 200]
    tab_to_label(page, "End overlap")
    page.keyboard.press("Enter")
    expect(page.locator("dialog h1")).to_be_focused()
    tab_to(page, "dialog button[type=submit]")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Two secrets")).to_be_hidden()
    assert [server.call("/api/v1/users", each).status for each in (former, new)] == [401, 200]


def test_learn_mode_and_rotation_without_javascript(signed_in: Visit, server: Server) -> None:
    name, page = "No scripts", signed_in(java_script_enabled=False)
    former = issued(server, name)
    page.goto(f"/access/tokens/?q={name}")
    page.get_by_role("link", name=name, exact=True).click()
    page.get_by_role("link", name="Usage").click()
    page.get_by_role("link", name="Learn mode").click()
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_text("Learn mode ends")).to_be_visible()
    assert server.call("/api/v1/blueprints", former).status == 403
    page.wait_for_timeout(2500)  # the server writes its counts once a second
    page.reload()
    page.get_by_role("link", name="Review suggestions").click()
    expect(page.get_by_text("Suggested")).to_have_count(1)
    page.get_by_role("button", name="Save", exact=True).click()
    assert server.call("/api/v1/blueprints", former).status == 200

    page.get_by_role("link", name="Rotate").click()
    page.get_by_role("button", name="Rotate").click()
    expect(page.get_by_role("heading", name="Copy your new API token")).to_be_visible()
    page.locator("summary", has_text="Show token").click()
    new = page.locator("details code").inner_text()
    page.get_by_label("I have copied").check()
    page.get_by_role("button", name="Done").click()
    expect(page.get_by_text("Two secrets")).to_be_visible()
    assert [server.call("/api/v1/users", each).status for each in (former, new)] == [200, 200]
    page.get_by_role("link", name="End overlap").click()
    page.get_by_role("button", name="End overlap").click()
    expect(page.get_by_text("Two secrets")).to_be_hidden()
    assert [server.call("/api/v1/users", each).status for each in (former, new)] == [401, 200]
