"""The assignment map in a real browser: by the keyboard alone, without JavaScript, and looked at by axe."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.keyboard import press
from tests.browser.servers import Server
from tests.browser.test_accessibility import Checker, both_widths, once

pytestmark = pytest.mark.browser

CREATE = """
from access.audit.events import Actor
from access.models import Tenant
from devices.blueprints.blueprints import create_blueprint
tenant = Tenant.objects.get(subdomain="accuhive")
create_blueprint(tenant=tenant, actor=Actor.command("tests"), name="{name}", type="map")
"""

Visit = Callable[..., Page]


def open_map(page: Page, server: Server, name: str) -> None:
    server.manage("shell", "-c", CREATE.format(name=name))
    page.goto(f"/blueprints/?q={name}")
    page.get_by_role("link", name=name, exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)


def add_branch(page: Page, name: str) -> None:
    page.get_by_role("link", name="Add branch").click()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Add branch").click()
    expect(page.get_by_role("heading", level=3, name=name)).to_be_visible()


@once
@both_widths
@pytest.mark.complaints("422 /blueprints/*/branches/*/conditions/os_version/add/")
def test_axe_finds_nothing(signed_in: Visit, server: Server, width: int) -> None:
    page = signed_in(width=width)
    check = Checker(page)
    open_map(page, server, f"Looked-at-{width}")
    check("no branch")
    add_branch(page, "Laptops of the field staff, with a name that does not fit into one line of a phone")
    page.get_by_role("button", name="Add condition to Laptops").click()
    expect(page.get_by_role("link", name="OS version")).to_be_visible()
    check("menu of attributes")
    page.get_by_role("link", name="OS version").click()
    page.get_by_label("Version", exact=True).fill("fifteen")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator("dialog .field-error")).to_be_visible()
    check("refused condition")
    page.get_by_label("Version", exact=True).fill("15.2")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_text("OS version is at least 15.2")).to_be_visible()
    check("condition")
    page.get_by_role("link", name="Remove: OS version is at least 15.2").click()
    expect(page.locator("dialog form")).to_be_visible()
    check("remove the last condition")
    assert not check.found, "\n".join(check.found)


@once
def test_by_the_keyboard(signed_in: Visit, server: Server) -> None:
    page = signed_in()
    open_map(page, server, "By-keyboard")
    add_branch(page, "Macs")
    button = page.get_by_role("button", name="Add condition to Macs")
    button.focus()
    page.keyboard.press("Enter")
    link = page.get_by_role("link", name="Assigned user", exact=True)
    expect(link).to_be_visible()
    for _ in range(12):
        if link.evaluate("element => element === document.activeElement"):
            break
        page.keyboard.press("ArrowDown")
    expect(link).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Somebody is assigned")).to_be_visible()
    page.wait_for_load_state("networkidle")
    expect(page.get_by_label("Somebody is assigned")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_label("Nobody is assigned")).to_be_checked()
    press(page, "dialog button[type=submit]")
    expect(page.get_by_text("Assigned user is absent")).to_be_visible()


@once
def test_without_javascript(signed_in: Visit, server: Server) -> None:
    page = signed_in(java_script_enabled=False)
    open_map(page, server, "Without-scripts")
    for name in ("Macs", "Phones"):
        add_branch(page, name)
    page.get_by_role("button", name="Move Phones up").click()
    expect(page.get_by_role("heading", level=3)).to_have_text(["Every device", "Phones", "Macs"])
    page.get_by_role("button", name="Add condition to Macs").click()
    page.get_by_role("link", name="Device family").click()
    page.get_by_label("Is none of these").check()
    page.get_by_label("iPhone").check()
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_role("link", name="Edit: Device family is not iPhone").click()
    page.get_by_label("iPad").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Device family is none of iPad, iPhone")).to_be_visible()
    page.get_by_role("link", name="Delete Macs").click()
    page.get_by_role("button", name="Delete branch").click()
    expect(page.get_by_role("heading", level=3)).to_have_text(["Every device", "Phones"])
