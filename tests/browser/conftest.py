import json
import re
import time
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest
from django.db import connection
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright
from pytest_django import DjangoDbBlocker

from tests import chromium
from tests.browser import servers
from tests.browser.servers import Server
from tests.receivers import make_certificate

FAILED = re.compile(r"Failed to load resource: (?:the server responded with a status of (\d+)|(net::\w+))")
# Without these Chromium calls its maker, which a closed network answers with noise.
PATIENCE = 15_000  # milliseconds; both databases' browsers share the machine
FRESH = 360  # seconds; after ten minutes pages ask for the password again
QUIET = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync")


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The certificate of `localhost` that the server trusts."""
    return make_certificate(tmp_path_factory.mktemp("certificate") / "server.pem", "localhost")


@pytest.fixture(scope="session")
def server(
    tmp_path_factory: pytest.TempPathFactory,
    certificate: Path,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Server]:
    """A quick start on the database of this test run: SQLite in its own file, or a database beside the tests' own."""
    settings = {"SSL_CERT_FILE": str(certificate), "IRU_WEBHOOK_NETWORKS": "127.0.0.1,::1"}
    if connection.vendor == "postgresql":
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            cursor.execute("CREATE DATABASE quickstart")
        settings["DATABASE_URL"] = f"postgres:///quickstart?user=postgres&host={connection.settings_dict['HOST']}"
    directory: Path = tmp_path_factory.mktemp("clone")
    with servers.quickstart(directory, **settings) as started:
        yield started


expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=chromium.find(), args=QUIET)


@pytest.fixture
def visit(browser: Browser, server: Server, request: pytest.FixtureRequest) -> Iterator[Callable[..., Page]]:
    """`visit(width=390, color_scheme="dark", java_script_enabled=False)`: a page of a fresh visitor, not signed in.

    Each complaint of the browser fails the test: an error in a script, a breach of the content security policy, a
    request without an answer, and every status from 400 on. A test names those that it causes, with wildcards:
    `@pytest.mark.complaints("422 /devices/*/edit/")`. It fails as well without a complaint that it names.
    """
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def visit(*, width: int = 1280, height: int = 900, **options: Any) -> Page:
        context = browser.new_context(
            base_url=server.url, viewport={"width": width, "height": height}, reduced_motion="reduce", **options
        )
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        return watched(context.new_page(), complaints)

    yield visit
    for context in contexts:
        context.close()
    assert unexplained(request, complaints) == ([], [])


def watched(page: Page, complaints: list[str]) -> Page:
    """The page, whose complaints are added to the list."""
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.extend(_complaint(message)))
    return page


def unexplained(request: pytest.FixtureRequest, complaints: list[str]) -> tuple[list[str], list[str]]:
    """The complaints that the test does not name, and those that it names and that did not come."""
    named = [pattern for marker in request.node.iter_markers("complaints") for pattern in marker.args]
    unexpected = [each for each in complaints if not any(fnmatchcase(each, pattern) for pattern in named)]
    missing = [pattern for pattern in named if not any(fnmatchcase(each, pattern) for each in complaints)]
    return unexpected, missing


def _complaint(message: ConsoleMessage) -> Iterator[str]:
    """`422 /devices/new/` for a request that was not answered with success; the words of every other error."""
    if message.type == "error":
        failed = FAILED.match(message.text)
        yield f"{failed[1] or failed[2]} {urlsplit(message.location['url']).path}" if failed else message.text


@pytest.fixture(scope="session")
def session() -> dict[str, Any]:
    """The state of a browser that has signed in, and the time of it."""
    return {"state": None, "at": 0.0}


@pytest.fixture
def signed_in(visit: Callable[..., Page], session: dict[str, Any]) -> Callable[..., Page]:
    """Like `visit`, as the tenant's Account Owner, who signed in less than six minutes ago.

    Tests share a session as windows of one browser do. No test ends it: those that lose a session lose its cookies.
    """

    def signed_in(**options: Any) -> Page:
        if time.monotonic() - session["at"] < FRESH:
            page = visit(storage_state=session["state"], **options)
            page.goto("/")
            return page
        page = visit(**options)
        page.goto("/")
        page.get_by_label("E-mail").fill(servers.OWNER)
        page.get_by_label("Password").fill(servers.PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        expect(page).not_to_have_url(re.compile("/sign-in/"))
        session.update(state=page.context.storage_state(), at=time.monotonic())
        return page

    return signed_in


@pytest.fixture(scope="session")
def macs(server: Server) -> list[str]:
    """Names of unused Macs in addition to the demo fleet. Each test takes its own."""
    # A number is found in any text of a record. These stand in the name and the serial number of one Mac alone.
    numbers = range(41, 61)
    names = [f"Tester's Mac {number}" for number in numbers]
    records = [
        {
            "device_id": str(uuid4()),
            "device_name": name,
            "model": "MacBook Air (M2, 2022)",
            "serial_number": f"TEST{number:06}",
            "platform": "Mac",
            "os_version": "15.1",
            "blueprint_id": str(UUID(int=7)),
            "blueprint_name": "Tested Macs",
            "first_enrollment": "2026-01-01 10:00:00+00:00",
            "last_enrollment": "2026-01-01 10:00:00+00:00",
            "user": {
                "email": "tester@accuhive.example",
                "name": "Tester",
                "id": str(UUID(int=8)),
                "is_archived": False,
            },
            "tags": ["Tested"],
        }
        for number, name in zip(numbers, names, strict=True)
    ]
    (file := server.directory / "macs.json").write_text(json.dumps(records))
    server.manage("import_devices", "--tenant", "accuhive", str(file))
    file.unlink()
    return names


@pytest.fixture
def mac(macs: list[str]) -> str:
    return macs.pop()
