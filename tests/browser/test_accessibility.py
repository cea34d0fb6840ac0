"""axe finds nothing on any page or dialog state, in either theme, and no page is wider than its window or phone."""

import re
from collections.abc import Callable
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

Visit = Callable[..., Page]
Theme = Literal["light", "dark"]
# What a page looks like does not depend on the database, and axe takes its time: one look is enough.
once = pytest.mark.sqlite_only
LIBRARY = ("scripts", "profiles", "apps/custom", "apps/in-house")
both_widths = pytest.mark.parametrize("width", [1280, 390])


# Rows after the twelfth are like those before them, and take most of the time of a check.
ROWS = {"exclude": [["tbody tr:nth-child(n + 13)"]]}
# The themes differ in nothing but their colors.
RULES: dict[Theme, dict[str, Any]] = {
    # axe leaves out the size of targets unless it is asked.
    "light": {"resultTypes": ["violations"], "rules": {"target-size": {"enabled": True}}},
    "dark": {"resultTypes": ["violations"], "runOnly": ["color-contrast"]},
}


# A narrow window has the same markup and colors. What can differ is which part of it is shown.
NARROW: dict[str, Any] = {
    "resultTypes": ["violations"],
    "runOnly": ["scrollable-region-focusable", "button-name", "link-name", "label", "aria-hidden-focus", "target-size"],
}

# What htmx asked for and has not put into the page in full.
UNSETTLED = ".htmx-request, .htmx-swapping, .htmx-settling, .htmx-added"


class Checker:
    """Collects the findings of axe in each state, in both themes, and pages that are wider than the window."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.narrow = (page.viewport_size or {"width": 1280})["width"] < 600
        self.found: list[str] = []

    def __call__(self, state: str) -> None:
        # A page that a click opened may be there in part when the click returns.
        self.page.wait_for_load_state()
        expect(self.page.locator(UNSETTLED)).to_have_count(0)
        checks: dict[Theme, dict[str, Any]] = {"light": NARROW} if self.narrow else RULES
        for theme, rules in checks.items():
            # Without motion: a color that is still on its way to the other theme has another contrast.
            self.page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            for violation in Axe().run(self.page, ROWS, rules).response["violations"]:
                if nodes := [
                    node["html"][:160] for node in violation["nodes"] if not _has_enough_room(violation, node)
                ]:
                    self.found.append(
                        f"{state}, {theme}: {violation['id']} ({violation['help']}): {'; '.join(nodes[:3])}"
                    )
        self.page.emulate_media(color_scheme="light")
        overflow = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if overflow > 0:
            self.found.append(f"{state}: the page is {overflow}px wider than the window")


class Looks:
    """A Checker of the same page in both widths. It leaves the page in the wide one."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.found: list[str] = []

    def __call__(self, state: str) -> None:
        for width in (390, 1280):
            self.page.set_viewport_size({"width": width, "height": 900})
            check = Checker(self.page)
            check(f"{state}, {width} pixels")
            self.found += check.found


def _has_enough_room(violation: dict[str, Any], node: dict[str, Any]) -> bool:
    """Whether the target is a section's box: its ::after, which axe does not measure, makes it 26 px."""
    return violation["id"] == "target-size" and 'class="section-box"' in node["html"]


@once
@both_widths
@pytest.mark.complaints("422 /sign-in/", "404 /nowhere/")
def test_signed_out(visit: Visit, width: int) -> None:
    page = visit(width=width)
    check = Checker(page)
    page.goto("/sign-in/")
    check("sign in")
    page.get_by_label("E-mail").fill("nobody@accuhive.example")
    page.get_by_label("Password").fill("not the password at all")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    check("sign in refused")
    page.goto("/password/reset/")
    check("password reset")
    page.goto("/password/reset/sent/")
    check("password reset sent")
    page.goto("/password/reset/done/")
    check("password reset done")
    page.goto("/password/reset/1-nonsense/")
    check("password reset with a dead link")
    page.goto("/nowhere/")
    check("not found, signed out")
    assert not check.found, "\n".join(check.found)


@once
@both_widths
@pytest.mark.complaints("422 /access/webhooks/new/")
def test_webhooks(signed_in: Visit, width: int) -> None:
    page = signed_in(width=width)
    check = Checker(page)
    page.goto("/access/webhooks/")
    check("webhooks, list")
    page.get_by_role("link", name="Add webhook").first.click()
    page.locator("dialog").get_by_role("button", name="Add webhook").click()
    expect(page.locator("dialog .field-error").first).to_be_visible()
    check("webhook, refused")
    page.get_by_label("URL").fill(f"https://hooks-{width}.example.com/{'long-path/' * 20}")
    page.get_by_label("Every audit event").check()
    page.get_by_label("API token created").check()
    page.locator("dialog").get_by_role("button", name="Add webhook").click()
    expect(page.get_by_role("heading", name="Copy the signing secret")).to_be_visible()
    field = page.get_by_role("textbox", name="Signing secret")
    expect(field).to_have_value(re.compile("^whsec_•+$"))  # masked means absent
    assert not re.search(r"whsec_[A-Za-z0-9+/]{8}", page.content())
    check("secret, masked")
    page.get_by_role("button", name="Show secret").click()
    expect(field).to_have_value(re.compile("^whsec_[A-Za-z0-9+/]{43}=$"))
    check("secret, shown")
    page.keyboard.press("Escape")
    expect(page.get_by_role("alertdialog")).to_be_visible()
    check("secret, leaving")
    page.get_by_role("button", name="Keep open").click()
    page.locator("dialog").get_by_role("checkbox").check()
    page.get_by_role("button", name="Done").click()
    expect(page.get_by_role("heading", name=f"hooks-{width}.example.com")).to_be_visible()
    check("webhook")
    page.get_by_role("button", name="Send test message").click()
    expect(page.get_by_role("heading", name="Test message")).to_be_visible()
    check("delivery")
    page.get_by_role("button", name="Redeliver").click()
    expect(page.get_by_text("The message is sent again.")).to_be_visible()
    page.get_by_role("navigation", name="Breadcrumb").get_by_role("link").last.click()
    check("webhook with deliveries")
    page.get_by_role("button", name="More actions").click()
    check("webhook, menu")
    page.get_by_role("link", name="New secret").click()
    expect(page.get_by_role("heading", name="Make a new secret?")).to_be_visible()
    check("new secret")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="More actions").click()
    page.get_by_role("button", name="Disable").click()
    expect(page.get_by_text("Nothing is sent, and no new message")).to_be_visible()
    check("webhook, disabled")
    page.get_by_role("link", name="Delete").click()
    expect(page.get_by_role("heading", name="Delete this webhook?")).to_be_visible()
    check("delete")
    page.locator("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("The webhook is deleted.")).to_be_visible()
    assert not check.found, "\n".join(check.found)


@once
@both_widths
@pytest.mark.complaints("422 /access/tokens/new/", "404 /access/tokens/00000000-*")
def test_access(signed_in: Visit, width: int) -> None:
    page = signed_in(width=width)
    check = Checker(page)
    name = f"Compliance export, EU auditors, quarterly evidence collection ({width})"

    page.goto("/access/tokens/")
    check("list")
    page.get_by_role("link", name="Add API Token").first.click()
    page.get_by_role("button", name="Create").click()
    expect(page.locator("dialog [aria-invalid=true]")).to_be_visible()
    check("create, refused")
    page.get_by_role("textbox", name="Name", exact=True).fill(name)
    page.get_by_role("textbox", name="Description").fill("word " * 60)
    page.get_by_label("Enable MCP").check()
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", name="Copy your API token")).to_be_visible()
    check("reveal, masked")
    page.get_by_role("button", name="Show token").click()
    page.locator("dialog").get_by_role("checkbox").check()
    check("reveal, shown")
    page.keyboard.press("Escape")
    expect(page.get_by_role("alertdialog")).to_be_visible()
    check("reveal, leaving")
    page.get_by_role("button", name="Keep open").click()
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_role("heading", name="What may")).to_be_visible()
    check("configure or skip")
    page.get_by_role("link", name="Skip", exact=True).click()
    expect(page.get_by_text("has no permissions yet")).to_be_visible()
    check("list after skip")

    page.get_by_role("button", name=f"Actions for {name}").click()
    check("row menu")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Filter").click()
    check("filter menu")
    page.keyboard.press("Escape")
    page.goto("/access/tokens/?q=nothing+is+called+this")
    check("no results")

    page.goto("/access/tokens/")
    page.get_by_role("link", name=name).click()
    check("token without permissions")
    page.get_by_role("link", name="Configure").click()
    check("permissions, editing")
    page.get_by_role("checkbox", name="All of Device Information").check()
    page.get_by_role("button", name="Review changes").click()
    check("permissions, reviewing")
    page.get_by_placeholder("Search").fill("nothing is called this")
    check("permissions, nothing found")
    page.get_by_placeholder("Search").fill("")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("link", name="Edit", exact=True).wait_for()
    check("permissions")
    page.get_by_role("button", name="Collapse all").click()
    check("permissions, folded")

    page.get_by_role("link", name="Edit", exact=True).click()
    expect(page.get_by_role("heading", name="Edit token")).to_be_visible()
    check("edit")
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Revoke", exact=True).click()
    expect(page.get_by_role("heading", name="Revoke “")).to_be_visible()
    check("revoke")
    page.keyboard.press("Escape")
    page.locator("main").get_by_role("link", name="Activity").click()
    check("activity")

    if width < 900:
        page.get_by_role("button", name="Open navigation").click()
        check("navigation drawer")
    page.get_by_role("button", name="Ana Ruiz").click()
    check("account menu")
    page.goto("/access/tokens/00000000-0000-4000-8000-000000000000/")
    check("not found")
    page.goto("/sign-out/")
    check("sign out")
    assert not check.found, "\n".join(check.found)


@once
@both_widths
def test_reference(signed_in: Visit, width: int) -> None:
    page = signed_in(width=width)
    check = Checker(page)
    page.goto("/api-reference/")
    check("API reference")
    page.locator("summary", has_text="Device list").click()
    expect(page.locator("#list_devices").get_by_text("Devices whose name contains this text")).to_be_visible()
    check("API reference, an operation")
    page.get_by_role("link", name="Link to this operation").click()
    page.get_by_text("Python", exact=True).click()
    page.get_by_text("More parameters").click()
    page.get_by_role("button", name="Send").click()
    page.get_by_role("link", name="Show an answer from your organization").click()
    expect(page.get_by_role("region", name="Answer from your organization")).to_be_visible()
    check("API reference, the page of an operation")
    page.goto("/api-reference/get_filevault_recovery_key/")
    check("API reference, a secret")
    page.goto("/api-reference/")
    page.get_by_role("searchbox").fill("lock")
    expect(page.locator("#results").get_by_text("operations found")).to_be_visible()
    check("API reference, searched")
    page.get_by_role("searchbox").fill("nothing is called this")
    expect(page.get_by_role("heading", name="No operation matches")).to_be_visible()
    check("API reference, nothing found")
    page.goto("/api-reference/changes/")
    check("API reference, changes")
    assert not check.found, "\n".join(check.found)


@once
@both_widths
@pytest.mark.complaints(
    *(f"422 /library/{kind}/new/" for kind in ("scripts", "profiles", "apps/custom", "apps/in-house"))
)
def test_library(signed_in: Visit, width: int) -> None:
    page = signed_in(width=width)
    check = Checker(page)
    page.goto("/library/")
    check("list")
    page.get_by_role("button", name="Filter").click()
    check("filter menu")
    page.goto("/library/?q=nothing+is+called+this")
    check("no results")
    page.goto("/library/")
    page.get_by_role("button", name="New Item").click()
    check("menu of kinds")
    for kind in ("Custom App", "In-House App", "Custom Profile", "Custom Script"):
        page.goto("/library/")
        page.get_by_role("button", name="New Item").click()
        page.get_by_role("link", name=kind).click()
        expect(page.get_by_role("heading", name=f"New {kind}")).to_be_visible()
        check(f"new {kind}")
        page.get_by_role("button", name="Create").click()
        expect(page.locator("dialog [aria-invalid=true]").first).to_be_visible()
        check(f"new {kind}, refused")
    page.get_by_role("textbox", name="Name", exact=True).fill(f"Wallpaper {width}")
    page.get_by_label("Audit script").fill("#!/bin/zsh\nfor each in 1 2 3; do echo " + "word " * 60 + "; done")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", name=f"Wallpaper {width}")).to_be_visible()
    check("a script")
    page.get_by_role("link", name="Devices", exact=True).last.click()
    check("a script without devices")
    page.get_by_role("link", name="Delete", exact=True).click()
    expect(page.get_by_role("heading", name="Delete “")).to_be_visible()
    check("delete")
    for name in ("Restrictions", "Kiosk Mode", "Slack", "Accuhive VPN", "Accuhive Expenses"):
        page.goto(f"/library/?q={name.replace(' ', '+')}")
        page.get_by_role("link", name=name, exact=True).click()
        check(name)
    page.goto("/library/?q=Office")
    page.get_by_role("link", name="Office Wi-Fi", exact=True).click()
    page.get_by_role("link", name="Edit", exact=True).click()
    expect(page.get_by_role("heading", name="Edit Office Wi-Fi")).to_be_visible()
    check("edit a profile")
    page.keyboard.press("Escape")
    page.locator("main").get_by_role("link", name="Devices", exact=True).click()
    expect(page.get_by_role("heading", name="Status on devices")).to_be_visible()
    check("status on devices")
    page.locator("main").get_by_role("link", name="Activity", exact=True).click()
    check("activity")
    assert not check.found, "\n".join(check.found)


@once
@both_widths
@pytest.mark.complaints("422 /blueprints/ade/new/")
def test_device_enrollment(signed_in: Visit, width: int) -> None:
    page = signed_in(width=width)
    check = Checker(page)
    page.goto("/blueprints/ade/")
    check("servers")
    page.get_by_role("link", name="Add server").click()
    page.locator("dialog input[type=file]").set_input_files(
        {"name": "token.p7m", "mimeType": "application/pkcs7-mime", "buffer": b"no token"}
    )
    page.get_by_label("Support e-mail").fill("it@accuhive.example")
    page.get_by_label("Support phone").fill("1")
    page.get_by_role("button", name="Add server").click()
    expect(page.get_by_text("This is not a server token file.")).to_be_visible()
    check("a file that is no token")
    page.goto("/blueprints/ade/")
    page.get_by_role("link", name="Delete ").first.click()
    expect(page.locator("dialog form")).to_be_visible()
    check("delete a server")
    page.goto("/blueprints/ade/devices/")
    check("devices")
    page.get_by_role("button", name="Filter").click()
    check("filter menu")
    page.goto("/blueprints/ade/devices/?q=nothing+is+called+this")
    check("no device found")
    page.goto("/blueprints/ade/devices/")
    page.get_by_role("link", name="Edit ").first.click()
    expect(page.locator("dialog form")).to_be_visible()
    check("edit a device")
    assert not check.found, "\n".join(check.found)


@once
@both_widths
@pytest.mark.complaints("422 /prism/apps/*")
def test_prism(signed_in: Visit, width: int) -> None:
    page = signed_in(width=width)
    check = Checker(page)
    page.goto("/prism/")
    check("categories")
    page.get_by_role("link", name="Applications").click()
    check("a category")
    page.goto("/prism/apps/?column=name&operator=contains&value=" + "a long text without a blank " * 5)
    expect(page.get_by_role("list", name="Conditions")).to_be_visible()
    check("a category, filtered, without a match")
    page.goto('/prism/apps/?filter={"name":{"in":["Slack"]}}&family=Mac&sort=-version')
    check("a category, filtered and sorted")
    page.goto("/prism/apps/?column=name&operator=after&value=x")
    expect(page.get_by_role("alert")).to_be_visible()
    check("a condition that is refused")
    page.goto("/prism/filevault/")
    page.get_by_role("link", name="Export").click()
    expect(page.get_by_role("heading", name="Export FileVault")).to_be_visible()
    check("export")
    page.get_by_role("button", name="Export").click()
    expect(page.get_by_role("heading", name="Exports")).to_be_visible()
    check("exports")
    assert not check.found, "\n".join(check.found)


@once
@both_widths
def test_overview_and_vulnerabilities(signed_in: Visit, width: int) -> None:
    page = signed_in(width=width)
    check = Checker(page)
    page.goto("/overview/")
    check("overview")
    page.get_by_role("link", name="FileVault off").click()
    expect(page).to_have_url(re.compile("encryption=off"))
    check("devices without FileVault")
    page.goto("/vulnerabilities/")
    check("vulnerabilities")
    page.get_by_role("searchbox").fill("nothing is called this")
    expect(page.get_by_role("heading", name="No CVE matches")).to_be_visible()
    check("vulnerabilities, nothing found")
    page.goto("/vulnerabilities/?exploited=yes")
    page.get_by_role("link", name="CVE-").first.click()
    check("one vulnerability")
    page.get_by_role("table", name="Devices").get_by_role("link").first.click()
    expect(page.get_by_role("heading", name="Threats", exact=True)).to_be_visible()
    check("security of a device")
    assert not check.found, "\n".join(check.found)
