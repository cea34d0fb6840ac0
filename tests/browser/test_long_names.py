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
RIGHT_TO_LEFT, EMOJI = "مستخدمطويل" * 25, "👩🏽‍💻🚀" * 50
NAMES = (WORD, WORDS.strip(), RIGHT_TO_LEFT, EMOJI[:255])
# The names that take more than two lines, by the elements around them. The lists of facts hold whole names, for which
# there is no other place, and a label asks for the whole name.
TALL = """() => {
  const tall = [];
  const texts = document.createTreeWalker(document.querySelector("dialog[open], main"), NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!/Featherstonehaugh|مستخدم|👩/.test(texts.currentNode.data) || !element.checkVisibility()) continue;
    if (element.closest(".sr-only, .facts, .fact-rows, .whole-name p, .page-head-description")) continue;
    if (element.closest("label, option, textarea")) continue;
    let height = element.getBoundingClientRect().height;
    for (let each = element; each.tagName !== "MAIN" && each.tagName !== "DIALOG"; each = each.parentElement) {
      const box = each.getBoundingClientRect();
      if (getComputedStyle(each).overflowY !== "visible") height = Math.min(height, box.height);
    }
    const lines = Math.round(height / parseFloat(getComputedStyle(element).lineHeight));
    const titled = element.closest("[title]") || element.closest(".page-head-facts");
    if (lines > 2 || (!titled && element.scrollHeight > element.clientHeight + 2)) {
      tall.push(`${lines} lines: ${element.parentElement.className} > ${element.tagName} ${element.className}`);
    }
  }
  return tall;
}"""


@pytest.fixture(scope="session")
def long_names(server: Server) -> None:
    """A device that is called by one word of 255 letters, and so is all around it; others by the other names."""
    records = [
        {
            "device_id": str(UUID(int=9 + 100 * number)),
            "device_name": name,
            "model": "MacBook Pro (14-inch, Nov 2023)",
            "serial_number": f"LONG{number}",
            "platform": "Mac",
            "os_version": "15.1",
            "blueprint_id": str(UUID(int=11 + 100 * number)),
            "blueprint_name": name,
            "first_enrollment": "2026-01-01 10:00:00+00:00",
            "last_enrollment": "2026-01-01 10:00:00+00:00",
            "user": {
                "email": f"{WORD[:200]}{number}@accuhive.example",
                "name": name,
                "id": str(UUID(int=13 + 100 * number)),
                "is_archived": False,
            },
            "tags": [f"Long {name[:60]} {each}" for each in range(20)],
        }
        for number, name in enumerate(NAMES)
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
@pytest.mark.parametrize("width", [320, 390, 768, 1024, 1280])
def test_long_names_stay_inside(signed_in: Callable[..., Page], long_names: None, width: int) -> None:
    page = signed_in(width=width)
    device, blueprint, user = f"/devices/{ID}/", f"/blueprints/{UUID(int=11)}/", f"/users/{UUID(int=13)}/"
    paths = [
        "/devices/?q=LONG",
        "/jump/?q=Featherstonehaugh",
        "/blueprints/?q=Feather",
        "/users/?q=Feather",
        device,
        blueprint,
        user,
    ]
    found = {}
    for path in paths:
        page.goto(path)
        found[path] = too_wide(page) or page.evaluate(TALL)
    for path, opener in ((device, "Edit"), (blueprint, "Delete"), (user, "Delete")):
        page.goto(path)
        page.get_by_role("link", name=opener, exact=True).click()
        expect(page.locator("dialog h1")).to_be_visible()
        expect(page.locator("#dialog-content .dialog-actions .button").last).to_be_in_viewport(ratio=1)
        found[f"{path}, {opener}"] = too_wide(page) or page.evaluate(TALL)
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


@once
@pytest.mark.parametrize("number", range(len(NAMES)))
def test_the_whole_name_is_at_hand(signed_in: Callable[..., Page], long_names: None, number: int) -> None:
    name, page = NAMES[number], signed_in(width=1280)
    page.goto(f"/devices/?q=LONG{number}")
    link = page.locator("tbody .row-name a")
    expect(link).to_have_attribute("title", name)
    expect(page.locator("tbody [data-label=Blueprint] span")).to_have_attribute("title", name)
    link.click()
    expect(page.get_by_role("heading", level=1)).to_have_attribute("title", name)
    page.get_by_text("Whole name").click()
    expect(page.locator(".whole-name p")).to_have_text(name)
    page.get_by_role("link", name="Edit", exact=True).click()
    expect(page.locator("dialog h1")).to_have_attribute("title", f"Edit {name}")


@once
def test_the_lists_of_django_admin_stay_low(visit: Callable[..., Page], server: Server, long_names: None) -> None:
    operator = "import os; from access.models import Administrator as A; a = A(email='op@long.example', is_staff=True)"
    server.manage("shell", "-c", f"{operator}; a.set_password('look-at-lists-4711'); a.is_superuser = True; a.save()")
    page = visit()
    page.goto("/sign-in/")
    page.get_by_label("E-mail").fill("op@long.example")
    page.get_by_label("Password").fill("look-at-lists-4711")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_load_state("networkidle")
    page.goto("/admin/devices/device/?q=LONG")
    rows = page.locator("#result_list tbody tr")
    expect(rows).to_have_count(len(NAMES))
    assert max(row.bounding_box()["height"] for row in rows.all()) < 60  # type: ignore[index]
    expect(rows.last.locator(".row-name span")).to_have_attribute("title", WORD)
