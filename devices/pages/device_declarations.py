"""The declarations of a device, and what the device says of each."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from devices.declarations.current import declarations_of, noted
from devices.declarations.reports import words_of
from devices.declarations.status_items import UPDATE_FAILURE, UPDATE_STATE
from devices.enrollment.enrollments import enrollment_of
from devices.models import Device, DeviceDeclarations

UPDATE_WORDS = {
    "waiting": "Waiting",
    "downloading": "Downloading",
    "prepared": "Ready to install",
    "installing": "Installing",
    "failed": "Failed",
}


@dataclass(frozen=True, slots=True)
class Line:
    """A declaration, its state in one word with the class of its badge, and the device's own reasons."""

    title: str
    state: str
    tone: str
    reasons: list[str]


@dataclass(frozen=True, slots=True)
class Declared:
    """What the card shows. `update` is the state of a system update in words, empty if there is none."""

    lines: list[Line]
    reported_at: datetime | None
    update: str
    update_problem: str


def declared(device: Device) -> Declared | None:
    """None for a device that takes no declarations. Costs four queries."""
    enrollment = enrollment_of(device)
    if enrollment is None or not (declarations := declarations_of(device)):
        return None
    row = noted(device, enrollment) or DeviceDeclarations()
    lines = []
    for each in declarations:
        state = row.states.get(each.identifier, {})
        known = state if state.get("server_token") == each.server_token else {}
        lines.append(Line(each.title, *_state(known), words_of(known.get("reasons", []))))
    failure = row.status.get(UPDATE_FAILURE, {})
    return Declared(
        lines,
        row.reported_at,
        UPDATE_WORDS.get(row.status.get(UPDATE_STATE, ""), ""),
        failure.get("reason", "") if failure.get("count") else "",
    )


def _state(known: dict[str, Any]) -> tuple[str, str]:
    match known:
        case {"valid": "invalid"}:
            return "Invalid", "danger"
        case {"valid": "valid", "active": True}:
            return "Active", "success"
        case {"active": False}:
            return "Not active", "warning"
    return "Waiting", ""
