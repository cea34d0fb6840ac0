"""Every action on every platform, and the queue as the API shows it."""

from dataclasses import replace
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from access.models import AuditEvent, Tenant
from access.tokens.authentication import LiveToken
from devices.api import api as endpoint_api
from devices.commands import COMMANDS, Command
from devices.models import Device, DeviceCommand, DeviceSecret, Platform
from tests.devices.api import examples
from tests.factories.devices import DeviceCommandFactory, DeviceFactory
from tests.types import Call, IssuedApiToken, IssueToken, Response

pytestmark = pytest.mark.slow

OPERATIONS = {operation.id: operation for operation in endpoint_api.operations}
ROW = [
    "uuid",
    "error_chain",
    "command_type",
    "request_type",
    "metadata",
    "request_requires_network_tether",
    "status",
    "attempts",
    "date_requested",
    "date_completed",
    "last_pushed",
    "user",
    "priority",
]


@pytest.fixture
def token(issue_token: IssueToken) -> IssuedApiToken:
    return issue_token(*COMMANDS, "get_device_commands", "get_unlock_pin", "get_device", "delete_device")


def path(device: Device, command: Command[Any] | str) -> str:
    action = COMMANDS[command].action if isinstance(command, str) else command.action
    return f"/api/v1/devices/{device.uuid}/action/{action}"


@pytest.mark.parametrize("platform", Platform)
@pytest.mark.parametrize("command", COMMANDS.values(), ids=lambda command: command.id)
def test_every_action_on_every_platform(
    command: Command[Any], platform: Platform, api: Call, token: IssuedApiToken, tenant: Tenant
) -> None:
    device = DeviceFactory.create(tenant=tenant, platform=platform)
    body = examples.body(OPERATIONS[command.id])

    def send() -> Response:
        return api("POST", path(device, command), token, json=body)

    answer = send()
    if platform not in command.platforms:
        assert (answer.status_code, answer.content) == (400, b'"Command is not allowed for current device"')
        assert not device.commands.exists()
        return
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/json"
    if command.id == "lock_device" and platform == Platform.MAC:
        assert list(answer.json()) == ["PIN"]
    else:
        assert answer.content == b""
    expected = {
        "lock_device": "This device is already locked.",
        "disable_lost_mode": "Disable lost mode is already pending for this device.",
    }.get(command.id, "Command already running")
    for status in DeviceCommand.UNFINISHED:
        device.commands.update(status=status)
        again = send()
        assert (again.status_code, again.json()) == (400, expected)
    assert device.commands.count() == 1


NEEDS_NOTHING = [command for command in COMMANDS.values() if not examples.body(OPERATIONS[command.id])]


@pytest.mark.parametrize("command", NEEDS_NOTHING, ids=lambda command: command.id)
@pytest.mark.parametrize("ending", ["", "/"])
def test_a_call_without_any_body(
    command: Command[Any], ending: str, api: Call, token: IssuedApiToken, tenant: Tenant
) -> None:
    device = DeviceFactory.create(tenant=tenant, platform=next(iter(command.platforms)))
    assert api("POST", path(device, command) + ending, token).status_code == 200


@pytest.mark.parametrize(
    ("platform", "id", "body", "fields"),
    [
        (Platform.MAC, "set_device_name", {}, {"DeviceName": ["This field is required."]}),
        (Platform.MAC, "set_device_name", {"DeviceName": " "}, {"DeviceName": ["This field may not be blank."]}),
        (Platform.MAC, "set_device_name", {"DeviceName": None}, {"DeviceName": ["This field may not be null."]}),
        (Platform.MAC, "remote_desktop", {}, {"EnableRemoteDesktop": ["This field is required."]}),
        (
            Platform.MAC,
            "remote_desktop",
            {"EnableRemoteDesktop": "maybe"},
            {"EnableRemoteDesktop": ["Must be a valid boolean."]},
        ),
        (Platform.MAC, "unlock_account", {}, {"UserName": ["This field is required."]}),
        (Platform.IPHONE, "refresh_cellular_plans", {}, {"eSIMServerURL": ["This field is required."]}),
        (Platform.IPHONE, "toggle_data_roaming", {}, {"Enabled": ["This field is required."]}),
        (Platform.IPHONE, "toggle_personal_hotspot", {"Enabled": []}, {"Enabled": ["Must be a valid boolean."]}),
        (
            Platform.IPHONE,
            "enable_lost_mode",
            {"PhoneNumber": "5" * 101},
            {"PhoneNumber": ["Ensure this field has no more than 100 characters."]},
        ),
        (Platform.MAC, "erase_device", {"PIN": "12345"}, {"PIN": ["Enter six digits."]}),
        (Platform.IPAD, "erase_device", {"ReturnToService": {}}, {"ReturnToService": ["This field is required."]}),
        (
            Platform.WINDOWS,
            "erase_device",
            {"erase_mode": "FORMAT"},
            {"erase_mode": ['"FORMAT" is not a valid choice.']},
        ),
        (
            Platform.ANDROID,
            "erase_device",
            {"erase_flags": "WIPE_ESIMS,ALL"},
            {"erase_flags": ['"ALL" is not a valid choice.']},
        ),
        (
            Platform.ANDROID,
            "reset_work_profile_passcode",
            {"newPassword": "123"},
            {"newPassword": ["Ensure this field has at least 6 characters."]},
        ),
        (
            Platform.ANDROID,
            "reset_work_profile_passcode",
            {"resetPasswordFlags": ["REQUIRE_ENTRY"]},
            {"resetPasswordFlags": ['"REQUIRE_ENTRY" is not a valid choice.']},
        ),
    ],
)
def test_a_wrong_body_names_its_field(
    platform: Platform, id: str, body: Any, fields: Any, api: Call, token: IssuedApiToken, tenant: Tenant
) -> None:
    device = DeviceFactory.create(tenant=tenant, platform=platform)
    answer = api("POST", path(device, id), token, json=body)
    assert (answer.status_code, answer.json()) == (400, fields)
    assert not device.commands.exists()


def test_a_pin_is_answered_once_and_later_readings_are_audited(
    api: Call, token: IssuedApiToken, tenant: Tenant
) -> None:
    mac = DeviceFactory.create(tenant=tenant)
    answer = api("POST", path(mac, "lock_device"), token, json={"Message": "Return me", "PhoneNumber": "555"})
    pin = answer.json()["PIN"]
    assert len(pin) == 6
    assert pin.isdecimal()
    for later in (
        api("POST", path(mac, "lock_device"), token),
        api("GET", f"/api/v1/devices/{mac.uuid}/commands", token),
        api("GET", f"/api/v1/devices/{mac.uuid}", token),
    ):
        assert f'"{pin}"'.encode() not in later.content
    assert mac.commands.get().payload == {"Message": "Return me", "PhoneNumber": "555"}
    assert api("GET", f"/api/v1/devices/{mac.uuid}/secrets/unlockpin", token).json() == {"pin": pin}
    assert AuditEvent.objects.latest("sequence").summary == "Unlock PIN read"


def test_a_profile_that_is_not_in_scope(api: Call, token: IssuedApiToken, tenant: Tenant) -> None:
    ipad = DeviceFactory.create(tenant=tenant, platform=Platform.IPAD)
    body = {"ReturnToService": {"Enabled": True, "ProfileId": str(ipad.uuid)}}
    answer = api("POST", path(ipad, "erase_device"), token, json=body)
    assert (answer.status_code, answer.content) == (
        400,
        b'"The specified profile is not in scope for the device"',
    )


def test_a_token_revoked_while_the_call_is_under_way(
    api: Call, issue_token: IssueToken, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    mac = DeviceFactory.create(tenant=tenant)
    token = issue_token("restart_device", revoked=True)
    trial = LiveToken.for_trial(tenant, token.permissions, id=token.id, name=token.name)
    live = replace(trial, trial=False)
    monkeypatch.setattr("devices.api.identity.authenticate", lambda *args, **kwargs: live)
    answer = api("POST", path(mac, "restart_device"), token)
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, 'Bearer error="invalid_token"')
    assert not mac.commands.exists()


def test_the_queue_newest_first_page_by_page(
    api: Call, token: IssuedApiToken, tenant: Tenant, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    mac = DeviceFactory.create(tenant=tenant)
    error = {"code": 1, "domain": "D", "localized_description": "L", "us_english_description": "U"}
    failed = DeviceCommandFactory.create(device=mac, status=4, error_chain=[error])
    for n in range(4):
        DeviceCommandFactory.create(device=mac, status=3, attempts=n)
    DeviceCommandFactory.create(device=DeviceFactory.create(tenant=tenant))
    with django_assert_num_queries(4):
        whole = api("GET", f"/api/v1/devices/{mac.uuid}/commands", token).json()
    assert list(whole) == ["device_id", "commands"]
    assert whole["device_id"] == str(mac.uuid)
    assert [row["attempts"] for row in whole["commands"]["results"]] == [3, 2, 1, 0, 0]
    assert all(list(row) == ROW for row in whole["commands"]["results"])
    assert whole["commands"]["results"][-1] | {"date_requested": "", "last_pushed": ""} == {
        "uuid": str(failed.uuid),
        "error_chain": [error],
        "command_type": "RestartDevice",
        "request_type": "RestartDevice",
        "metadata": {},
        "request_requires_network_tether": False,
        "status": 4,
        "attempts": 0,
        "date_requested": "",
        "date_completed": None,
        "last_pushed": "",
        "user": None,
        "priority": 1,
    }
    assert whole["commands"]["results"][0]["date_requested"] == "2024-05-13T20:09:27.374451Z"

    base = f"http://accuhive.api.iru.test/api/v1/devices/{mac.uuid}/commands"
    middle = api("GET", f"/api/v1/devices/{mac.uuid}/commands?limit=2&offset=2", token).json()["commands"]
    assert (middle["count"], len(middle["results"])) == (5, 2)
    assert middle["next"] == f"{base}?limit=2&offset=4"
    assert middle["previous"] == f"{base}?limit=2"
    past = api("GET", f"/api/v1/devices/{mac.uuid}/commands?offset=9", token).json()["commands"]
    assert (past["count"], past["next"], past["results"]) == (5, None, [])


def test_a_deleted_device_takes_its_queue_along(api: Call, token: IssuedApiToken, tenant: Tenant) -> None:
    mac = DeviceFactory.create(tenant=tenant)
    assert api("POST", path(mac, "lock_device"), token).status_code == 200
    assert api("DELETE", f"/api/v1/devices/{mac.uuid}", token).status_code == 204
    assert not DeviceCommand.objects.exists()
    assert not DeviceSecret.objects.exists()
