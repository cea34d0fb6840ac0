from typing import Any

from devices.commands.base import AppleBody, Command, Request, csp
from devices.fleet import activity, records
from devices.inputs import Name
from devices.models import APPLE, Device, DeviceCommand, Platform


class SetDeviceNameBody(AppleBody):
    device_name: Name


class SetDeviceName(Command[SetDeviceNameBody]):
    id = "set_device_name"
    action = "setname"
    label = "Set Name"
    about = "Give a device another name"
    platforms = APPLE | {Platform.WINDOWS}
    command_type = "DeviceName"
    body = SetDeviceNameBody

    def request(self, device: Device, body: SetDeviceNameBody) -> Request:
        if device.platform == Platform.WINDOWS:
            return csp("DevDetail", "Replace", "./DevDetail/Ext/Microsoft/DNSComputerName", body.device_name)
        return Request(
            type="Settings", parameters={"Settings": [{"Item": "DeviceName", "DeviceName": body.device_name}]}
        )

    def completed(self, row: DeviceCommand) -> None:
        device, old, new = row.device, row.device.name, _name(row.payload)
        if new != old:
            device.name = new
            device.save(update_fields=["name"])
            records.refresh([device.pk])
            activity.log(device=device, action_type=activity.NAME_CHANGED, details={"to": new, "from": old})


def _name(payload: dict[str, Any]) -> str:
    name: str = payload["Replace"]["Data"] if "Replace" in payload else payload["Settings"][0]["DeviceName"]
    return name
