"""The file of an in-house app: the name and the version that devices know it by, and the devices that can run it."""

from typing import Any

from devices.models import Device, LibraryItem, Platform
from devices.versions import version_of

# The families of which a file has to name one. An iPad runs apps for iPhones.
RUNS = {
    Platform.IPHONE: {"iPhone"},
    Platform.IPAD: {"iPad", "iPhone"},
    Platform.APPLE_TV: {"AppleTV"},
}


def metadata(item: LibraryItem) -> dict[str, Any]:
    """What was read in the file of an in-house app."""
    found: dict[str, Any] = item.ipa_app.file.metadata
    return found


def identifier(item: LibraryItem) -> str:
    return str(metadata(item)["app_identifier"])


def unfit(item: LibraryItem, device: Device) -> str:
    """Why the device cannot run the app; "" if it can, or if too little is known of one of them."""
    read = metadata(item)
    families = set(read["supported_device_families"])
    if families and not families & RUNS.get(Platform(device.platform), set()):
        return f"The app is built for {' and '.join(sorted(families))}."
    least, has = version_of(read["minimum_os_version"]), version_of(device.os_version)
    if least and has and has < least:
        return f"The app needs version {read['minimum_os_version']} of the system; the device has {device.os_version}."
    return ""


def is_version(item: LibraryItem, short: str, build: str) -> bool:
    """Whether an app with these versions, the one for people and that of the build, is the one in the file."""
    read = metadata(item)
    same = read["app_version"] in {short, "" if short else build}
    # Files that were uploaded before the number of the build was read have none.
    return same and read.get("app_build", build) == build
