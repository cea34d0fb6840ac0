import pytest

from access.models import AuditEvent, Tenant
from devices.commands.queue import acknowledge, fail
from devices.models import Device, Platform
from tests.factories.devices import DeviceFactory, LostModeFactory
from tests.types import Call, IssuedApiToken, IssueToken

KEYS = [
    "lost_mode_status",
    "enabled_by",
    "enable_status_at",
    "lock_screen_message",
    "lock_screen_phone_number",
    "lock_screen_footnote",
    "disable_status",
    "disabled_by",
    "disable_status_at",
    "last_location_status",
    "last_location_status_at",
    "last_location",
    "last_location_at",
    "sound_status",
    "sound_status_at",
]
NOT_LOST = ["Device is not in lost mode."]


@pytest.fixture
def token(issue_token: IssueToken) -> IssuedApiToken:
    return issue_token(
        "get_device",
        "get_device_lost_mode",
        "cancel_lost_mode",
        "enable_lost_mode",
        "update_location",
        name="Service desk",
    )


@pytest.fixture
def iphone(tenant: Tenant) -> Device:
    return DeviceFactory.create(tenant=tenant, platform=Platform.IPHONE)


def test_a_lost_iphone_tells_where_it_is(api: Call, token: IssuedApiToken, iphone: Device) -> None:
    device = f"/api/v1/devices/{iphone.uuid}"
    body = {"Message": "Call us", "PhoneNumber": "555", "Footnote": "Please"}
    assert api("POST", f"{device}/action/enablelostmode", token, json=body).status_code == 200
    pending = api("GET", f"{device}/details/lostmode", token).json()
    assert list(pending) == ["device_id", "lost_mode"]
    assert pending["device_id"] == str(iphone.uuid)
    lost = pending["lost_mode"]
    assert list(lost) == KEYS
    assert (lost["lost_mode_status"], lost["enabled_by"]) == ("pending", "Service desk")
    assert lost["lock_screen_message"] == "Call us"
    assert lost["enable_status_at"].endswith("Z")
    assert {name: lost[name] for name in KEYS[6:]} == dict.fromkeys(KEYS[6:], "") | {
        "last_location": {"latitude": "", "longitude": ""}
    }
    assert api("GET", device, token).json()["lost_mode_status"] == "pending"

    acknowledge(command=iphone.commands.get())
    assert api("POST", f"{device}/action/updatelocation", token).status_code == 200
    located = iphone.commands.get(command="update_location")
    acknowledge(command=located, metadata={"Latitude": 52.52, "Longitude": 13.405})
    lost = api("GET", f"{device}/details/lostmode", token).json()["lost_mode"]
    assert lost["lost_mode_status"] == "enabled"
    assert lost["last_location"] == {"latitude": "52.52", "longitude": "13.405"}
    assert lost["last_location_at"].endswith("Z")


def test_an_error_is_cancelled_once(api: Call, token: IssuedApiToken, iphone: Device) -> None:
    device = f"/api/v1/devices/{iphone.uuid}"
    api("POST", f"{device}/action/enablelostmode", token)
    fail(command=iphone.commands.get(), error_chain=[])
    assert api("GET", device, token).json()["lost_mode_status"] == "error"
    answer = api("DELETE", f"{device}/details/lostmode", token)
    assert (answer.status_code, answer.content) == (200, b"")
    assert api("GET", device, token).json()["lost_mode_status"] == ""
    event = AuditEvent.objects.latest("sequence")
    assert (event.summary, event.actor_name, event.target_id) == (
        "Lost mode cancelled",
        "Service desk",
        str(iphone.uuid),
    )
    assert event.changes == {"lost_mode_status": {"old": "error", "new": ""}}
    for method in ("GET", "DELETE"):
        again = api(method, f"{device}/details/lostmode", token)
        assert (again.status_code, again.json()) == (400, NOT_LOST)


@pytest.mark.parametrize("status", ["pending", "enabled"])
def test_a_lost_mode_without_an_error_cannot_be_cancelled(
    status: str, api: Call, token: IssuedApiToken, iphone: Device
) -> None:
    lost = LostModeFactory.create(device=iphone, status=status)
    answer = api("DELETE", f"/api/v1/devices/{iphone.uuid}/details/lostmode", token)
    assert (answer.status_code, answer.json()) == (400, ["Lost mode is not in an error state."])
    lost.refresh_from_db()


def test_a_device_that_is_not_lost(api: Call, token: IssuedApiToken, tenant: Tenant) -> None:
    mac = DeviceFactory.create(tenant=tenant)
    for method in ("GET", "DELETE"):
        answer = api(method, f"/api/v1/devices/{mac.uuid}/details/lostmode", token)
        assert (answer.status_code, answer.json()) == (400, NOT_LOST)
