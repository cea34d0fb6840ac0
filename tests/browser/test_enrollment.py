"""Enrolling in a real browser: the card with the link, the portal on a phone, and the device with its profile."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import Page, expect

from devices.mdm.simulator.device import SimulatedDevice
from devices.mdm.simulator.keys import KeyPool
from devices.mdm.simulator.kinds import KINDS
from devices.mdm.simulator.transports import http_transport
from tests.browser.keyboard import press
from tests.browser.servers import Server
from tests.browser.test_accessibility import Looks, once
from tests.browser.test_devices import lock

pytestmark = pytest.mark.browser

PREPARE = """
from access.audit.events import Actor
from access.models import Tenant
from devices.mdm.simulator.authority import Authority
from devices.mdm.simulator.keys import new_key
from devices.enrollment.push_certificates import store_simulated
from devices.wire.push_certificates import PushIdentity
tenant, actor, key = Tenant.objects.get(subdomain="accuhive"), Actor.command("tests"), new_key(2048)
topic = "com.apple.mgmt.External.tests"
certificate = Authority().issue(key.public_key(), topic)
identity = PushIdentity(certificate=certificate, key=key, topic=topic, not_after=certificate.not_valid_after_utc)
store_simulated(tenant=tenant, identity=identity, actor=actor)
"""
CREATE = """
from access.audit.events import Actor
from access.models import Tenant
from devices.blueprints.blueprints import create_blueprint
create_blueprint(
    tenant=Tenant.objects.get(subdomain="accuhive"),
    actor=Actor.command("tests"),
    name="{name}",
    enrollment_code="{code}",
    enrollment_code_active=True,
)
"""
FORGET = "from devices.models import PushCertificate; PushCertificate.objects.all().delete()"
LINK = ".enroll-link code"

Visit = Callable[..., Page]
Create = Callable[[str, str], None]


@pytest.fixture(scope="module")
def blueprint(server: Server) -> Iterator[Create]:
    """`blueprint("Macs", "314159")`: a new Blueprint with this code, into which devices can enroll."""
    server.manage("shell", "-c", PREPARE)

    def create(name: str, code: str) -> None:
        server.manage("shell", "-c", CREATE.format(name=name, code=code))

    yield create
    server.manage("shell", "-c", FORGET)  # other tests look at a server that reaches no device


def new_link(page: Page, blueprint: str) -> str:
    """Make the link of a Blueprint by the keyboard, and return its path."""
    page.goto(f"/blueprints/?q={quote(blueprint)}")
    page.get_by_role("link", name=blueprint, exact=True).click()
    expect(page.get_by_role("link", name="Create link")).to_be_visible()
    press(page, "a[href$='/link/']")
    expect(page.locator("dialog[open] h1")).to_contain_text("Create a link for")
    press(page, "dialog button[type=submit]")
    expect(page.locator(LINK)).to_be_visible()
    return urlsplit(page.locator(LINK).inner_text()).path


@once
@pytest.mark.complaints("404 /enroll/*/")
def test_a_device_enrolls_by_the_link_and_obeys(
    signed_in: Visit, visit: Visit, server: Server, blueprint: Create
) -> None:
    page = signed_in()
    look = Looks(page)
    blueprint("Enrolled by a link", "314159")
    path, address = new_link(page, "Enrolled by a link"), page.url
    expect(page.get_by_role("img", name="QR code of the link")).to_be_visible()
    look("the card with a link")

    phone = visit(width=390)
    phone.goto(path)
    expect(phone.get_by_role("heading", level=1)).to_have_text("Accuhive")
    with phone.expect_download() as started:
        phone.get_by_role("link", name="Download profile").click()
    profile = Path(started.value.path()).read_bytes()
    portal = Looks(phone)
    portal("the page of a link")

    device = SimulatedDevice(KINDS["mac"], 1, transport=http_transport(server.url), keys=KeyPool(1), series="BROWSER")
    device.enroll(profile)
    page.goto(f"/devices/?q={device.serial_number}")
    page.locator("tbody .row-name a").first.click()
    card = page.get_by_role("region", name="Connection")
    expect(card).to_contain_text("Certificate valid until")
    expect(card).to_contain_text("Last contact")
    look("the connection of a device")
    page.wait_for_load_state("networkidle")
    lock(page)
    page.get_by_role("link", name="Done").click()
    row = page.get_by_role("row").filter(has=page.get_by_text("Lock", exact=True))
    expect(row).to_contain_text("Waiting")
    expect(page.locator(".page-head")).to_contain_text("Lock waits")
    device.connect()
    # Without loading the page again.
    expect(row).to_contain_text("Completed")
    expect(page.locator(".page-head").get_by_text("Locked", exact=True)).to_be_visible()

    page.goto(address)
    page.get_by_role("link", name="Replace link").click()
    expect(page.locator("dialog[open]")).to_contain_text("stop working at once")
    look("the dialog of another link")
    page.locator("dialog[open]").get_by_role("button", name="Replace link").click()
    expect(page.get_by_text("The old link does not work any more.")).to_be_visible()
    assert urlsplit(page.locator(LINK).inner_text()).path != path
    phone.goto(path)
    expect(phone.get_by_role("heading", level=1)).to_have_text("This link or code does not work")
    portal("a link that was replaced")
    assert not look.found + portal.found, "\n".join(look.found + portal.found)


@pytest.mark.complaints("422 /enroll/", "404 /enroll/")
def test_the_code_is_entered_without_javascript(visit: Visit, blueprint: Create) -> None:
    blueprint("Enrolled by a code", "271828")
    page = visit(width=390, java_script_enabled=False)
    page.goto("/enroll/")
    page.get_by_label("Organization").fill("accuhive")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("Enter the enrollment code.")).to_be_visible()
    page.get_by_label("Enrollment code").fill("000000")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("This link or code does not work")
    page.get_by_role("link", name="Enter a code").click()
    page.get_by_label("Organization").fill("Accuhive")
    page.get_by_label("Enrollment code").fill("271828")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Accuhive")
    with page.expect_download() as started:
        page.get_by_role("link", name="Download profile").click()
    assert started.value.suggested_filename == "enrollment.mobileconfig"


@once
@pytest.mark.complaints("422 /enroll/")
def test_the_form_passes_axe(visit: Visit) -> None:
    page = visit()
    look = Looks(page)
    page.goto("/enroll/")
    look("the form")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("Enter the enrollment code.")).to_be_visible()
    look("the form, refused")
    assert not look.found, "\n".join(look.found)


def test_the_routing_gets_a_code_and_a_link_without_javascript(signed_in: Visit, blueprint: Create) -> None:
    page = signed_in(java_script_enabled=False)
    page.goto("/blueprints/")
    page.get_by_role("link", name="Routing", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Blueprint routing")
    page.get_by_role("link", name="Edit", exact=True).click()
    page.get_by_label("Devices can enroll with this code").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("region", name="Enroll a device").locator("code").first).to_have_text(
        re.compile(r"^\d{6}$")
    )
    page.get_by_role("link", name="Create link").click()
    page.get_by_role("button", name="Create link").click()
    expect(page.locator(LINK)).to_contain_text("/enroll/")
