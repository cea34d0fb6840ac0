"""What Macs show of the packages that they were told to install: their list of apps.

The device is locked by the caller in every function here.
"""

from devices.library.desired import evidence, package_files
from devices.library.desired.evidence import UNKNOWN, Sighting
from devices.library.desired.package_files import Versions, is_there
from devices.library.desired.ways import CUSTOM_APPS
from devices.library.packages import App, Package
from devices.models import Device, DeviceItem


def take_apps(device: Device, installed: Versions) -> bool:
    """Compare with the apps of a Mac. Returns whether a command to it is missing."""

    def see(row: DeviceItem) -> Sighting:
        package = package_files.package_of(row.item) if row.item is not None and _is_current(row) else None
        if package is None:
            return UNKNOWN
        # All of them: one that several packages bring along, such as an updater, may have been there before.
        lacking = [app for app in _main(package) if not is_there(app, installed)]
        if not lacking:
            return Sighting(version=row.wanted)
        # Never "": a package is installed once. A person may delete the app, and it does not come again.
        return Sighting(version=None, words=_words(lacking[0].identifier, installed))

    return evidence.shown(device, CUSTOM_APPS, see, "item__custom_app__file")


def take_no_apps(device: Device) -> bool:
    """The Mac does not answer with a list: the patience with it ends all the same. Returns as `take_apps` does."""
    return evidence.shown(device, CUSTOM_APPS, lambda _: UNKNOWN)


def _main(package: Package) -> list[App]:
    """The apps that people use. Those that work in the background are elsewhere, and not in the list of every Mac."""
    return [app for app in package.apps if app.path.startswith("/Applications/")] or package.apps


def _is_current(row: DeviceItem) -> bool:
    """Whether the contents of the item are those that were planned for the device."""
    return row.item is not None and bool(row.wanted) and row.wanted == row.item.version


def _words(identifier: str, installed: Versions) -> str:
    found = installed.get(identifier)
    return (
        f"It has version {(found[0][0] or found[0][1])[:60]} of {identifier}." if found else f"It lacks {identifier}."
    )
