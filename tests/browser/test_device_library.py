"""The Library and simulated devices, in a browser: profiles that arrive, change and leave, and declarations."""

from collections.abc import Callable
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.utils import timezone
from playwright.sync_api import FilePayload, Page, expect

from access.models import Administrator, Tenant
from access.people.invitations import invitation_link
from devices.enrollment.enrollments import wake
from devices.library.profiles import create_profile
from devices.mdm.simulator.device import SimulatedDevice
from devices.mdm.simulator.kinds import KINDS
from devices.models import Blueprint, Device, DeviceItem, Enrollment
from tests.browser.test_accessibility import Checker, Looks
from tests.browser.test_devices import tab
from tests.browser.test_enrolled_devices import (  # noqa: F401 - fixtures
    DEVICE,
    READS,
    Api,
    chromium,
    open_device,
    owner,
    profile_of_the_api,
    site,
)
from tests.browser.test_people import come_in
from tests.deploy import nginx
from tests.deploy.site import Site
from tests.devices.sending import ACTOR
from tests.factories.devices import PROFILE
from tests.processes import wait_for
from tests.types import IssueToken

LATER = "26.3.1"

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def mac(site: Site, tenant: Tenant, issue_token: IssueToken) -> SimulatedDevice:  # noqa: F811
    """An enrolled Mac whose inventory has come, and for which nothing is on its way."""
    mac = SimulatedDevice(KINDS["mac"], 1, transport=site.transport)
    site.devices.devices.append(mac)
    mac.enroll(profile_of_the_api(Api(site, issue_token(*READS))))
    wait_for(lambda: Enrollment.objects.filter(push_due_at=None, push_sent_at__lte=timezone.now()).exists(), DEVICE)
    return mac


@pytest.fixture
def page(chromium: Callable[[], Page], owner: Administrator) -> Page:  # noqa: F811
    page = chromium()
    come_in(page, urlsplit(invitation_link(owner, nginx.DOMAIN)).path, owner.email)
    return page


@pytest.fixture
def field(tenant: Tenant) -> Blueprint:
    return tenant.blueprints.get(name="Field")


def test_a_profile_arrives_and_one_that_failed_is_tried_again(
    site: Site,  # noqa: F811
    page: Page,
    tenant: Tenant,
    field: Blueprint,
    mac: SimulatedDevice,
) -> None:
    create_profile(tenant=tenant, actor=ACTOR, file=PROFILE.encode(), name="Dock")
    mac.switches.errors = {"InstallProfile"}
    with site.devices.asleep():
        assign(page, field, "Dock")
        open_device(page, mac)
        tab(page, "Library")
        row = page.get_by_role("row").filter(has_text="Dock")
        expect(row).to_contain_text("Pending")
        expect(row).to_contain_text("Waits until the device connects")
        check = Checker(page)
        check("pending")
    expect(row).to_contain_text("Failed", timeout=DEVICE * 1000)  # the page has not been loaded again
    expect(row).to_contain_text("Tried again in 59 minutes")
    check("failed")

    mac.switches.errors = set()
    row.get_by_role("button", name="Retry now: Dock").click()
    expect(page.get_by_role("status").filter(has_text="“Dock” is tried again when")).to_be_visible()
    expect(row).to_contain_text("Success", timeout=DEVICE * 1000)
    expect(row.get_by_role("button")).to_have_count(0)
    check("success")
    page.goto(f"/blueprints/{field.uuid}/")
    page.get_by_role("link", name="1 Success").click()
    expect(page.get_by_role("row").filter(has_text=mac.state.name)).to_contain_text("Success")
    check("devices of the item")
    assert check.found == []


def test_a_profile_arrives_changes_and_leaves(
    site: Site,  # noqa: F811
    page: Page,
    tenant: Tenant,
    field: Blueprint,
    mac: SimulatedDevice,
) -> None:
    item = create_profile(tenant=tenant, actor=ACTOR, file=PROFILE.encode(), name="Dock")
    assign(page, field, "Dock")
    open_device(page, mac)
    tab(page, "Library")
    row = page.get_by_role("row").filter(has_text="Dock")
    expect(row).to_contain_text("Success", timeout=DEVICE * 1000)
    assert tile_size(mac) == 48

    with site.devices.asleep():
        page.goto(f"/library/{item.uuid}/")
        page.get_by_role("link", name="Edit", exact=True).click()
        larger = FilePayload(
            name="dock.mobileconfig",
            mimeType="application/xml",
            buffer=PROFILE.replace("<integer>48<", "<integer>64<").encode(),
        )
        page.get_by_label("Another profile").set_input_files(larger)
        page.locator("dialog[open]").get_by_role("button", name="Save").click()
        expect(page.locator("dialog[open]")).to_have_count(0)
        open_device(page, mac)
        tab(page, "Library")
        expect(row).to_contain_text("Pending")
        assert tile_size(mac) == 48
    expect(row).to_contain_text("Success", timeout=DEVICE * 1000)  # the page has not been loaded again
    assert tile_size(mac) == 64

    page.goto(f"/blueprints/{field.uuid}/")
    page.get_by_role("link", name="Remove Dock").click()
    page.locator("dialog[open]").get_by_role("button", name="Remove").click()
    expect(page.get_by_role("row").filter(has_text="Dock")).to_have_count(0)
    wait_for(lambda: tile_size(mac) is None, DEVICE)
    wait_for(lambda: not DeviceItem.objects.exists(), DEVICE)
    open_device(page, mac)
    tab(page, "Library")
    expect(page.get_by_role("heading", name="Library")).to_be_attached()
    expect(row).to_have_count(0)


@pytest.mark.complaints("422 /blueprints/*/required-version/mac/")
def test_a_required_version_reaches_a_mac(
    site: Site,  # noqa: F811
    page: Page,
    field: Blueprint,
    mac: SimulatedDevice,
) -> None:
    looks = Looks(page)
    open_device(page, mac)
    card = page.get_by_role("region", name="Declarations")
    expect(card).to_contain_text("Active", timeout=DEVICE * 1000)
    looks("declarations")
    before = mac.state.os_version
    page.goto(f"/blueprints/{field.uuid}/")
    page.get_by_role("link", name="Edit the required version of macOS").click()
    dialog = page.locator("dialog[open]")
    dialog.get_by_role("textbox", name="Version").fill("a newer one")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.locator(".field-error").first).to_be_visible()
    looks("refused version")
    dialog.get_by_role("textbox", name="Version").fill(LATER)
    dialog.get_by_label("Deadline").fill((timezone.now() + timedelta(days=9)).date().isoformat())
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_role("region", name="Required system version")).to_contain_text(f"{LATER} by")
    looks("required version")
    open_device(page, mac)
    wait_for(lambda: "softwareupdate" in str(mac.state.declared.parts), DEVICE)
    expect(card).to_contain_text(LATER, timeout=DEVICE * 1000)
    looks("update that waits for its deadline")
    assert mac.state.os_version == before
    mac.switches.updates_early = True
    wake([Device.objects.get(serial_number=mac.serial_number).pk])
    wait_for(lambda: mac.state.os_version == LATER, DEVICE)
    wait_for(lambda: Device.objects.filter(os_version=LATER).exists(), DEVICE)
    assert looks.found == []


def test_a_mac_in_setup_assistant_says_how_long(page: Page, mac: SimulatedDevice) -> None:
    Enrollment.objects.update(awaiting_configuration=True)
    open_device(page, mac)
    expect(page.get_by_role("region", name="Connection")).to_contain_text("Waits for what comes first, until")
    looks = Looks(page)
    looks("setup")
    assert looks.found == []


def tile_size(mac: SimulatedDevice) -> int | None:
    """The setting of the profile on the Mac; None without the profile."""
    contents = [part for profile in mac.state.profiles.values() for part in profile["PayloadContent"]]
    return next((part["tilesize"] for part in contents if "tilesize" in part), None)


def assign(page: Page, blueprint: Blueprint, item: str) -> None:
    page.goto(f"/blueprints/{blueprint.uuid}/")
    page.get_by_role("link", name="Assign library item").click()
    page.wait_for_load_state("networkidle")
    dialog = page.locator("dialog[open]")
    dialog.get_by_label("Library item", exact=True).select_option(item)
    dialog.get_by_role("button", name="Assign", exact=True).click()
    expect(page.get_by_role("row").filter(has_text=item)).to_be_visible()
