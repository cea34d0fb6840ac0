"""What makes the pages about tokens pleasant: places that are kept, questions before a loss, and every way to look."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from urllib.request import Request, urlopen
from uuid import uuid4

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.servers import Server
from tests.browser.test_accessibility import Checker, Visit, both_widths, once

pytestmark = [pytest.mark.browser, once]
LIST = "/access/tokens/"

MANY = """
import uuid
from access.models import ApiToken, Tenant
tenant = Tenant.objects.get(subdomain="accuhive")
ApiToken.objects.bulk_create(
    ApiToken(tenant=tenant, name=f"{{name}} {{n:03}}", digest=uuid.uuid4().hex * 2, key_number=1, created_by_name="Me")
    for n in range({count})
)
"""

type Tokens = Callable[..., str]


@pytest.fixture
def tokens(server: Server) -> Tokens:
    """`tokens(3)`: so many new tokens, called by the returned word and a number from 000."""

    def make(count: int) -> str:
        name = f"Row{uuid4().hex[:6]}"
        server.manage("shell", "-c", f"name = {name!r}" + MANY.format(count=count))
        return name

    return make


def row_menu(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=f"Actions for {name}")


def confirm(page: Page, question: str, answer: str) -> None:
    """Press a button of the dialog. htmx focuses the heading a moment after the dialog has: a key before goes there."""
    expect(page.get_by_role("heading", name=question)).to_be_focused()
    expect(page.locator("#dialog .htmx-added")).to_have_count(0)
    page.get_by_role("button", name=answer, exact=True).press("Enter")


def test_a_row_by_the_keyboard_and_the_focus_afterwards(signed_in: Visit, tokens: Tokens) -> None:
    name, page = tokens(3), signed_in()
    page.goto(f"{LIST}?q={name}&sort=name")
    menu = page.locator(".menu:popover-open")
    row_menu(page, f"{name} 001").focus()
    page.keyboard.press("ArrowDown")
    expect(menu.get_by_text("View")).to_be_focused()
    for key, item in (("ArrowDown", "Rotate"), ("ArrowUp", "View"), ("ArrowUp", "Revoke"), ("ArrowDown", "View")):
        page.keyboard.press(key)
        expect(menu.get_by_text(item)).to_be_focused()
    page.keyboard.press("Escape")
    expect(row_menu(page, f"{name} 001")).to_be_focused()

    page.keyboard.press("ArrowUp")
    expect(menu.get_by_text("Revoke")).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    confirm(page, f"Disable “{name} 001”?", "Disable")
    expect(page.locator("#notices")).to_contain_text(f"“{name} 001” is disabled.")
    expect(page.locator("tbody").get_by_text("Disabled", exact=True)).to_be_visible()  # the rows come after the notice
    expect(row_menu(page, f"{name} 001")).to_be_focused()  # its row is still there

    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    confirm(page, f"Revoke “{name} 001”?", "Revoke")
    expect(page.get_by_role("link", name=f"{name} 001", exact=True)).to_have_count(0)
    expect(page.get_by_role("link", name=f"{name} 002", exact=True)).to_be_focused()  # the next row
    row_menu(page, f"{name} 002").press("ArrowUp")
    expect(menu.get_by_text("Revoke")).to_be_focused()
    page.keyboard.press("Enter")
    confirm(page, f"Revoke “{name} 002”?", "Revoke")
    expect(page.get_by_role("link", name=f"{name} 000", exact=True)).to_be_focused()  # it was the last one


def test_a_long_list_keeps_its_place(signed_in: Visit, tokens: Tokens) -> None:
    name, page = tokens(70), signed_in()
    page.goto(f"{LIST}?q={name}&sort=name&page=2")
    row = row_menu(page, f"{name} 065")
    row.scroll_into_view_if_needed()
    page.mouse.wheel(0, 4000)
    page.wait_for_timeout(200)
    before = page.evaluate("scrollY")
    assert before > 100
    row.click()
    page.locator(".menu:popover-open").get_by_text("Revoke").click()
    page.get_by_role("button", name="Revoke", exact=True).click()
    expect(row).to_have_count(0)
    expect(page.get_by_role("link", name=f"{name} 066", exact=True)).to_be_focused()
    expect(page.get_by_text("69 tokens found")).to_be_visible()
    expect(page.get_by_role("link", name=f"{name} 069", exact=True)).to_be_visible()
    assert abs(page.evaluate("scrollY") - before) < 120  # the row that is gone made the page shorter


# What a person can see between two heights of the window, by its words.
VISIBLE = """([from, to]) => [...document.querySelectorAll("main :is(a, button, input, h1, h2)")]
  .filter((each) => each.checkVisibility() && !each.closest("#notices, dialog, [popover]:not(.nav)"))
  .filter((each) => {
    const box = each.getBoundingClientRect();
    return box.width && box.top < to && box.bottom > from;
  })
  .map((each) => each.innerText || each.getAttribute("aria-label") || each.id)"""


@pytest.mark.parametrize(("width", "height"), [(1280, 900), (1280, 500), (390, 844)])
def test_a_notice_covers_nothing_that_was_in_sight(signed_in: Visit, tokens: Tokens, width: int, height: int) -> None:
    name, page = tokens(9), signed_in(width=width, height=height)
    page.goto(f"{LIST}?q={name}&sort=name")
    row_menu(page, f"{name} 004").click()
    page.locator(".menu:popover-open").get_by_text("Disable").click()
    expect(page.get_by_role("heading", name=f"Disable “{name} 004”?")).to_be_visible()
    seen = set(page.evaluate(VISIBLE, [0, height]))
    assert len(seen) > 10
    page.get_by_role("button", name="Disable").click()
    notice = page.locator("#notices .notice")
    expect(notice).to_be_in_viewport(ratio=1)
    expect(row_menu(page, f"{name} 004")).to_be_focused()
    expect(row_menu(page, f"{name} 004")).to_be_in_viewport(ratio=1)
    box = notice.bounding_box()
    assert box
    if box["width"] < 240:  # in the navigation
        below = page.evaluate(
            "box => document.elementFromPoint(box.x - 4, box.y + 4).closest('.nav a, .account') ", box
        )
        assert below is None
    else:
        covered = page.evaluate(VISIBLE, [box["y"], box["y"] + box["height"]])
        assert seen.isdisjoint(covered)


@pytest.mark.complaints("422 /access/tokens/new/")
def test_an_error_goes_away_and_typed_text_is_not_lost_unasked(signed_in: Visit) -> None:
    page = signed_in()
    page.goto(LIST)
    page.get_by_role("link", name="Add API Token").first.click()
    name = page.get_by_role("textbox", name="Name", exact=True)
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_text("Give the token a name.")).to_be_visible()
    expect(name).to_have_attribute("aria-invalid", "true")
    name.type("W")
    expect(page.get_by_text("Give the token a name.")).to_have_count(0)
    expect(name).not_to_have_attribute("aria-invalid", "true")
    expect(page.locator(".field.invalid")).to_have_count(0)
    described = (name.get_attribute("aria-describedby") or "").split()
    assert described
    assert all(page.locator(f"[id='{each}']").count() for each in described)

    question = page.get_by_role("alertdialog")
    page.keyboard.press("Escape")
    expect(question).to_contain_text("Close without saving what you entered?")
    expect(question.get_by_role("button", name="Keep editing")).to_be_focused()
    page.keyboard.press("Enter")
    expect(question).to_be_hidden()
    expect(name).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")  # again: back to the form, with the text
    expect(question).to_be_hidden()
    expect(name).to_have_value("W")
    page.keyboard.press("Escape")
    question.get_by_role("button", name="Discard").click()
    expect(page.locator("dialog")).to_be_hidden()

    page.get_by_role("link", name="Add API Token").first.click()
    expect(name).to_have_value("")
    page.keyboard.press("Escape")  # nothing was entered
    expect(page.locator("dialog")).to_be_hidden()


@pytest.mark.complaints("422 /access/tokens/new/")
def test_a_name_that_exists_is_asked_about(signed_in: Visit, tokens: Tokens) -> None:
    name, page = f"{tokens(1)} 000", signed_in()
    page.goto(LIST)
    page.get_by_role("link", name="Add API Token").first.click()
    page.get_by_role("textbox", name="Name", exact=True).fill(name)
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_text("Another token has this name.")).to_be_visible()
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", name="Copy your API token")).to_be_visible()


def test_sorting_selecting_and_csv(signed_in: Visit, tokens: Tokens, tmp_path: Path) -> None:
    name, page = tokens(4), signed_in()
    page.goto(f"{LIST}?q={name}")
    page.get_by_role("columnheader", name="Name").get_by_role("link").click()
    expect(page.get_by_role("columnheader", name="Name")).to_have_attribute("aria-sort", "ascending")
    links = page.locator(".row-name a")
    expect(links).to_have_text([f"{name} {n:03}" for n in range(4)])
    page.get_by_role("columnheader", name="Name").get_by_role("link").click()
    expect(links).to_have_text([f"{name} {n:03}" for n in reversed(range(4))])

    with page.expect_download() as download:
        page.get_by_role("link", name="Export CSV").click()
    lines = Path(download.value.path()).read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["Name", *(f"{name} {n:03}" for n in reversed(range(4)))]

    page.get_by_label(f"Select {name} 000").check()
    page.get_by_label(f"Select {name} 002").check()
    expect(page.get_by_text("2 selected")).to_be_visible()
    selection = page.get_by_role("group", name="Selection")
    selection.get_by_role("button", name="Disable").click()
    expect(page.get_by_role("heading", name="Disable 2 tokens?")).to_be_visible()
    page.get_by_role("dialog").get_by_role("button", name="Disable").click()
    expect(page.locator("#notices")).to_contain_text("2 tokens are disabled.")
    expect(page.locator("tbody .badge", has_text="Disabled")).to_have_count(2)

    page.get_by_label("Select this page").check()
    selection.get_by_role("button", name="Revoke").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(page.locator("#notices")).to_contain_text("4 tokens are revoked.")
    expect(page.get_by_role("heading", name="No token matches")).to_be_visible()


def test_selected_tokens_without_javascript(signed_in: Visit, tokens: Tokens) -> None:
    name, page = tokens(2), signed_in(java_script_enabled=False)
    page.goto(f"{LIST}?q={name}&sort=name")
    page.get_by_label(f"Select {name} 000").check()
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("heading", name="Revoke 1 token?")).to_be_visible()
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("1 token is revoked.")).to_be_visible()
    page.goto(f"{LIST}?q={name}")
    expect(page.locator(".row-name a")).to_have_text([f"{name} 001"])


def test_access_is_marked_and_titled_once(signed_in: Visit) -> None:
    page = signed_in()
    page.goto("/devices/")
    account = page.get_by_role("button", name="Ana Ruiz")
    expect(account).not_to_have_attribute("aria-current", "true")
    for path in (LIST, "/access/webhooks/"):
        page.goto(path)
        expect(account).to_have_attribute("aria-current", "true")
        expect(page.get_by_role("heading", level=1)).to_have_text("Access")
        expect(page.get_by_role("heading", name=re.compile("^(API tokens|Webhooks)$"))).to_have_count(0)
    account.press("ArrowDown")
    expect(page.get_by_role("link", name="Your account")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("link", name="Access", exact=True)).to_be_focused()
    expect(page.get_by_role("link", name="Access", exact=True)).to_have_attribute("aria-current", "page")


def test_times_are_in_the_zone_of_the_browser(signed_in: Visit, tokens: Tokens) -> None:
    name = tokens(1)
    titles = []
    for zone in ("Asia/Tokyo", "America/New_York"):
        page = signed_in(timezone_id=zone)
        page.goto(f"{LIST}?q={name}")
        titles.append(page.locator("tbody time").first.get_attribute("title") or "")
    assert titles[0].endswith(" JST")
    assert re.search(r" E[SD]T$", titles[1])
    assert titles[0].split(",")[2] != titles[1].split(",")[2]


def test_print_shows_the_list_alone(signed_in: Visit, tokens: Tokens) -> None:
    name, page = tokens(2), signed_in(color_scheme="dark")
    page.goto(f"{LIST}?q={name}")
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 720, "height": 1000})
    expect(page.get_by_role("link", name=f"{name} 001", exact=True)).to_be_visible()
    for hidden in (".nav", ".topbar", ".toolbar", ".selection-line", ".row-actions", ".notices"):
        expect(page.locator(hidden).first).to_be_hidden()
    table = page.locator("table").first
    assert table.evaluate("(table) => getComputedStyle(table).display") == "table"
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "light"
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    cells = page.locator("tbody tr").first.locator("td:visible")
    assert min(box["width"] for cell in cells.all() if (box := cell.bounding_box())) > 40


def test_at_200_percent_nothing_is_out_of_reach(signed_in: Visit, tokens: Tokens) -> None:
    """A window of 1280 by 900 shows at 200 % what one of 640 by 450 shows."""
    name, page = tokens(1), signed_in(width=640, height=450)
    check = Checker(page)
    page.goto(f"{LIST}?q={name}")
    check("list")
    page.get_by_role("button", name="Filter").click()
    page.get_by_label("Sort by").select_option("name")
    page.keyboard.press("Escape")
    expect(page.get_by_text("1 token found")).to_be_visible()
    page.get_by_role("link", name="Add API Token").click()
    create = page.get_by_role("button", name="Create")
    create.scroll_into_view_if_needed()
    expect(create).to_be_in_viewport()
    check("create")
    page.keyboard.press("Escape")
    page.get_by_role("link", name=f"{name} 000", exact=True).click()
    expect(page.get_by_role("heading", name=f"{name} 000")).to_be_visible()
    check("token")
    page.get_by_role("link", name="Configure").click()
    page.get_by_role("checkbox", name="All of Device Information").check()
    expect(page.get_by_role("button", name="Save", exact=True)).to_be_in_viewport()
    check("editor")
    assert not check.found, "\n".join(check.found)


@both_widths
def test_the_new_states_pass_axe(signed_in: Visit, tokens: Tokens, width: int) -> None:
    name, page = tokens(3), signed_in(width=width)
    check = Checker(page)
    page.goto(f"{LIST}?q={name}&sort=-name&select=all")
    check("all selected")
    page.get_by_role("group", name="Selection").get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("heading", name="Revoke 3 tokens?")).to_be_visible()
    check("revoke selected")
    page.keyboard.press("Escape")
    page.goto(f"{LIST}new/?name=Wall&permissions=list_devices,erase_device,no_such")
    expect(page.get_by_text("Ignored, because they do not exist here: no_such.")).to_be_visible()
    expect(page.get_by_label("Device list")).to_be_checked()
    expect(page.get_by_label("Erase Device (sensitive)")).not_to_be_checked()
    check("link of a guide")
    page.goto(LIST)
    page.get_by_role("link", name="Expiry rule").click()
    expect(page.get_by_role("heading", name="Expiry of tokens")).to_be_visible()
    check("expiry rule")
    page.get_by_label("Most days").fill("30")
    page.keyboard.press("Escape")
    expect(page.get_by_role("alertdialog")).to_be_visible()
    check("question before a loss")
    page.get_by_role("button", name="Discard").click()
    page.goto(f"{LIST}?state=revoked&q={name}")
    check("no revoked token")
    assert not check.found, "\n".join(check.found)


def test_a_phone_shows_the_whole_token(signed_in: Visit) -> None:
    page = signed_in(width=390, height=844)
    page.goto(LIST)
    page.get_by_role("link", name="Add API Token").first.click()
    page.get_by_role("textbox", name="Name", exact=True).fill("On the phone")
    page.get_by_role("button", name="Create").click()
    page.get_by_role("button", name="Show token").click()
    field = page.get_by_role("textbox", name="API token")
    expect(field).to_have_value(re.compile("^[0-9a-f-]{36}$"))
    hidden = field.evaluate(
        "(field) => [field.scrollWidth - field.clientWidth, field.scrollHeight - field.clientHeight]"
    )
    assert max(hidden) <= 1


def test_a_reported_leak_is_told_on_the_page(signed_in: Visit, server: Server) -> None:
    secret = server.manage("api_token", "create", "--tenant", "accuhive", "--name", "Leaky").strip()
    body = json.dumps({"token": secret}).encode()
    report = Request(f"http://127.0.0.1:{server.port}/api/v1/tokens/leaked", body, {"Content-Type": "application/json"})
    with urlopen(report, timeout=10) as answer:
        assert answer.status == 202
    page = signed_in()
    for _ in range(50):
        if server.call("/api/v1/token", secret).status == 401:
            break
        page.wait_for_timeout(200)
    assert server.call("/api/v1/token", secret).status == 401
    page.goto(f"{LIST}?q=Leaky")
    page.get_by_role("link", name="Leaky", exact=True).click()
    expect(page.get_by_text("Every call with it is refused until it is enabled")).to_be_visible()
    page.locator("main").get_by_role("link", name="Activity").click()
    expect(page.get_by_role("heading", name="Token reported as leaked and disabled")).to_be_visible()
    expect(page.get_by_text("Leak report")).to_be_visible()


# The menu is inside the window, and its last item can be clicked after the keyboard has reached it.
INSIDE = """menu => {
  const box = menu.getBoundingClientRect(), last = document.activeElement.getBoundingClientRect();
  const there = document.elementFromPoint((last.left + last.right) / 2, (last.top + last.bottom) / 2);
  return box.left >= 0 && box.top >= 0 && box.right <= innerWidth && box.bottom <= innerHeight
    && document.activeElement.contains(there);
}"""
small_windows = pytest.mark.parametrize(("width", "height"), [(1280, 600), (390, 700), (320, 568)])


@small_windows
def test_every_item_of_a_menu_is_in_reach(signed_in: Visit, tokens: Tokens, width: int, height: int) -> None:
    name, page = tokens(8), signed_in(width=width, height=height)
    menu = page.locator(".menu:popover-open")
    page.goto("/devices/?q=macbook")
    page.locator(".row-name a").first.click()
    page.get_by_role("button", name="Actions", exact=True).press("ArrowUp")
    expect(menu.get_by_text("Delete record")).to_be_focused()
    assert menu.evaluate(INSIDE)
    menu.get_by_text("Erase", exact=True).click()
    expect(page.get_by_role("heading", name=re.compile("^Erase:"))).to_be_visible()

    page.goto(f"{LIST}?q={name}&sort=name")
    for number in (0, 4, 7):
        row_menu(page, f"{name} {number:03}").press("ArrowUp")
        expect(menu.get_by_text("Revoke")).to_be_focused()
        assert menu.evaluate(INSIDE), number
        page.keyboard.press("Escape")


@small_windows
def test_tabs_are_one_line_with_the_current_one_in_sight(signed_in: Visit, width: int, height: int) -> None:
    page = signed_in(width=width, height=height)
    page.goto("/devices/?q=macbook")
    page.locator(".row-name a").first.click()
    page.wait_for_load_state("networkidle")
    device = page.url
    tabs = page.locator(".tabs")
    for path in ("", "security/", "secrets/"):
        page.goto(device + path)
        current = tabs.locator("[aria-current]")
        expect(current).to_be_in_viewport(ratio=1)
        assert tabs.evaluate("tabs => tabs.offsetHeight") < 48
    tabs.get_by_role("link").first.focus()
    for _ in range(6):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.closest('.tabs') !== null")
        expect(page.locator(":focus")).to_be_in_viewport(ratio=1)
    overflows = tabs.evaluate("tabs => tabs.scrollWidth > tabs.clientWidth")
    assert overflows == (width < 600)
