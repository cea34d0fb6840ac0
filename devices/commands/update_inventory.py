from devices.commands.base import Command, Request, csp
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
    action = "updateinventory"
    label = "Update device inventory"
    about = "Have a device report what it is and what it holds"
    platforms = APPLE | {Platform.WINDOWS}
    command_type = "DeviceInformation"

    def request(self, device: Device, body: None) -> Request:
        if device.platform == Platform.WINDOWS:
            return csp("DevDetail", "Get", "./DevDetail?list=StructData")
        return Request(type="DeviceInformation", parameters={"Queries": QUERIES})
