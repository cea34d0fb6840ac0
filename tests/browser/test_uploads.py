"""Uploads of apps: with progress, refused, interrupted, cancelled, and without JavaScript."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Route, expect

from devices.demo.app_uploads import icon_file, ipa_file, package_file

pytestmark = pytest.mark.browser

Visit = Callable[..., Page]
STORAGE = re.compile(r"^http://accuhive\.api\.localhost:\d+/files/$")


def package(directory: Path, size: int = 2_000_000) -> Path:
    (path := directory / "Tools.pkg").write_bytes(package_file() + os.urandom(size))
    return path


def open_dialog(page: Page, kind: str, name: str) -> None:
    page.goto("/library/")
    page.get_by_role("button", name="New Item").click()
    page.get_by_role("link", name=kind).click()
    page.get_by_role("textbox", name="Name", exact=True).fill(name)


def choose(page: Page, file: Path) -> None:
    page.get_by_label("File", exact=True).set_input_files(file)


def slow_down(page: Page, bytes_a_second: int) -> None:
    network: dict[str, Any] = {"offline": False, "latency": 0, "downloadThroughput": -1}
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Network.emulateNetworkConditions", {**network, "uploadThroughput": bytes_a_second})


@pytest.mark.complaints("422 /library/apps/custom/new/")
def test_a_package_goes_up_with_its_progress_and_becomes_an_app(signed_in: Visit, tmp_path: Path) -> None:
    page = signed_in()
    open_dialog(page, "Custom App", "Tools of the browser")
    page.get_by_label("Audit script").fill("exit 1")
    choose(page, package(tmp_path))
    page.evaluate(
        """() => {
            window.seen = [];
            const text = document.querySelector("[data-upload-text]");
            new MutationObserver(() => window.seen.push(text.textContent)).observe(text, {childList: true});
        }"""
    )
    with page.expect_request(
        lambda request: request.method == "POST" and STORAGE.match(request.url) is not None
    ) as sent:
        page.get_by_role("button", name="Create").click()
    assert "authorization" not in sent.value.headers
    assert "cookie" not in sent.value.headers
    # The file is uploaded, and a field is wrong: the typed values are still there, and the file is not sent again.
    error = page.locator(".field .field-error")
    expect(error).to_have_text("Only “Audit and enforce” runs an audit script.")
    assert any(re.fullmatch(r"\d+ % · .+ of 1\.9 MB", words) for words in page.evaluate("window.seen"))
    expect(page.get_by_text("“Tools.pkg” is uploaded.")).to_be_visible()
    page.get_by_label("Installation").select_option("Audit and enforce")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", name="Tools of the browser")).to_be_visible()
    expect(page.get_by_text("Tools.pkg")).to_be_visible()
    expect(page.get_by_text("1.9\N{NO-BREAK SPACE}MB")).to_be_visible()
    # The file is replaced, and the unchanged fields stay as they are.
    page.get_by_role("link", name="Edit", exact=True).click()
    (other := tmp_path / "Tools 2.pkg").write_bytes(package_file() + os.urandom(100))
    page.get_by_label("Another file").set_input_files(other)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Tools 2.pkg")).to_be_visible()
    expect(page.locator("code", has_text="exit 1")).to_be_visible()


@pytest.mark.complaints("422 /library/apps/in-house/new/")
def test_an_ipa_that_is_none_is_refused_at_its_field(signed_in: Visit, tmp_path: Path) -> None:
    page = signed_in()
    (broken := tmp_path / "Broken.ipa").write_bytes(ipa_file()[:-30])
    (whole := tmp_path / "Expenses.ipa").write_bytes(ipa_file())
    open_dialog(page, "In-House App", "Expenses of the browser")
    choose(page, broken)
    page.get_by_role("button", name="Create").click()
    expect(page.locator(".field .field-error")).to_have_text(
        "The file is not an IPA: it is not a ZIP archive, or it is damaged."
    )
    expect(page.get_by_role("textbox", name="Name", exact=True)).to_have_value("Expenses of the browser")
    choose(page, whole)
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", name="Expenses of the browser")).to_be_visible()
    icon = page.get_by_role("img", name="Icon of the app")
    expect(icon).to_be_visible()
    assert icon.evaluate("image => image.naturalWidth") == int.from_bytes(icon_file(120)[16:20])


@pytest.mark.sqlite_only
@pytest.mark.complaints("net::ERR_FAILED /files/", "400 /files/", "503 /files/", "422 /library/apps/custom/upload/")
def test_what_goes_wrong_on_the_way_is_said_at_the_field(signed_in: Visit, tmp_path: Path) -> None:
    page = signed_in()
    open_dialog(page, "Custom App", "Never there")
    error = page.locator(".field .field-error")

    def answer(status: int, code: str) -> Callable[[Route], None]:
        headers = {"Access-Control-Allow-Origin": "*", "Content-Type": "application/xml"}
        body = f"<Error><Code>{code}</Code></Error>"
        return lambda route: route.fulfill(status=status, headers=headers, body=body)

    for handler, words in (
        (lambda route: route.abort(), "The storage cannot be reached, or the connection broke off. Try again."),
        (answer(400, "EntityTooLarge"), "This file is too large: at most 5.0\N{NO-BREAK SPACE}GB are allowed."),
        (answer(503, "SlowDown"), "The storage is busy. Try again in a moment."),
    ):
        page.route(STORAGE, handler)
        choose(page, package(tmp_path, 1000))
        page.get_by_role("button", name="Create").click()
        expect(error).to_have_text(words)
        expect(page.get_by_label("File", exact=True)).to_be_focused()
        expect(page.get_by_role("textbox", name="Name", exact=True)).to_have_value("Never there")
        page.unroute(STORAGE)
    (empty := tmp_path / "Empty.pkg").write_bytes(b"")
    (wrong := tmp_path / "Tools.exe").write_bytes(b"MZ")
    for file, words in ((empty, "This file is empty."), (wrong, "Choose a .pkg, .dmg or .zip file.")):
        choose(page, file)
        page.get_by_role("button", name="Create").click()
        expect(error).to_have_text(words)
    page.goto("/library/?q=Never+there")
    expect(page.get_by_text("No item matches")).to_be_visible()


@pytest.mark.sqlite_only
def test_an_upload_is_cancelled_and_not_lost_by_escape(signed_in: Visit, tmp_path: Path) -> None:
    page = signed_in()
    open_dialog(page, "Custom App", "Cancelled")
    choose(page, package(tmp_path))
    slow_down(page, 200_000)
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("progressbar", name="Progress of the upload")).to_be_visible()
    expect(page.locator("[data-upload-text]")).to_contain_text("%")
    assert not Axe().run(page).response["violations"]
    page.keyboard.press("Escape")
    expect(page.get_by_text("Cancel the upload before you close this.")).to_be_visible()
    page.get_by_role("button", name="Cancel upload").click()
    expect(page.locator(".field .field-error")).to_have_text("The upload was cancelled.")
    expect(page.get_by_role("textbox", name="Name", exact=True)).to_have_value("Cancelled")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Discard").click()  # what was entered is still there
    expect(page.locator("dialog")).to_be_hidden()


def test_without_javascript_the_form_takes_the_file_along(signed_in: Visit, tmp_path: Path) -> None:
    page = signed_in(java_script_enabled=False)
    page.goto("/library/apps/custom/new/")
    page.get_by_label("Name").fill("Tools without JavaScript")
    page.get_by_label("Installation").select_option("Install once")
    choose(page, package(tmp_path))
    page.get_by_role("button", name="Create").click()
    heading = page.get_by_role("heading", name="Tools without JavaScript")
    for _ in range(60):  # until a worker has checked it
        if heading.is_visible():
            break
        expect(page.get_by_text("is uploaded, and is being checked")).to_be_visible()
        page.wait_for_timeout(500)
        page.get_by_role("button", name="Continue").click()
    expect(heading).to_be_visible()
    expect(page.get_by_text("1.9\N{NO-BREAK SPACE}MB")).to_be_visible()
