"""The status items that devices are subscribed to, and the values that are taken of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from devices.declarations.support import PACKAGES, Since, knows
from devices.inventory.answers import flag, given, integer, rows, section, text
from devices.models import Device, Platform

LONGEST = 255  # characters of a value

_EVERY: Since = {Platform.MAC: (13,), Platform.IPHONE: (15,), Platform.IPAD: (15,), Platform.APPLE_TV: (16,)}
_BUILDS: Since = {Platform.MAC: (13,), Platform.IPHONE: (16, 1), Platform.IPAD: (16, 1), Platform.APPLE_TV: (16, 1)}
_UPDATES: Since = {Platform.MAC: (14,), Platform.IPHONE: (17,), Platform.IPAD: (17,)}

type Reader = Callable[[Mapping[str, Any], str], Any]


def _text(parent: Mapping[str, Any], key: str) -> str | None:
    return text(parent, key, most=LONGEST)


def _failure(parent: Mapping[str, Any], key: str) -> dict[str, Any] | None:
    said = section(parent, key)
    return given(count=integer(said, "count"), reason=_text(said, "reason"), timestamp=_text(said, "timestamp")) or None


def _pending(parent: Mapping[str, Any], key: str) -> dict[str, Any] | None:
    said = section(parent, key)
    return given(**{name: _text(said, name) for name in ("os-version", "build-version")}) or None


@dataclass(frozen=True, slots=True)
class StatusItem:
    """`read` takes the value out of the dict that it is in; None for a value of another type.

    Without `read` the item is no single value and is read elsewhere.
    """

    since: Since
    read: Reader | None


OS_VERSION, BUILD = "device.operating-system.version", "device.operating-system.build-version"
SUPPLEMENTAL_BUILD = "device.operating-system.supplemental.build-version"
FILEVAULT, STATES = "diskmanagement.filevault.enabled", "management.declarations"
PACKAGE_LIST = "package.list"
UPDATE_STATE, UPDATE_FAILURE = "softwareupdate.install-state", "softwareupdate.failure-reason"

STATUS_ITEMS = {
    "device.model.family": StatusItem(_EVERY, _text),
    OS_VERSION: StatusItem(_EVERY, _text),
    BUILD: StatusItem(_EVERY, _text),
    SUPPLEMENTAL_BUILD: StatusItem(_BUILDS, _text),
    STATES: StatusItem(_EVERY, None),
    PACKAGE_LIST: StatusItem(PACKAGES, None),
    "passcode.is-compliant": StatusItem({Platform.IPHONE: (16,), Platform.IPAD: (16,)}, flag),
    FILEVAULT: StatusItem({Platform.MAC: (14,)}, flag),
    UPDATE_STATE: StatusItem(_UPDATES, _text),
    UPDATE_FAILURE: StatusItem(_UPDATES, _failure),
    "softwareupdate.pending-version": StatusItem(_UPDATES, _pending),
}


def subscribed(device: Device) -> list[str]:
    """The names of the items that the system of the device knows."""
    return [name for name, item in STATUS_ITEMS.items() if knows(device, item.since)]


def values_in(items: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a report by the names of their items. Those of another type, and unknown items, are left out."""
    found = {}
    for name, item in STATUS_ITEMS.items():
        *parents, key = name.split(".")
        inner = items
        for parent in parents:
            inner = section(inner, parent)
        if item.read is not None:
            found[name] = item.read(inner, key)
    return {name: value for name, value in found.items() if value is not None}


def packages_in(items: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What a report says of single packages that the device has by declarations."""
    return _rows(section(items, "package"), "list")


def states_in(items: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What a report says of single declarations, of every kind."""
    declarations = section(section(items, "management"), "declarations")
    return [
        row for kind in ("activations", "configurations", "assets", "management") for row in _rows(declarations, kind)
    ]


def _rows(declarations: Mapping[str, Any], kind: str) -> list[Mapping[str, Any]]:
    return rows(declarations, kind) or []
