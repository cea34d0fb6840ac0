"""A profile that is assigned arrives on a simulated device, and one that it refused is tried again, in a browser."""

from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from access.models import Administrator, Tenant
from access.people.invitations import invitation_link
from devices.library.profiles import create_profile
from devices.mdm.simulator.device import SimulatedDevice
from devices.mdm.simulator.kinds import KINDS
from devices.models import Blueprint, Enrollment
from tests.browser.test_accessibility import Checker
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

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_profile_arrives_and_one_that_failed_is_tried_again(
    site: Site,  # noqa: F811
    chromium: Callable[[], Page],  # noqa: F811
    owner: Administrator,  # noqa: F811
    tenant: Tenant,
    issue_token: IssueToken,
) -> None:
    mac = SimulatedDevice(KINDS["mac"], 1, transport=site.transport)
    site.devices.devices.append(mac)
    field = Blueprint.objects.get(name="Field")
    mac.enroll(profile_of_the_api(Api(site, issue_token(*READS))))
    create_profile(tenant=tenant, actor=ACTOR, file=PROFILE.encode(), name="Dock")
    page = chromium()
    come_in(page, urlsplit(invitation_link(owner, nginx.DOMAIN)).path, owner.email)
    # Its inventory has come, and nothing is on its way.
    wait_for(lambda: Enrollment.objects.filter(push_due_at=None, push_sent_at__lte=timezone.now()).exists(), DEVICE)

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


def assign(page: Page, blueprint: Blueprint, item: str) -> None:
    page.goto(f"/blueprints/{blueprint.uuid}/")
    page.get_by_role("link", name="Assign library item").click()
    page.wait_for_load_state("networkidle")
    dialog = page.locator("dialog[open]")
    dialog.get_by_label("Library item", exact=True).select_option(item)
    dialog.get_by_role("button", name="Assign", exact=True).click()
    expect(page.get_by_role("row").filter(has_text=item)).to_be_visible()
