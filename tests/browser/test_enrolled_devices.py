"""A Mac and an iPhone from their enrollment until they leave, over https through nginx, as an installation serves them.

They are simulated, and come when a push wakes them. Each step is looked at through the public API and on the pages.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from access.models import Administrator, Role, Tenant
from access.people.invitations import invitation_link
from devices.commands import COMMANDS
from devices.mdm.simulator.authority import Authority
from devices.mdm.simulator.device import CONNECT, SimulatedDevice
from devices.mdm.simulator.kinds import KINDS
from devices.models import DeviceCommand
from tests.browser.conftest import PATIENCE, QUIET, unexplained, watched
from tests.browser.servers import OWNER
from tests.browser.test_devices import choose, tab
from tests.browser.test_people import PASSWORD, come_in
from tests.chromium import find
from tests.deploy import NO_PROGRAM, nginx
from tests.deploy.site import Site, serving
from tests.devices.mdm.push.service import upload
from tests.factories.access import AdministratorFactory
from tests.factories.devices import BlueprintFactory
from tests.processes import wait_for
from tests.types import IssuedApiToken, IssueToken

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

READS = (
    *("list_devices", "get_device_details", "get_device_apps", "get_device_commands", "get_device_lost_mode"),
    *("get_unlock_pin", "list_blueprints", "get_manual_enrollment_profile"),
)
DEVICE = 60.0  # seconds for a push and a session
Status = DeviceCommand.Status


@pytest.fixture
def owner(tenant: Tenant) -> Administrator:
    return AdministratorFactory.create(tenant=tenant, role=Role.OWNER, email=OWNER, pending=True)


@pytest.fixture
def site(tenant: Tenant, owner: Administrator, tmp_path: Path) -> Iterator[Site]:
    if nginx.program() is None:
        pytest.skip(NO_PROGRAM)
    authority = Authority()
    upload(tenant, authority)
    BlueprintFactory.create(tenant=tenant, name="Field")
    with serving(tmp_path, authority) as site:
        yield site


@pytest.fixture
def chromium(browser: Browser, site: Site, request: pytest.FixtureRequest) -> Iterator[Callable[[], Page]]:
    """`chromium()`: a page of a fresh visitor, for whom all names of the domain lead to nginx on this machine."""
    rules = f"--host-resolver-rules=MAP {nginx.DOMAIN} 127.0.0.1, MAP *.{nginx.DOMAIN} 127.0.0.1"
    trusted = f"--ignore-certificate-errors-spki-list={site.proxy.fingerprint}"
    started = browser.browser_type.launch(executable_path=find(), args=[*QUIET, rules, trusted])
    complaints: list[str] = []

    def visit() -> Page:
        context = started.new_context(base_url=site.web, viewport={"width": 1280, "height": 900})
        context.set_default_timeout(PATIENCE)
        return watched(context.new_page(), complaints)

    yield visit
    started.close()
    assert unexplained(request, complaints) == ([], [])


@dataclass(frozen=True, slots=True)
class Api:
    """The public API, at the host of the tenant."""

    site: Site
    token: IssuedApiToken

    def call(self, method: str, path: str, **options: Any) -> Any:
        """The answer to a call that succeeds: its JSON, or the bytes of a file."""
        host = f"{self.token.tenant.subdomain}.api.{nginx.DOMAIN}:{self.site.proxy.tls}"
        bearer = {"Authorization": f"Bearer {self.token.secret}"}
        response = self.site.send(method, host, f"/api/v1{path}", headers=bearer, **options)
        assert response.is_success, response.text
        return response.json() if response.text[:1] in {"{", "["} else response.content

    def device(self, device: SimulatedDevice) -> dict[str, Any]:
        """The record of the one device with this serial number."""
        (found,) = self.call("GET", f"/devices?serial_number={device.serial_number}")
        return dict(found)

    def details(self, device: SimulatedDevice) -> dict[str, Any]:
        return dict(self.call("GET", f"/devices/{self.device(device)['device_id']}/details"))

    def act(self, device: SimulatedDevice, action: str, **body: Any) -> None:
        self.call("POST", f"/devices/{self.device(device)['device_id']}/action/{action}", json=body)

    def ended(self, device: SimulatedDevice, kind: str) -> None:
        """Return once the newest command of this type is completed."""
        path = f"/devices/{self.device(device)['device_id']}/commands"

        def completed() -> bool:
            rows = self.call("GET", path)["commands"]["results"]
            newest = next(row for row in rows if row["command_type"] == kind)
            assert newest["status"] != Status.FAILED, newest
            return bool(newest["status"] == Status.COMPLETED)

        wait_for(completed, DEVICE)


def test_a_mac_and_an_iphone_from_enrollment_to_leaving(
    site: Site, chromium: Callable[[], Page], issue_token: IssueToken, owner: Administrator
) -> None:
    api = Api(site, issue_token(*READS, *COMMANDS))
    numbered = enumerate(("mac", "iphone"), 1)
    mac, iphone = (SimulatedDevice(KINDS[kind], number, transport=site.transport) for number, kind in numbered)
    site.devices.devices += [mac, iphone]
    page, safari = chromium(), chromium()
    invitation = urlsplit(invitation_link(owner, nginx.DOMAIN)).path
    come_in(page, invitation, owner.email)
    link = create_link(page)

    mac.enroll(profile_of_the_api(api))
    iphone.enroll(profile_of_the_link(safari, link))
    for device in (mac, iphone):
        is_enrolled(api, page, device)
    is_spoken_to_as_devices_need(site, mac)
    pin = lock(api, page, mac)
    lose_and_find(api, page, iphone)
    erase_and_enroll_again(api, page, iphone, lambda: profile_of_the_link(safari, link))
    renew(api, page, mac)
    leave(api, page, mac)

    assert (site.devices.faults, site.apns.complaints) == ([], [])
    keys = (address.rstrip("/").rpartition("/")[2] for address in (invitation, link))
    for secret in (*keys, pin, PASSWORD, api.token.secret, mac.push_token.hex(), iphone.push_token.hex()):
        assert secret not in site.logs
    for page_of_a_key in ("invitation", "enroll"):
        assert f"GET /{page_of_a_key}/[key] HTTP/1.1" in site.logs


# --- The steps --------------------------------------------------------------------------------------------------------


def create_link(page: Page) -> str:
    """The address of the enrollment link that a person creates on the page of the Blueprint."""
    page.goto("/blueprints/")
    page.get_by_role("link", name="Field", exact=True).click()
    page.get_by_role("link", name="Create link").click()
    page.locator("dialog[open]").get_by_role("button", name="Create link").click()
    address = page.locator(".enroll-link code")
    expect(address).to_contain_text(f"https://{nginx.DOMAIN}")
    return address.inner_text()


def profile_of_the_link(safari: Page, link: str) -> bytes:
    safari.goto(link)
    expect(safari.get_by_role("heading", name="Accuhive")).to_be_visible()
    with safari.expect_download() as download:
        safari.get_by_role("link", name="Download profile").click()
    return Path(download.value.path()).read_bytes()


def profile_of_the_api(api: Api) -> bytes:
    (blueprint,) = api.call("GET", "/blueprints")["results"]
    return bytes(api.call("GET", f"/blueprints/{blueprint['id']}/ota-enrollment-profile"))


def is_enrolled(api: Api, page: Page, device: SimulatedDevice) -> None:
    """The device is in the fleet, and a push has fetched its inventory."""
    app = device.kind.apps[0]["Name"]
    wait_for(lambda: app in str(api.call("GET", f"/devices/{api.device(device)['device_id']}/apps")), DEVICE)
    assert api.details(device)["mdm"]["mdm_enabled"] == "True"
    assert api.site.devices.pushes[device.serial_number] >= 1
    open_device(page, device)
    card = page.get_by_role("region", name="Connection")
    expect(card).to_contain_text("Certificate valid until")
    expect(card).to_contain_text("Last push")
    expect(card).not_to_contain_text("Left")
    tab(page, "Apps")
    expect(page.get_by_role("row").filter(has_text=app)).to_be_visible()


def is_spoken_to_as_devices_need(site: Site, mac: SimulatedDevice) -> None:
    """Messages of megabytes arrive, and http is neither redirected nor answered 401 or 403."""
    assert mac.profile is not None
    url = mac.profile.mdm["ServerURL"]
    assert mac.put(url, CONNECT, b" " * 7 * 1024 * 1024).status == 400  # it is no message, and was not too large
    plain = httpx.put(f"http://127.0.0.1:{site.proxy.plain}/connect", headers={"Host": urlsplit(url).netloc})
    assert plain.status_code == 400


def lock(api: Api, page: Page, mac: SimulatedDevice) -> str:
    """A person locks the Mac on its page, and types its PIN on it."""
    open_device(page, mac)
    with api.site.devices.asleep():
        choose(page, "Lock")
        page.get_by_role("button", name="Lock", exact=True).click()
        pin = page.locator(".pin").inner_text()
        page.get_by_role("link", name="Done").click()
        row = row_of(page, "Lock")
        expect(row).to_contain_text("Waiting")
        expect(page.locator(".page-head").get_by_text("Lock waits", exact=True)).to_be_visible()
        assert mac.state.pin is None
    expect(row).to_contain_text("Completed")  # the page has not been loaded again
    expect(page.locator(".page-head").get_by_text("Locked", exact=True)).to_be_visible()
    api.ended(mac, "DeviceLock")
    assert mac.state.pin == pin
    assert api.call("GET", f"/devices/{api.device(mac)['device_id']}/secrets/unlockpin") == {"pin": pin}
    assert mac.type_pin(pin)
    return pin


def lose_and_find(api: Api, page: Page, iphone: SimulatedDevice) -> None:
    path = f"/devices/{api.device(iphone)['device_id']}/details/lostmode"
    open_device(page, iphone)
    choose(page, "Enable Lost Mode")
    page.get_by_label("Message").fill("Please call us")
    page.get_by_label("Phone number").fill("+1 555 0100")
    page.locator("dialog[open]").get_by_role("button", name="Enable Lost Mode").click()
    expect(row_of(page, "Enable Lost Mode")).to_contain_text("Completed")
    assert iphone.state.lost_mode == {"Message": "Please call us", "PhoneNumber": "+1 555 0100"}
    assert api.call("GET", path)["lost_mode"]["lost_mode_status"] == "enabled"

    api.act(iphone, "updatelocation")
    api.ended(iphone, "DeviceLocation")
    located = {"latitude": "48.137154", "longitude": "11.576124"}
    assert api.call("GET", path)["lost_mode"]["last_location"] == located
    tab(page, "Overview")
    card = page.get_by_role("region", name="Lost Mode")
    expect(card).to_contain_text("Enabled")
    expect(card).to_contain_text("48.137154, 11.576124")
    expect(page.locator(".page-head .badge").filter(has_text="Lost Mode")).to_be_visible()

    choose(page, "Disable Lost Mode")
    page.locator("dialog[open]").get_by_role("button", name="Disable Lost Mode").click()
    expect(row_of(page, "Disable Lost Mode")).to_contain_text("Completed")
    assert iphone.state.lost_mode is None
    assert api.device(iphone)["lost_mode_status"] == ""
    tab(page, "Overview")
    expect(card).to_have_count(0)


def erase_and_enroll_again(api: Api, page: Page, iphone: SimulatedDevice, profile: Callable[[], bytes]) -> None:
    before = api.device(iphone)
    open_device(page, iphone)
    choose(page, "Erase")
    page.get_by_label(re.compile("to confirm")).fill(iphone.state.name)
    page.locator("dialog[open]").get_by_role("button", name="Erase", exact=True).click()
    expect(row_of(page, "Erase")).to_contain_text("Completed")
    api.ended(iphone, "EraseDevice")
    wait_for(lambda: iphone.erased, DEVICE)

    iphone.enroll(profile())
    after = api.device(iphone)
    assert after["device_id"] == before["device_id"]
    assert after["first_enrollment"] == before["first_enrollment"]
    assert after["last_enrollment"] > before["last_enrollment"]
    tab(page, "Activity")
    expect(page.get_by_role("heading", name="Device enrolled again")).to_have_count(1)
    api.act(iphone, "setname", DeviceName="Back again")
    api.ended(iphone, "DeviceName")
    page.goto("/devices/")
    expect(page.get_by_role("link", name="Back again", exact=True)).to_be_visible()


def renew(api: Api, page: Page, mac: SimulatedDevice) -> None:
    assert mac.identity is not None
    former = mac.identity.certificate
    api.act(mac, "renewmdmprofile")
    api.ended(mac, "InstallProfile")
    assert mac.identity.certificate.serial_number != former.serial_number
    open_device(page, mac)
    tab(page, "Activity")
    expect(page.get_by_role("heading", name="Device certificate renewed")).to_have_count(1)
    api.act(mac, "setname", DeviceName="Renewed")  # the device speaks with its new certificate
    api.ended(mac, "DeviceName")
    tab(page, "Overview")
    expect(page.locator("main h1")).to_have_text("Renewed")


def leave(api: Api, page: Page, mac: SimulatedDevice) -> None:
    pushes = api.site.devices.pushes[mac.serial_number]
    mac.unenroll()
    assert api.device(mac)["is_removed"] is True
    assert api.details(mac)["mdm"]["mdm_enabled"] == "False"
    open_device(page, mac)
    expect(page.locator(".page-head .badge").filter(has_text="Removed")).to_be_visible()
    card = page.get_by_role("region", name="Connection")
    expect(card).to_contain_text("Left")
    expect(card).not_to_contain_text("Certificate valid until")
    assert api.site.devices.pushes[mac.serial_number] == pushes


def open_device(page: Page, device: SimulatedDevice) -> None:
    page.goto(f"/devices/?q={device.serial_number}")
    page.locator(".row-name a").click()
    expect(page.locator(".page-head-description")).to_contain_text(device.serial_number)


def row_of(page: Page, command: str) -> Locator:
    """The row of a command, by its title."""
    return page.get_by_role("row").filter(has=page.locator("strong").get_by_text(command, exact=True))
