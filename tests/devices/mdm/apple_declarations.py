"""What Apple documents of declarations and of the status that devices report: facts from its schemas.

A second opinion on the declarations that this server sends, and on the reports of simulated devices. Families: Macs,
iPhones with iPads, Apple TVs.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from devices.models import Platform
from tests.devices.mdm.apple import FAMILIES
from tests.devices.mdm.apple_answers import MAC, PHONE, TV, Key, faults_in

type Introduced = Mapping[str, tuple[int, ...]]

EVERY = frozenset({MAC, PHONE, TV})
FIRST: Introduced = {MAC: (13, 0), PHONE: (15, 0), TV: (16, 0)}
UPDATES: Introduced = {MAC: (14, 0), PHONE: (17, 0)}
PACKAGES: Introduced = {MAC: (26, 0)}
LONGEST = 64  # bytes of an identifier, and of a token


class Schema(NamedTuple):
    """`supervised`: the families of which only supervised devices take the declaration."""

    introduced: Introduced
    keys: dict[str, Key]
    supervised: frozenset[str] = frozenset({MAC})


class Item(NamedTuple):
    introduced: Introduced
    value: Key


def _key(type: str, *, required: bool = True, **more: Any) -> Key:
    return Key(type, EVERY, required, **more)


DECLARATIONS = {
    "com.apple.activation.simple": Schema(
        FIRST,
        {"StandardConfigurations": _key("list", item="text"), "Predicate": _key("text", required=False)},
        supervised=frozenset(),
    ),
    "com.apple.configuration.management.status-subscriptions": Schema(
        FIRST, {"StatusItems": _key("list", keys={"Name": _key("text")})}
    ),
    "com.apple.configuration.softwareupdate.enforcement.specific": Schema(
        UPDATES,
        {
            "TargetOSVersion": _key("text"),
            "TargetLocalDateTime": _key("text"),
            "TargetBuildVersion": _key("text", required=False),
            "DetailsURL": _key("text", required=False),
        },
    ),
    "com.apple.configuration.package": Schema(
        PACKAGES,
        {
            "ManifestURL": _key("text"),
            "InstallBehavior": _key(
                "dict",
                required=False,
                keys={"Install": _key("text", required=False, only=frozenset({"Optional", "Required"}))},
            ),
        },
    ),
}
REASON = {"code": _key("text"), "description": _key("text", required=False), "details": _key("dict", required=False)}
STATE = {
    "identifier": _key("text"),
    "server-token": _key("text"),
    "active": _key("flag"),
    "valid": _key("text", only=frozenset({"unknown", "invalid", "valid"})),
    "reasons": _key("list", required=False, keys=REASON),
}
PACKAGE = {
    "identifier": _key("text"),
    "_removed": _key("flag", required=False),
    "declaration-identifier": _key("text", required=False),
    "name": _key("text", required=False),
    "version": _key("text", required=False),
    "state": _key(
        "text",
        required=False,
        only=frozenset(
            {"optional", "queued", "prompting-for-consent", "downloading", "installing", "installed", "failed"}
        ),
    ),
    "reasons": _key("list", required=False, keys=REASON),
}
STATUS_ITEMS = {
    "package.list": Item(PACKAGES, _key("list", keys=PACKAGE)),
    "device.model.family": Item(FIRST, _key("text")),
    "device.operating-system.version": Item(FIRST, _key("text")),
    "device.operating-system.build-version": Item(FIRST, _key("text")),
    "device.operating-system.supplemental.build-version": Item(
        {MAC: (13, 0), PHONE: (16, 1), TV: (16, 1)}, _key("text")
    ),
    "management.declarations": Item(
        FIRST,
        _key(
            "dict",
            keys={name: _key("list", keys=STATE) for name in ("activations", "configurations", "assets", "management")},
        ),
    ),
    "passcode.is-compliant": Item({PHONE: (16, 0)}, _key("flag")),
    "diskmanagement.filevault.enabled": Item({MAC: (14, 0)}, _key("flag")),
    "softwareupdate.install-state": Item(
        UPDATES,
        _key("text", only=frozenset({"none", "waiting", "downloading", "prepared", "installing", "failed"})),
    ),
    "softwareupdate.failure-reason": Item(
        UPDATES,
        _key(
            "dict",
            keys={
                "count": _key("integer"),
                "reason": _key("text", required=False),
                "timestamp": _key("text", required=False),
            },
        ),
    ),
    "softwareupdate.pending-version": Item(
        UPDATES, _key("dict", keys={"os-version": _key("text"), "build-version": _key("text")})
    ),
}


def declaration_faults(document: Mapping[str, Any], platform: Platform, version: str, *, supervised: bool) -> list[str]:
    """What a declaration, as the device fetches it, has against Apple's documentation."""
    type, family = document["Type"], FAMILIES[platform]
    schema = DECLARATIONS.get(type)
    if schema is None:
        return [f"{type} is no declaration"]
    found = [f"{key} is no part" for key in document.keys() ^ {"Type", "Identifier", "ServerToken", "Payload"}]
    found += [f"{key} is too long" for key in ("Identifier", "ServerToken") if len(document[key].encode()) > LONGEST]
    if not _known(schema.introduced, family, version) or (family in schema.supervised and not supervised):
        found.append(f"{type} is not for {platform} {version}")
    found += faults_in(type, document["Payload"], schema.keys, frozenset({family}))
    for item in document["Payload"].get("StatusItems", ()):
        known = STATUS_ITEMS.get(item["Name"])
        if known is None or not _known(known.introduced, family, version):
            found.append(f"{item['Name']} is no status item of {platform} {version}")
    return found


def report_faults(report: Mapping[str, Any], platform: Platform, version: str) -> list[str]:
    """What a status report has against Apple's documentation."""
    family = FAMILIES[platform]
    found = [f"{key} is no part" for key in report.keys() - {"StatusItems", "Errors", "FullReport"}]
    found += [f"the report lacks {key}" for key in {"StatusItems", "Errors"} - report.keys()]
    for name, item in STATUS_ITEMS.items():
        *parents, last = name.split(".")
        inner: Any = report["StatusItems"]
        for parent in parents:
            inner = inner.get(parent, {})
        if last in inner:
            found += [] if _known(item.introduced, family, version) else [f"{name} is not for {platform} {version}"]
            found += faults_in(name, {last: inner.pop(last)}, {last: item.value}, frozenset({family}))
    return found + [f"{name} is no status item" for name in _leaves(report["StatusItems"])]


def _leaves(items: Mapping[str, Any]) -> list[str]:
    return [key for key, value in items.items() if not isinstance(value, dict) or _leaves(value)]


def _known(introduced: Introduced, family: str, version: str) -> bool:
    numbers = [int(number) for number in version.split(".")]
    return family in introduced and (*numbers, 0) >= introduced[family]
