"""Which devices know declarative management, and since which version of their system."""

from collections.abc import Mapping

from devices.inventory.information import is_supervised
from devices.models import MACS, Device, Platform
from devices.versions import Version, version_of

type Since = Mapping[str, Version]

DECLARATIONS: Since = {
    Platform.MAC: (13,),
    Platform.IPHONE: (15,),
    Platform.IPAD: (15,),
    Platform.APPLE_TV: (16,),
}
PACKAGES: Since = {Platform.MAC: (26,)}
SOFTWARE_UPDATES: Since = {Platform.MAC: (14,), Platform.IPHONE: (17,), Platform.IPAD: (17,)}


def knows(device: Device, since: Since) -> bool:
    """Whether the system of the device is as new as that. A device whose version is unknown is not."""
    first, version = since.get(device.platform), version_of(device.os_version)
    return first is not None and version is not None and version >= first


def takes_declarations(device: Device) -> bool:
    """Whether the device takes declarations. A Mac does so only if it is supervised, as its inventory says.

    Costs one query for a Mac, and none for the others.
    """
    return knows(device, DECLARATIONS) and (device.platform not in MACS or is_supervised(device))


def may_take_declarations(device: Device) -> bool:
    """Whether the device may take them once more is known of it."""
    return device.platform in DECLARATIONS and (not device.os_version or knows(device, DECLARATIONS))
