from typing import Any

from pydantic import Field

from devices.commands.base import AppleBody, Command, MenuGroup, Request, csp
from devices.commands.settings_switch import item_errors
from devices.fleet import activity, records
from devices.inputs import Name
from devices.models import APPLE, Device, DeviceCommand, Platform


class SetDeviceNameBody(AppleBody):
    device_name: Name = Field(title="New name", description="The name that the device shows.")


class SetDeviceName(Command[SetDeviceNameBody]):
    id = "set_device_name"
    order = 180
    action = "setname"
    label = "Set Name"
    title = "Set name"
    about = "Rename a device"
    body = SetDeviceNameBody
    group = MenuGroup.SETTINGS
    icon = "pencil"
    consequence = "The device gets the new name. It is shown here once the device has confirmed it."
    platforms = APPLE | {Platform.WINDOWS}
    command_type = "DeviceName"

    def request(self, device: Device, body: SetDeviceNameBody) -> Request:
        if device.platform == Platform.WINDOWS:
            return csp("DevDetail", "Replace", "./DevDetail/Ext/Microsoft/DNSComputerName", body.device_name)
        return Request(
            type="Settings", parameters={"Settings": [{"Item": "DeviceName", "DeviceName": body.device_name}]}
        )

    def refusal(self, answer: dict[str, Any]) -> list[dict[str, Any]]:
        return item_errors(answer)

    def on_completed(self, row: DeviceCommand) -> None:
        device, old, new = row.device, row.device.name, _name(row.payload)
        if new != old:
            device.name = new
            device.save(update_fields=["name"])
            records.refresh_locked(device.pk)
            activity.log(device=device, action_type=activity.NAME_CHANGED, details={"to": new, "from": old})


def _name(payload: dict[str, Any]) -> str:
    name: str = payload["Replace"]["Data"] if "Replace" in payload else payload["Settings"][0]["DeviceName"]
    return name
