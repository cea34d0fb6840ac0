"""Django admin, the tool of operators: axe finds nothing on its kinds of pages, and its main jobs work in a browser."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.servers import Server
from tests.browser.test_accessibility import Checker

pytestmark = pytest.mark.browser

Visit = Callable[..., Page]
EMAIL, PASSWORD = "op@admin.example", "look-at-lists-4711"
once = pytest.mark.sqlite_only


@pytest.fixture(scope="module")
def operator(server: Server) -> None:
    """An operator of their own."""
    made = f"from access.models import Administrator as A; A.objects.create_superuser('{EMAIL}', '{PASSWORD}')"
    server.manage("shell", "-c", made)


@pytest.fixture
def console(visit: Visit, operator: None) -> Visit:
    def console(**options: object) -> Page:
        page = visit(**options)
        page.goto("/sign-in/")
        page.get_by_label("E-mail").fill(EMAIL)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        expect(page).to_have_url(re.compile("/admin/$"))
        return page

    return console


@once
@pytest.mark.parametrize("width", [1280, 390])
def test_the_pages_of_operators_are_accessible(console: Visit, width: int) -> None:
    page = console(width=width)
    check = Checker(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Installation")
    check("start page")
    for path in ("devices/device", "access/administrator", "access/auditevent", "django_tasks_database/dbtaskresult"):
        page.goto(f"/admin/{path}/")
        check(f"list of {path}")
    page.goto("/admin/devices/device/?q=mac&tenant=accuhive")
    page.locator("summary", has_text="Filters").click()
    check("a search with open filters")
    page.goto("/admin/access/tenant/add/")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_be_visible()
    check("new tenant, refused")
    page.goto("/admin/devices/device/")
    page.locator("#result_list .row-name a").first.click()
    check("device")
    page.goto("/admin/access/tenant/")
    page.get_by_role("link", name="Accuhive").click()
    check("tenant")
    page.get_by_role("button", name="Suspend").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Suspend tenants?")
    check("question")
    page.goto("/admin/password_change/")
    check("own password")
    assert not check.found, "\n".join(check.found)


@once
@pytest.mark.parametrize("java_script_enabled", [True, False])
def test_an_operator_makes_and_suspends_a_tenant(console: Visit, java_script_enabled: bool) -> None:
    page = console(java_script_enabled=java_script_enabled)
    name = "with" if java_script_enabled else "without"
    page.get_by_role("link", name="Tenants", exact=True).first.click()
    page.get_by_role("link", name="New tenant").click()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Subdomain").fill("Wrong_")
    page.get_by_label("E-mail").fill(f"owner@{name}.example")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".field-error")).to_have_text(re.compile("Use lower-case letters"))
    page.get_by_label("Subdomain").fill(name)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_have_text(re.compile(f"{name} is added. An invitation is on its way"))
    expect(page.get_by_text(f"{name}.api.")).to_have_count(2)
    page.get_by_role("button", name="Suspend").click()
    expect(page.get_by_text(f"{name} ({name}): 0 active API tokens and 1 person are cut off")).to_be_visible()
    page.get_by_role("button", name="Suspend").click()
    expect(page.get_by_role("status")).to_have_text(re.compile(f"{name} is suspended."))
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    expect(page.get_by_role("button", name="Unsuspend")).to_be_visible()


@once
def test_a_list_is_worked_with_the_keyboard(console: Visit) -> None:
    page = console()
    page.goto("/admin/devices/device/")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # Skip to content
    page.get_by_role("searchbox").focus()
    page.keyboard.type("nothing is called like this")
    page.keyboard.press("Enter")
    expect(page.get_by_text("No devices match.")).to_be_visible()
    page.locator("summary", has_text="Filters").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Subdomain of the tenant")).to_be_visible()
