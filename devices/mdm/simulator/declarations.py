"""Declarative management on a simulated device: what it fetches, applies and reports."""

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from devices.mdm.simulator import packages
from devices.mdm.simulator.transports import Answer

if TYPE_CHECKING:
    from devices.mdm.simulator.device import SimulatedDevice

# The parts of a list, with their names in an address and in a report.
PARTS = {
    "Activations": ("activation", "activations"),
    "Assets": ("asset", "assets"),
    "Configurations": ("configuration", "configurations"),
    "Management": ("management", "management"),
}
PACKAGES = "package.list"
ACTIVATION = "com.apple.activation.simple"
STATUS = "com.apple.configuration.management.status-subscriptions"
UPDATE = "com.apple.configuration.softwareupdate.enforcement.specific"
KNOWN = {ACTIVATION, STATUS, UPDATE, packages.DECLARATION}
FIRST_WITH_PACKAGES = 26  # macOS

type Document = dict[str, Any]


@dataclass
class Declared:
    """The declarations of a device, and what it has reported of itself since it was told of them."""

    on: bool = False
    due: bool = False  # told that there is news, and has not fetched it
    token: str = ""
    parts: dict[str, dict[str, Document]] = field(default_factory=lambda: {part: {} for part in PARTS})
    reported: dict[str, Any] = field(default_factory=dict)

    def turn_on(self) -> None:
        self.on = self.due = True

    def of_type(self, type: str) -> list[Document]:
        return [each for part in self.parts.values() for each in part.values() if each["Type"] == type]

    @property
    def active(self) -> set[str]:
        """The identifiers of configurations that an activation names."""
        return {name for each in self.of_type(ACTIVATION) for name in each["Payload"]["StandardConfigurations"]}


def live(device: "SimulatedDevice") -> None:
    """What the device does between two sessions: fetch what is new, update its system, and report what has changed."""
    declared = device.state.declared
    if not (declared.on and device.reachable):
        return
    if declared.due and not _synchronize(device):
        return
    if _knows_packages(device):
        packages.declare(device, _applied(device, packages.DECLARATION))
    report(device)
    if _updates(device):
        report(device)
    if packages.live_declared(device):
        report(device)


def ask(device: "SimulatedDevice", endpoint: str, data: bytes | None = None) -> Answer:
    """Send one check-in about declarations."""
    return device.check_in("DeclarativeManagement", Endpoint=endpoint, **({} if data is None else {"Data": data}))


def report(device: "SimulatedDevice", *, full: bool = False) -> None:
    """Send what has changed since the last report, or all. Of the packages, a report has those that have changed."""
    now = _status(device)
    before = {} if full else device.state.declared.reported
    changed = {name: value for name, value in now.items() if before.get(name) != value}
    if PACKAGES in changed:
        changed[PACKAGES] = _changed_packages(before.get(PACKAGES, []), now[PACKAGES])
    if not changed:
        return
    document: Document = {"StatusItems": _nested(changed), "Errors": [], **({"FullReport": True} if full else {})}
    if ask(device, "status", json.dumps(document).encode()).status == 200:
        device.state.declared.reported = now


def _synchronize(device: "SimulatedDevice") -> bool:
    """Fetch what is not here in the revision of the list. Returns whether the server answered all of it."""
    declared = device.state.declared
    tokens, items = _json(ask(device, "tokens")), _json(ask(device, "declaration-items"))
    if tokens is None or items is None:
        return False
    for part, (kind, _) in PARTS.items():
        here, listed = declared.parts[part], {}
        for item in items["Declarations"][part]:
            name, token = item["Identifier"], item["ServerToken"]
            known = here.get(name)
            if known is None or known["ServerToken"] != token:
                known = _json(ask(device, f"declaration/{kind}/{name}"))
            if known is None:
                return False
            listed[name] = known
        declared.parts[part] = listed
    declared.token, declared.due = items["DeclarationsToken"], False
    return True


def _updates(device: "SimulatedDevice") -> bool:
    """Install the version that a declaration demands, at its deadline. Returns whether it was installed."""
    for document in _applied(device, UPDATE):
        target, deadline = document["Payload"]["TargetOSVersion"], document["Payload"]["TargetLocalDateTime"]
        over = datetime.fromisoformat(deadline) <= device.now.replace(tzinfo=None)
        if _numbers(target) > _numbers(device.state.os_version) and (over or device.switches.updates_early):
            device.state.os_version = target
            device.state.build = f"99S{int(hashlib.sha256(target.encode()).hexdigest(), 16) % 900 + 100}"
            return True
    return False


def _applied(device: "SimulatedDevice", type: str) -> list[Document]:
    declared, refused = device.state.declared, device.switches.refuses_declarations
    return [each for each in declared.of_type(type) if each["Identifier"] in declared.active and type not in refused]


def _status(device: "SimulatedDevice") -> dict[str, Any]:
    """The values of the items that the device is subscribed to, as far as it knows them."""
    state = device.state
    updates = [each for each in _applied(device, UPDATE) if _numbers(_target(each)) > _numbers(state.os_version)]
    known: dict[str, Any] = {
        "device.model.family": _family(device),
        "device.operating-system.version": state.os_version,
        "device.operating-system.build-version": state.build,
        "device.operating-system.supplemental.build-version": state.build,
        "management.declarations": _states(device),
    }
    if device.kind.mac:
        known["diskmanagement.filevault.enabled"] = True
    if _knows_packages(device):
        known[PACKAGES] = packages.listed(device)
    if device.kind.mobile:
        known["passcode.is-compliant"] = True
    if device.kind.family != "tvOS":
        known |= {
            "softwareupdate.install-state": "downloading" if updates else "none",
            "softwareupdate.failure-reason": {"count": 0},
            "softwareupdate.pending-version": {
                "os-version": _target(updates[0]) if updates else "",
                "build-version": "",
            },
        }
    wanted = {item["Name"] for each in _applied(device, STATUS) for item in each["Payload"]["StatusItems"]}
    return {name: value for name, value in known.items() if name in wanted}


def _knows_packages(device: "SimulatedDevice") -> bool:
    return device.kind.mac and _numbers(device.state.os_version) >= [FIRST_WITH_PACKAGES]


def _changed_packages(before: list[Document], now: list[Document]) -> list[Document]:
    there = {each["identifier"] for each in now}
    gone = [{"identifier": each["identifier"], "_removed": True} for each in before if each["identifier"] not in there]
    return [each for each in now if each not in before] + gone


def _states(device: "SimulatedDevice") -> dict[str, list[Document]]:
    declared = device.state.declared
    found = {
        name: [_state(device, each) for each in declared.parts[part].values()] for part, (_, name) in PARTS.items()
    }
    if device.switches.lies:
        found["configurations"].append(
            {"identifier": "com.example.stranger", "server-token": "1", "active": True, "valid": "valid"}
        )
    return found


def _state(device: "SimulatedDevice", document: Document) -> Document:
    state = {"identifier": document["Identifier"], "server-token": document["ServerToken"]}
    if document["Type"] not in KNOWN:
        return state | _invalid("Error.ConfigurationNotSupported", "The configuration is not supported.")
    if document["Type"] in device.switches.refuses_declarations:
        return state | _invalid("Error.ConfigurationCannotBeApplied", "The switch of this device says so.")
    active = document["Type"] == ACTIVATION or document["Identifier"] in device.state.declared.active
    return state | {"active": active, "valid": "valid"}


def _invalid(code: str, description: str) -> Document:
    return {"active": False, "valid": "invalid", "reasons": [{"code": code, "description": description}]}


def _family(device: "SimulatedDevice") -> str:
    return "Mac" if device.kind.mac else device.kind.model_name


def _target(document: Document) -> str:
    target: str = document["Payload"]["TargetOSVersion"]
    return target


def _numbers(version: str) -> list[int]:
    return [int(number) for number in version.split(".")]


def _nested(values: dict[str, Any]) -> Document:
    root: Document = {}
    for name, value in values.items():
        *parents, key = name.split(".")
        inner = root
        for parent in parents:
            inner = inner.setdefault(parent, {})
        inner[key] = value
    return root


def _json(answer: Answer) -> Document | None:
    """None for an answer that is not the document that was asked for."""
    with suppress(ValueError):
        if answer.status == 200:
            document = json.loads(answer.body)
            return document if isinstance(document, dict) else None
    return None
