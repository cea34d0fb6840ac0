from devices.models.blueprints import Blueprint
from devices.models.devices import Device, DeviceInventory, Fleet, Platform
from devices.models.tags import Tag
from devices.models.users import DirectoryIntegration, User

__all__ = [
    "Blueprint",
    "Device",
    "DeviceInventory",
    "DirectoryIntegration",
    "Fleet",
    "Platform",
    "Tag",
    "User",
]
