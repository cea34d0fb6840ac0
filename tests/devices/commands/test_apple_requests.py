"""Every request of every command against what Apple documents."""

from typing import Any

import pytest

from access.models import Tenant
from devices.models import Platform
from tests.devices.commands.delivering import SENT, delivered
from tests.devices.mdm.apple import faults
from tests.factories.devices import DeviceFactory

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("id", "platform", "body"), SENT)
def test_a_device_receives_what_apple_documents(
    id: str, platform: Platform, body: dict[str, Any], tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = DeviceFactory.create(tenant=tenant, platform=platform, os_version="18.1")
    assert faults(delivered(device, id, body, monkeypatch), platform) == []


def test_the_documentation_is_really_compared() -> None:
    assert faults({"RequestType": "BlankPush"}, Platform.MAC) == ["BlankPush is no request"]
    assert faults({"RequestType": "DeviceLock", "PIN": 1, "Extra": True}, Platform.IPAD) == [
        "PIN of DeviceLock is not for this device",
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
