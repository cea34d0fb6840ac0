"""Team members in the browser: from an invitation to a deletion, and what becomes of sessions and tokens."""

from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.keyboard import tab_to, tab_to_label
from tests.browser.servers import Server
from tests.browser.test_accessibility import Checker, Visit, both_widths, once

pytestmark = pytest.mark.browser
PASSWORD = "seven quite unrelated words"


def invite(page: Page, first: str, email: str, level: str = "Standard") -> None:
    page.goto("/access/people/")
    page.get_by_role("link", name="New user").click()
    page.get_by_label("First name").fill(first)
    page.get_by_label("Last name").fill("Haddad")
    page.get_by_label("E-mail", exact=True).fill(email)
    page.get_by_label(f"{level}:").check()
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_text(f"An invitation is on its way to {email}.")).to_be_visible()


def join(page: Page, server: Server, email: str) -> None:
    """Come by another invitation, as a visitor, and sign in."""
    come_in(page, urlsplit(server.manage("invite", email, "--print-link").strip()).path, email)


def come_in(page: Page, path: str, email: str) -> None:
    """Choose a password on the page of an invitation, and sign in."""
    page.goto(path)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password, once more").fill(PASSWORD)
    page.get_by_role("button", name="Save password").click()
    page.get_by_role("link", name="Sign in").click()
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()


def choose(page: Page, name: str, action: str) -> None:
    page.goto(f"/access/people/?q={name}")
    page.get_by_role("button", name=f"Actions for {name} Haddad").click()
    page.get_by_role("link", name=action).click()
    expect(page.locator("#dialog-title")).to_be_visible()


def test_from_an_invitation_to_a_deletion(signed_in: Visit, visit: Visit, server: Server) -> None:
    owner, person, email = signed_in(), visit(), "noor@accuhive.example"
    invite(owner, "Noor", email, "Admin")
    expect(owner.get_by_role("row", name="Noor").get_by_text("The invitation ends")).to_be_visible()
    join(person, server, email)
    person.goto("/access/tokens/")
    person.get_by_role("link", name="Add API Token").first.click()
    person.get_by_label("Name", exact=True).fill("Of a leaver")
    person.get_by_role("button", name="Create").click()
    person.get_by_role("button", name="Show token").click()
    token = person.get_by_label("API token", exact=True).input_value()
    assert server.call("/api/v1/devices", token).status == 403  # it works, and has no permissions yet

    choose(owner, "Noor", "Suspend user")
    owner.get_by_role("button", name="Suspend", exact=True).click()
    expect(owner.get_by_text("is suspended and signed out")).to_be_visible()
    expect(owner.get_by_role("row", name="Noor").get_by_role("cell", name="Suspended")).to_be_visible()
    person.goto("/devices/")
    expect(person.get_by_role("heading", name="Sign in")).to_be_visible()

    choose(owner, "Noor", "Delete user")
    dialog = owner.get_by_role("dialog")
    expect(dialog.get_by_role("heading", name="1 API token of this person stays active")).to_be_visible()
    dialog.get_by_role("link", name="Assign a responsible person").click()
    dialog.get_by_role("combobox").select_option(label="Ana Ruiz")
    dialog.get_by_role("button", name="Save").click()
    expect(owner.get_by_text("Ana Ruiz is responsible for")).to_be_visible()
    choose(owner, "Noor", "Delete user")
    expect(dialog.get_by_text("responsible: Ana Ruiz")).to_be_visible()
    dialog.get_by_role("button", name="Delete user").click()
    expect(owner.get_by_text("Noor Haddad is deleted.")).to_be_visible()
    expect(owner.get_by_text("No user matches")).to_be_visible()
    assert server.call("/api/v1/devices", token).status == 403
    owner.goto("/access/tokens/?q=leaver")
    expect(owner.get_by_role("cell", name="Noor Haddad")).to_contain_text("removed")
    expect(owner.get_by_role("cell", name="Noor Haddad")).to_contain_text("Responsible: Ana Ruiz")


def test_a_level_with_the_keyboard_alone(signed_in: Visit) -> None:
    page = signed_in()
    invite(page, "Keya", "keya@accuhive.example")
    page.goto("/access/people/?q=keya")
    page.wait_for_load_state("networkidle")
    tab_to_label(page, "Actions for Keya Haddad")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("link", name="Edit user")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_label("First name")).to_be_focused()
    tab_to_label(page, "Standard:")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("cell", name="Standard")).to_be_visible()  # the choice alone changes nothing
    tab_to(page, "dialog button[type=submit]")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Keya Haddad is saved.")).to_be_visible()
    expect(page.get_by_role("cell", name="Help Desk")).to_be_visible()


def test_without_javascript(signed_in: Visit, visit: Visit, server: Server) -> None:
    page, email = signed_in(java_script_enabled=False), "plain@accuhive.example"
    invite(page, "Plain", email)
    join(visit(java_script_enabled=False), server, email)
    for action, button, words in (
        ("Suspend user", "Suspend", "is suspended and signed out"),
        ("Unsuspend user", "Unsuspend", "can sign in again"),
        ("Suspend user", "Suspend", "is suspended and signed out"),
        ("Delete user", "Delete user", "is deleted"),
    ):
        choose(page, "Plain", action)
        page.get_by_role("button", name=button, exact=True).click()
        expect(page.get_by_text(words)).to_be_visible()


@once
@both_widths
@pytest.mark.complaints("422 /access/people/new/", "410 /invitation/nonsense/")
def test_every_state_passes_axe(signed_in: Visit, server: Server, width: int) -> None:
    page, name = signed_in(width=width), f"Axe{width}"
    check = Checker(page)
    page.goto("/access/people/")
    page.get_by_role("link", name="New user").click()
    expect(page.get_by_label("First name")).to_be_focused()
    check("new user")
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_text("Enter the first name.")).to_be_visible()
    check("new user, refused")
    invite(page, name, f"{name}@accuhive.example", "Admin")
    check("list")
    page.get_by_role("button", name="Filter").click()
    check("filters")
    page.goto("/access/people/?q=nothing+of+the+kind")
    check("no match")
    for action in ("Edit user", "Resend invite", "Suspend user"):
        choose(page, name, action)
        check(action)
    page.get_by_role("button", name="Suspend", exact=True).click()
    expect(page.get_by_text("is suspended and signed out")).to_be_visible()
    for action in ("Unsuspend user", "Delete user"):
        choose(page, name, action)
        check(action)
    page.goto("/invitation/nonsense/")
    check("an invitation that has ended")
    assert not check.found, "\n".join(check.found)
