"""What the product exists for, as a person and an integration do it, from a clean copy of the tree."""

import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from django.db import connection
from playwright.sync_api import Error, Page, expect

from access.tokens.digests import SHAPE
from tests.browser.keyboard import tab_to, tab_to_label
from tests.browser.servers import PASSWORD, Server

pytestmark = pytest.mark.browser

Visit = Callable[..., Page]
COPIED = "I have copied the token and understand that I will not be able to see these details again."


def open_access(page: Page) -> None:
    page.get_by_role("button", name="Ana Ruiz").click()
    page.get_by_role("link", name="Access", exact=True).click()


def fill_details(page: Page, name: str) -> None:
    page.get_by_role("link", name="Add API Token").first.click()
    page.get_by_role("textbox", name="Name", exact=True).fill(name)
    page.get_by_role("textbox", name="Description").fill("Copies devices into the warehouse every night")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", name="Copy your API token")).to_be_visible()


def revoke(page: Page, name: str) -> None:
    """Revoke a token that was used just now, which asks for its name."""
    page.wait_for_timeout(2500)  # the server writes the last use once a second
    page.goto("/access/tokens/")
    page.get_by_role("button", name=f"Actions for {name}").click()
    page.get_by_role("link", name="Revoke").click()
    expect(page.get_by_role("heading", name=f"Revoke “{name}”?")).to_be_visible()
    page.get_by_label("Type its name to confirm").fill(name)
    page.get_by_role("button", name="Revoke", exact=True).click()
    expect(page.get_by_role("link", name=name, exact=True)).to_have_count(0)


def check_the_token(server: Server, token: str) -> None:
    devices = server.call("/api/v1/devices", token)
    assert devices.status == 200
    assert len(devices.body) == 300
    users = server.call("/api/v1/users", token)
    assert users.status == 403
    assert users.body["missing_permission"] == {"http_method": "GET", "path": "/api/v1/users", "label": "List users"}


def left_behind(page: Page) -> Callable[[], tuple[str, bool]]:
    """How the token's field begins and whether its copy button is off, also when both have left the page."""
    field = page.get_by_label("API token", exact=True).element_handle()
    copy = page.get_by_role("button", name="Copy Token").element_handle()
    return lambda: (field.evaluate("(field) => field.value")[0], copy.evaluate("(button) => button.disabled"))


def test_the_whole_flow(signed_in: Visit, server: Server, tmp_path: Path) -> None:
    page = signed_in(permissions=["clipboard-read", "clipboard-write"])
    open_access(page)
    fill_details(page, "Warehouse sync")

    field = page.get_by_label("API token", exact=True)
    assert field.input_value().startswith("•")
    masked = page.content()
    expect(page.get_by_role("button", name="Next")).to_be_disabled()
    page.get_by_role("button", name="Show token").click()
    token = field.input_value()
    assert SHAPE.fullmatch(token)
    assert token not in masked  # masked means absent, not covered
    page.get_by_role("button", name="Hide token").click()
    assert field.input_value().startswith("•")
    assert token not in page.content()
    page.get_by_role("button", name="Show token").click()
    page.evaluate("dispatchEvent(new Event('blur'))")
    assert field.input_value().startswith("•")

    page.get_by_role("button", name="Copy Token").click()
    expect(page.get_by_text("Copied", exact=True)).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == token
    page.get_by_label(COPIED).check()
    page.get_by_role("button", name="Show token").click()
    remains = left_behind(page)
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_role("link", name="Configure")).to_be_visible()
    assert remains() == ("•", True)

    assert server.call("/api/v1/devices", token).status == 403  # nothing is granted yet
    page.get_by_role("link", name="Configure").click()
    page.get_by_placeholder("Search").fill("Device list")
    page.get_by_role("checkbox", name="Device list").check()
    expect(page.get_by_text("1 added")).to_be_visible()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("link", name="Edit", exact=True)).to_be_visible()
    check_the_token(server, token)

    page.locator("main").get_by_role("link", name="Activity").click()
    expect(page.get_by_role("heading", name="Token permissions edited")).to_be_visible()
    expect(page.get_by_role("heading", name="Token created")).to_be_visible()
    assert token not in page.content()

    page.goto("/access/tokens/")
    expect(page.get_by_text("Your organization's API URL is:")).to_be_visible()
    expect(page.get_by_text(f"http://accuhive.api.localhost:{server.port}/api/v1")).to_be_visible()
    assert token not in page.content()

    revoke(page, "Warehouse sync")
    assert server.call("/api/v1/devices", token).status == 401
    nowhere(token, server)
    nowhere(PASSWORD, server)
    session = next(cookie["value"] for cookie in page.context.cookies() if cookie["name"] == "session")
    nowhere(session, server)


def test_the_same_without_javascript(signed_in: Visit, server: Server) -> None:
    page = signed_in(java_script_enabled=False)
    open_access(page)
    fill_details(page, "Plain form")
    page.locator("summary", has_text="Show token").click()
    code = page.locator("details code")
    expect(code).to_be_visible()
    token = code.inner_text()
    assert SHAPE.fullmatch(token)
    page.get_by_role("button", name="Next").click()  # the box is required, so the browser stays
    expect(page.get_by_role("heading", name="Copy your API token")).to_be_visible()
    page.get_by_label(COPIED).check()
    page.get_by_role("button", name="Next").click()
    page.get_by_role("link", name="Configure").click()
    page.get_by_role("checkbox", name="Device list").check()
    page.get_by_role("button", name="Save", exact=True).click()
    check_the_token(server, token)
    revoke(page, "Plain form")
    assert server.call("/api/v1/devices", token).status == 401
    nowhere(token, server)


def test_back_reload_and_a_restored_tab_do_not_show_the_token(signed_in: Visit) -> None:
    page = signed_in()
    page.goto("/access/tokens/")
    fill_details(page, "Kept in the head")
    page.get_by_role("button", name="Show token").click()
    token = page.get_by_label("API token", exact=True).input_value()
    assert SHAPE.fullmatch(token)

    page.goto("/access/tokens/")
    assert token not in page.content()
    page.go_back()
    page.wait_for_load_state()
    assert token not in page.content()
    assert token not in page.evaluate("[...document.querySelectorAll('input')].map(input => input.value).join()")
    page.reload()
    assert token not in page.content()
    stored = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, history.state, document.cookie])")
    assert token not in stored


@pytest.mark.complaints("409 /access/tokens/new/")
def test_without_javascript_no_page_shows_the_token_again(signed_in: Visit) -> None:
    page = signed_in(java_script_enabled=False)
    page.goto("/access/tokens/")
    fill_details(page, "Reloaded")
    token = page.locator("details code").text_content() or ""
    assert SHAPE.fullmatch(token)
    page.reload()  # sends the form again, with the same submission
    expect(page.get_by_role("heading", name="This token was created already")).to_be_visible()
    assert token not in page.content()
    page.goto("/access/tokens/")
    with suppress(Error):  # Chromium would rather ask before it sends the form again
        page.go_back()
    expect(page.locator("body")).not_to_contain_text(token)
    page.goto("/access/tokens/")
    expect(page.get_by_role("link", name="Reloaded", exact=True)).to_have_count(1)


def test_escape_asks_once_before_a_token_is_lost(signed_in: Visit) -> None:
    page = signed_in()
    page.goto("/access/tokens/")
    fill_details(page, "Nearly lost")
    page.keyboard.press("Escape")
    expect(page.get_by_role("alertdialog")).to_be_visible()
    expect(page.get_by_role("heading", name="Copy your API token")).to_be_visible()
    page.get_by_role("button", name="Keep open").click()
    page.get_by_role("button", name="Show token").click()
    assert SHAPE.fullmatch(page.get_by_label("API token", exact=True).input_value())
    page.keyboard.press("Escape")
    remains = left_behind(page)
    page.get_by_role("button", name="Close", exact=True).click()
    # The list was loaded again, with the link that opened the dialog. The focus moves once the dialog said `close`.
    expect(page.locator("#main")).to_be_focused()
    expect(page.locator("dialog")).to_be_hidden()
    assert remains() == ("•", True)


def test_a_failed_copy_selects_the_token_and_shows_a_message(signed_in: Visit) -> None:
    page = signed_in()
    page.goto("/access/tokens/")
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('refused')) }")
    fill_details(page, "Not copied")
    page.get_by_role("button", name="Copy Token").click()
    expect(page.get_by_text("Copying was not possible")).to_be_visible()
    selected = page.evaluate("getSelection().toString()") or page.get_by_label("API token", exact=True).input_value()
    assert SHAPE.fullmatch(selected)


def test_the_flow_with_the_keyboard_alone(signed_in: Visit, server: Server) -> None:
    page = signed_in()
    page.goto("/access/tokens/")
    tab_to_label(page, "Add API Token")
    page.keyboard.press("Enter")
    expect(page.get_by_role("textbox", name="Name", exact=True)).to_be_focused()
    page.keyboard.type("By keyboard")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Copy your API token")).to_be_focused()
    tab_to_label(page, "Show token")
    page.keyboard.press("Space")
    token = page.get_by_label("API token", exact=True).input_value()
    tab_to_label(page, "I have copied")
    page.keyboard.press("Space")
    tab_to_label(page, "Next")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="What may “By keyboard” do?")).to_be_focused()
    tab_to_label(page, "Configure")
    page.keyboard.press("Enter")
    page.wait_for_url("**/permissions/edit/")
    tab_to(page, "main input[type=search]")
    page.keyboard.type("Device list")
    tab_to_label(page, "Device list")
    page.keyboard.press("Space")
    tab_to_label(page, "Save")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Edit", exact=True)).to_be_visible()
    check_the_token(server, token)


def nowhere(secret: str, server: Server) -> None:
    """The secret stands neither in what was printed and logged, nor anywhere in the database."""
    assert secret not in server.output
    if connection.vendor == "sqlite":
        files = list(server.directory.glob("db.sqlite3*"))
        assert len(files) >= 2  # with the write-ahead log
        for file in files:
            assert secret.encode() not in file.read_bytes()
    else:
        # pg_dump would need the server's own version of it; every row of every table as text is the same search.
        tables = "SELECT schemaname, tablename FROM pg_tables WHERE schemaname = 'public'"
        found = server.manage("shell", "--no-imports", "-v0", "-c", DUMP.format(tables=tables))
        assert "access_apitoken" in found
        assert secret not in found
    pages = subprocess.run(
        ["grep", "-rl", "--exclude-dir=tests", secret, server.directory], capture_output=True, text=True, check=False
    )
    assert pages.stdout == ""


DUMP = """
from django.db import connection
cursor = connection.cursor()
cursor.execute("{tables}")
for schema, table in cursor.fetchall():
    print(table)
    cursor.execute('SELECT t::text FROM "' + table + '" t')
    for row in cursor.fetchall():
        print(row[0])
"""
