"""Every request of every command against what Apple documents."""

from typing import Any

import pytest

from access.models import Tenant
from devices.commands import EVERY_COMMAND
from devices.fleet.secrets import store_secret
from devices.models import APPLE, DeviceCommand, DeviceSecret, Platform
from tests.devices.mdm.apple import faults
from tests.factories.devices import DeviceFactory

pytestmark = pytest.mark.django_db

BODIES: dict[str, list[dict[str, Any]]] = {
    "lock_device": [{}, {"Message": "Call us", "PhoneNumber": "+49 30 1"}],
    "erase_device": [{}, {"PIN": "482913"}, {"ReturnToService": {"Enabled": True}, "PreserveDataPlan": False}],
    "delete_user_on_device": [{"UserName": "ann"}, {"UserName": "ann", "ForceDeletion": True, "DeleteAllUsers": False}],
    "enable_lost_mode": [{}, {"Message": "Lost", "PhoneNumber": "1", "Footnote": "Thanks"}],
    "refresh_cellular_plans": [{"eSIMServerURL": "https://example.com"}],
    "remote_desktop": [{"EnableRemoteDesktop": True}, {"EnableRemoteDesktop": False}],
    "restart_device": [{}, {"RebuildKernelCache": True, "NotifyUser": True}],
    "set_device_name": [{"DeviceName": "Desk"}],
    "toggle_data_roaming": [{"Enabled": True}],
    "toggle_personal_hotspot": [{"Enabled": False}],
    "unlock_account": [{"UserName": "ann"}],
}
# A blank push is no request, and there is no agent to install.
NEVER_DELIVERED = {"send_blankpush", "reinstall_agent"}
SENT = [
    pytest.param(id, platform, body, id=f"{id}-{platform}-{number}")
    for id, command in EVERY_COMMAND.items()
    if id not in NEVER_DELIVERED
    for platform in sorted(command.platforms & APPLE)
    for number, body in enumerate(BODIES.get(id, [{}]))
]


@pytest.mark.parametrize(("id", "platform", "body"), SENT)
def test_a_device_receives_what_apple_documents(
    id: str, platform: Platform, body: dict[str, Any], tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devices.commands.renew_mdm_profile.renewal_profile", lambda device: b"profile")
    monkeypatch.setattr("devices.commands.erase.return_profile", lambda device: b"profile")
    device = DeviceFactory.create(tenant=tenant, platform=platform, os_version="18.1")
    store_secret(device=device, kind=DeviceSecret.Kind.UNLOCK_TOKEN, value="dG9rZW4=")
    command = EVERY_COMMAND[id]
    request = command.request(device, command.body.model_validate(body) if command.body else None)
    row = DeviceCommand(device=device, command=id, request_type=request.type, payload=request.parameters)
    assert faults(command.delivered(row, request.secret), platform) == []


def test_the_documentation_is_really_compared() -> None:
    assert faults({"RequestType": "BlankPush"}, Platform.MAC) == ["BlankPush is no request"]
    assert faults({"RequestType": "DeviceLock", "PIN": 1, "Extra": True}, Platform.IPAD) == [
        "PIN of DeviceLock is not for phone",
        "DeviceLock has no Extra",
    ]
    assert faults({"RequestType": "ClearPasscode"}, Platform.MAC) == [
        f"ClearPasscode is not for {Platform.MAC}",
        "ClearPasscode lacks UnlockToken",
    ]
    assert faults({"RequestType": "InstallProfile", "Payload": "x"}, Platform.APPLE_TV) == [
        "Payload of InstallProfile is no data"
    ]
    assert faults({"RequestType": "DeviceInformation", "Queries": ["EthernetMAC"]}, Platform.IPAD) == [
        "EthernetMAC is no fact of iPad"
    ]
