"""The frame of every page: the focus, what is said aloud, notices of failures, copying, and Back."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.servers import Server
from tests.browser.test_accessibility import Checker, once

pytestmark = pytest.mark.browser

Visit = Callable[..., Page]
LIST = "/devices/"


def search(page: Page, text: str) -> None:
    page.get_by_role("searchbox").fill(text)


def leave_dialog(page: Page, opener: Locator) -> None:
    expect(page.locator("dialog h1")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_be_hidden()
    expect(opener).to_be_focused()


@once
def test_the_focus_returns_to_the_opener_of_a_dialog_or_to_the_page(signed_in: Visit, server: Server) -> None:
    server.manage("api_token", "create", "--tenant", "accuhive", "--name", "Focused")
    page = signed_in()
    page.goto("/access/tokens/?q=Focused")  # its row alone, so that no other row gets the focus
    add, menu = page.get_by_role("link", name="Add API Token"), page.get_by_role("button", name="Actions for Focused")
    revoke = page.locator(".menu:popover-open").get_by_text("Revoke")
    add.press("Enter")
    leave_dialog(page, add)
    menu.press("Enter")
    revoke.press("Enter")
    leave_dialog(page, menu)
    assert page.locator("#dialog-content").inner_html() == ""

    menu.click()
    revoke.click()
    page.get_by_role("button", name="Revoke", exact=True).click()
    expect(page.locator("#notices")).to_contain_text("“Focused” is revoked.")
    expect(menu).to_have_count(0)
    expect(page.locator("#main")).to_be_focused()
    page.get_by_role("button", name="Dismiss").click()
    expect(page.locator("#notices .notice")).to_have_count(0)


@once
def test_a_dialog_does_not_take_the_focus_back(signed_in: Visit) -> None:
    page = signed_in()
    page.goto("/access/tokens/")
    page.evaluate("""
        const leave = () => document.querySelector("dialog a").focus();
        document.addEventListener("htmx:afterSwap", () => queueMicrotask(leave));
    """)
    page.get_by_role("link", name="Add API Token").first.press("Enter")
    expect(page.locator("dialog a").first).to_be_focused()
    page.wait_for_timeout(200)  # nothing happens in it: there is no event to wait for
    expect(page.locator("dialog a").first).to_be_focused()


@once
@pytest.mark.complaints(
    "404 /devices/",
    "503 /devices/",
    "Response Status Error Code * from /devices/*",
    "net::ERR_INTERNET_DISCONNECTED /devices/*",
    "htmx:afterRequest, *",
    "htmx:sendError, *",
)
def test_a_search_is_announced_and_a_failure_has_a_notice(signed_in: Visit, server: Server, mac: str) -> None:
    page = signed_in()
    page.goto(LIST)
    notices, announcer = page.locator("#notices"), page.locator("#announcer")
    search(page, f"TEST{int(mac.rsplit(' ', 1)[1]):06}")
    expect(announcer).to_contain_text("1 device found")

    def missing(route: Route) -> None:
        route.continue_(url=f"{server.url}/nowhere/")

    page.route("**/devices/?q=*", missing)
    search(page, "an error page")
    expect(notices.locator(".error")).to_have_text(re.compile("Page not found. It may have been removed"))
    page.unroute("**/devices/?q=*")
    page.route("**/devices/?q=*", lambda route: route.fulfill(status=503, body="no page"))
    search(page, "no words")
    expect(notices.locator(".error")).to_have_text(re.compile("The server could not answer."))
    page.unroute("**/devices/?q=*")
    page.context.set_offline(True)
    search(page, "no server")
    away = "The server cannot be reached. Check your connection and try again."
    expect(notices.locator(".error")).to_have_text(re.compile(away))
    page.context.set_offline(False)

    page.goto(LIST)
    search(page, mac)
    page.get_by_role("link", name=mac, exact=True).click()
    page.get_by_role("link", name="Edit", exact=True).click()
    expect(page.get_by_label("Assigned user")).to_be_focused()  # after that the focus moves no more
    page.get_by_label("Asset tag").fill("Typed")
    page.context.set_offline(True)
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#dialog-error")).to_have_text(away)
    page.context.set_offline(False)
    page.get_by_role("button", name="Save").click()  # with all that was typed
    expect(page.get_by_role("status").filter(has_text="Saved.")).to_be_visible()
    expect(page.get_by_text("Typed", exact=True)).to_be_visible()


@once
def test_a_copy_button_copies_or_selects_the_text(signed_in: Visit, server: Server) -> None:
    server.manage(
        "api_token", "create", "--tenant=accuhive", "--name=First of all"
    )  # the addresses appear with the first token
    page = signed_in(permissions=["clipboard-read", "clipboard-write"])
    page.goto("/access/tokens/")
    host = f"http://accuhive.api.localhost:{server.port}"
    for name, text in (("Copy host", host), ("Copy base URL", f"{host}/api/v1")):
        button = page.get_by_role("button", name=name)
        copy = button.element_handle()
        button.click()
        expect(page.locator("#announcer")).to_have_text("Copied")
        assert copy
        assert copy.inner_text() == "Copied"
        assert page.evaluate("navigator.clipboard.readText()") == text
        expect(button).to_be_visible()  # with its own label again
        page.evaluate("document.getElementById('announcer').textContent = ''")
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('refused')) }")
    page.get_by_role("button", name="Copy host").click()
    expect(page.locator("#announcer")).to_have_text("Copying was not possible. The text is selected.")
    assert page.evaluate("getSelection().toString()") == host


@once
@pytest.mark.parametrize("width", [1280, 320])
def test_every_id_for_the_api_is_copied_from_its_page(signed_in: Visit, server: Server, width: int) -> None:
    server.manage("api_token", "create", "--tenant=accuhive", f"--name=Ids {width}")
    page = signed_in(width=width, permissions=["clipboard-read", "clipboard-write"])
    check = Checker(page)
    copied = {}
    lists = {"devices": "", "blueprints": "", "users": "", "library": "", "access/tokens": "Ids"}
    for path, words in lists.items():
        page.goto(f"/{path}/?q={words}")
        page.locator("tbody :is(.row-name > a, .row-link)").first.click()
        expect(page.locator(".copy-id").first).to_be_visible()
        page.wait_for_load_state("networkidle")
        id = page.url.rstrip("/").rpartition("/")[2]
        for button in page.get_by_role("button", name=re.compile("^Cop(y|ied) ")).all():
            label = re.sub(r"^Cop(y|ied)\s*", "", button.inner_text()).strip()
            button.focus()
            page.keyboard.press("Enter")
            expect(page.locator(":focus")).to_have_text(f"Copied {label}")
            expect(page.locator("#announcer")).to_have_text("Copied")
            page.evaluate("document.getElementById('announcer').textContent = ''")
            copied[path, label] = page.evaluate("navigator.clipboard.readText()") == id
        check(path)
    assert {label for (path, label), own in copied.items() if own} == {
        "Device ID",
        "Blueprint ID",
        "User ID",
        "Library item ID",
        "Token ID",
    }
    assert {"Serial number", "Blueprint ID"} <= {label for path, label in copied if path == "devices"}
    assert not check.found, "\n".join(check.found)


@once
def test_back_shows_the_whole_page_of_the_search_before(signed_in: Visit) -> None:
    page = signed_in()
    page.goto(LIST)
    search(page, "mac")
    expect(page).to_have_url(re.compile(r"/devices/\?q=mac$"))
    first = page.locator(".devices tbody tr").first
    name = first.locator("a").inner_text()
    page.get_by_role("link", name="Next").press("Enter")
    expect(page).to_have_url(re.compile(r"/devices/\?q=mac&page=2$"))
    expect(page.locator("#main")).to_be_focused()
    expect(first.locator("a")).not_to_have_text(name)
    second = first.locator("a").inner_text()
    page.reload()
    expect(first.locator("a")).to_have_text(second)
    search(page, "nothing is called this")
    expect(page.get_by_role("heading", name="No device matches")).to_be_visible()

    for shown in (second, name):
        page.go_back()
        expect(first.locator("a")).to_have_text(shown)
        expect(page.get_by_role("searchbox")).to_have_value("mac")
        expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("^Devices"))
        expect(page.get_by_role("navigation", name="Main")).to_have_count(1)
    assert page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])").count("tbody") == 0
