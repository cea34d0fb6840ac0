from devices.commands.base import Command, MenuGroup, Request, csp
from devices.models import APPLE, Device, Platform

QUERIES = [
    "UDID",
    "DeviceName",
    "SerialNumber",
    "Model",
    "ModelName",
    "ProductName",
    "OSVersion",
    "SupplementalOSVersionExtra",
    "BuildVersion",
    "SupplementalBuildVersion",
    "IsSupervised",
    "IsActivationLockEnabled",
    "DeviceCapacity",
    "AvailableDeviceCapacity",
    "BatteryLevel",
    "WiFiMAC",
    "BluetoothMAC",
    "EthernetMAC",
]


class UpdateInventory(Command[None]):
    id = "update_inventory"
    order = 220
    action = "updateinventory"
    label = "Update device inventory"
    title = "Update inventory"
    about = "Ask a device to report its hardware, system and apps"
    group = MenuGroup.MANAGE
    icon = "clipboard-list"
    consequence = "The device reports its hardware, system and apps again. Its user does not notice."
    platforms = APPLE | {Platform.WINDOWS}
    command_type = "DeviceInformation"

    def request(self, device: Device, body: None) -> Request:
        if device.platform == Platform.WINDOWS:
            return csp("DevDetail", "Get", "./DevDetail?list=StructData")
        return Request(type="DeviceInformation", parameters={"Queries": QUERIES})
