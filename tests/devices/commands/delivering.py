"""Every command to Apple devices, as a device receives it."""

from typing import Any

import pytest
from django.utils import timezone

from devices.commands import EVERY_COMMAND
from devices.fleet.secrets import store_secret
from devices.library.desired.ways import WAYS
from devices.models import APPLE, Device, DeviceCommand, DeviceItem, DeviceSecret, Enrollment
from tests.factories.devices import ContentsFactory, CustomAppFactory, CustomProfileFactory, IpaAppFactory

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
UNLOCK_TOKEN = "dG9rZW4="
# What a command is about, if it is about a library item: the factory of the item, and whether the device is to have it.
LIBRARY: dict[str, tuple[type[ContentsFactory], bool]] = {
    "install_profile": (CustomProfileFactory, True),
    "remove_profile": (CustomProfileFactory, False),
    "install_application": (IpaAppFactory, True),
    "remove_application": (IpaAppFactory, False),
    "install_enterprise_application": (CustomAppFactory, True),
}


def delivered(device: Device, id: str, body: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The request of a command to the device, in which profiles are `profile`."""
    monkeypatch.setattr("devices.commands.renew_mdm_profile.renewal_profile", lambda device: b"profile")
    monkeypatch.setattr("devices.commands.erase.return_profile", lambda device: b"profile")
    store_secret(device=device, kind=DeviceSecret.Kind.UNLOCK_TOKEN, value=UNLOCK_TOKEN)
    if id in {"declarative_management", "install_application", "install_enterprise_application"}:
        enrolled = {"udid": f"UDID-{device.pk}", "state": "enrolled", "created_at": timezone.now()}
        Enrollment.objects.create(tenant=device.tenant, device=device, **enrolled)
    command = EVERY_COMMAND[id]
    request = command.request(device, command.body.model_validate(body) if command.body else None)
    row = DeviceCommand(device=device, command=id, request_type=request.type, payload=request.parameters)
    if id in LIBRARY:
        row.subject = _planned(device, *LIBRARY[id])
    return command.delivered(row, request.secret)


def _planned(device: Device, factory: type[ContentsFactory], wanted: bool) -> str:
    item = factory.create(tenant=device.tenant)
    DeviceItem.objects.create(
        device=device,
        item=item,
        item_uuid=item.uuid,
        type=item.type,
        identifier=WAYS[item.type].identifier(item),
        wanted=item.version if wanted else "",
    )
    return str(item.uuid)
