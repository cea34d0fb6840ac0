"""Names as long as they may be, in one word or in many, stay inside their window and their dialog."""

import json
from collections.abc import Callable
from uuid import UUID

import pytest
from playwright.sync_api import Page, expect

from tests.browser.servers import Server
from tests.browser.test_accessibility import once

pytestmark = pytest.mark.browser

ID = UUID(int=9)
WORD, WORDS = "Featherstonehaugh" * 15, "Featherstonehaugh of " * 12


@pytest.fixture(scope="session")
def long_names(server: Server) -> None:
    """A device that is called by one word of 255 letters, and so is all around it; another by many words."""
    records = [
        {
            "device_id": str(UUID(int=9 + number)),
            "device_name": name,
            "model": "MacBook Pro (14-inch, Nov 2023)",
            "serial_number": f"LONG{number}",
            "platform": "Mac",
            "os_version": "15.1",
            "blueprint_id": str(UUID(int=11 + number)),
            "blueprint_name": name,
            "first_enrollment": "2026-01-01 10:00:00+00:00",
            "last_enrollment": "2026-01-01 10:00:00+00:00",
            "user": {
                "email": f"{WORD[:200]}{number}@accuhive.example",
                "name": name,
                "id": str(UUID(int=13 + number)),
                "is_archived": False,
            },
            "tags": [f"Long {name[:60]} {each}" for each in range(20)],
        }
        for number, name in enumerate((WORD, WORDS.strip()))
    ]
    (file := server.directory / "long.json").write_text(json.dumps(records))
    server.manage("import_devices", "--tenant", "accuhive", str(file))
    file.unlink()


def too_wide(page: Page) -> int:
    """By how many pixels the page, its dialog or a cell of its table is wider than what it stands in."""
    widths = """[document.documentElement, ...document.querySelectorAll("dialog[open], .table td")]
        .map((element) => element.scrollWidth - element.clientWidth)"""
    return int(max(page.evaluate(widths)))


@once
@pytest.mark.parametrize("width", [390, 768, 1024, 1280])
def test_long_names_stay_inside(signed_in: Callable[..., Page], long_names: None, width: int) -> None:
    page = signed_in(width=width)
    device, blueprint, user = f"/devices/{ID}/", f"/blueprints/{UUID(int=11)}/", f"/users/{UUID(int=13)}/"
    paths = ["/devices/?q=Featherstonehaugh", "/blueprints/?q=Feather", "/users/?q=Feather", device, blueprint, user]
    found = {}
    for path in paths:
        page.goto(path)
        found[path] = too_wide(page)
    for path, opener in ((device, "Edit"), (blueprint, "Delete"), (user, "Delete")):
        page.goto(path)
        page.get_by_role("link", name=opener, exact=True).click()
        expect(page.locator("dialog h1")).to_be_visible()
        expect(page.locator("#dialog-content .dialog-actions .button").last).to_be_in_viewport(ratio=1)
        found[f"{path}, {opener}"] = too_wide(page)
    assert not any(found.values()), found


@once
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_of_a_library_item_stays_inside(signed_in: Callable[..., Page], long_names: None, width: int) -> None:
    page = signed_in(width=width)
    name = f"{width}{WORD}"[:255]
    page.goto("/library/scripts/new/")
    page.get_by_role("textbox", name="Name", exact=True).fill(name)
    page.get_by_label("Audit script").fill(f"echo {WORD}")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    item = page.url
    page.goto(f"/blueprints/{UUID(int=11)}/library/assign/")
    page.get_by_label("Library item", exact=True).select_option(name)
    page.get_by_role("button", name="Assign").click()
    expect(page.get_by_text("The library item is assigned.")).to_be_visible()
    found = {}
    for path in ("", "devices/", "activity/", "edit/", "delete/"):
        page.goto(item + path)
        found[path] = too_wide(page)
    page.goto("/library/?q=Feather")
    found["list"] = too_wide(page)
    assert not any(found.values()), found


@once
def test_a_name_breaks_between_words_only(signed_in: Callable[..., Page], long_names: None) -> None:
    page = signed_in(width=1280)
    page.goto("/devices/?q=LONG1")
    words = page.locator(".devices tbody td[data-label=User] span").evaluate(
        """(element) => {
            // A word that is wider than the column may be broken. At this size none is, with the fonts of any machine.
            element.style.fontSize = "9px";
            const range = document.createRange(), lines = [];
            const text = element.firstChild;
            for (const word of text.data.matchAll(/\\S+/g)) {
                range.setStart(text, word.index);
                range.setEnd(text, word.index + word[0].length);
                lines.push(range.getClientRects().length);
            }
            return lines;
        }"""
    )
    assert set(words) == {1}
