"""Status reports: what a device says of itself and of its declarations, without having been asked."""

import logging
from collections.abc import Mapping
from typing import Any

import orjson
from django.utils import timezone

from devices.declarations.current import begun, declarations_of, noted
from devices.declarations.status_items import (
    BUILD,
    FILEVAULT,
    OS_VERSION,
    PACKAGE_LIST,
    SUPPLEMENTAL_BUILD,
    packages_in,
    states_in,
    values_in,
)
from devices.inventory.answers import flag, given, rows, section, text
from devices.inventory.reports import Report, store_report
from devices.models import MACS, Device, DeviceDeclarations, Enrollment

MOST_BYTES = 64 * 1024  # of the JSON text of a column
MOST_REASONS, MOST_ERRORS, MOST_STRANGERS, MOST_PACKAGES = 5, 20, 20, 200
LONGEST_CODE, LONGEST_DESCRIPTION = 200, 500
VALIDITY = {"unknown", "invalid", "valid"}

logger = logging.getLogger(__name__)


def take_report(device: Device, enrollment: Enrollment, report: Mapping[str, Any]) -> bool:
    """Store the status report of a locked device. Returns whether its system has another version than before.

    An incremental report keeps what it does not say. A full one replaces what was said of status items and
    declarations, and still keeps the facts of the device that it does not say. What a device says of a declaration
    that it was not given changes nothing.
    """
    row = noted(device, enrollment) or begun(device, enrollment)
    items, full = section(report, "StatusItems"), flag(report, "FullReport") is True
    said, before = values_in(items), {} if full else row.status
    row.status = {**before, **said}
    if packages := packages_of(items):
        listed = {**before.get(PACKAGE_LIST, {}), **packages}
        there = [(name, each) for name, each in listed.items() if each is not None]
        row.status[PACKAGE_LIST] = _fitting(dict(there[-MOST_PACKAGES:]))
    tokens = {each.identifier: each.server_token for each in declarations_of(device)}
    row.states = _fitting(_states(device, row, items, tokens, full=full))
    errors = [_error(each) for each in (rows(report, "Errors") or [])[:MOST_ERRORS]]
    if errors or full:
        row.errors = list(_fitting({each["item"]: each for each in errors if each}).values())
    row.reported_at = timezone.now()
    row.save(update_fields=["status", "states", "errors", "strangers", "reported_at"])
    before = device.os_version
    _store_evidence(device, said, row.status)
    return device.os_version != before


def packages_of(items: Mapping[str, Any]) -> dict[str, Any]:
    """What a report says of the packages that the device has by declarations, by their identifiers.

    None for one that is gone; otherwise its declaration, version, state and reasons.
    """
    found: dict[str, Any] = {}
    for said in packages_in(items):
        identifier = text(said, "identifier", most=LONGEST_CODE)
        if identifier is None:
            continue
        found[identifier] = (
            None
            if flag(said, "_removed")
            else {
                "declaration": text(said, "declaration-identifier", most=64) or "",
                "version": text(said, "version", most=LONGEST_CODE) or "",
                "state": text(said, "state", most=64) or "",
                "reasons": _reasons(said, "reasons", "code", "description"),
            }
        )
    return found


def words_of(reasons: list[dict[str, str]]) -> list[str]:
    """Stored reasons for people."""
    return [reason.get("description") or reason["code"] for reason in reasons]


def _states(
    device: Device, row: DeviceDeclarations, items: Mapping[str, Any], tokens: Mapping[str, str], *, full: bool
) -> dict[str, Any]:
    """The states of those declarations that the device has now. A state of an earlier revision says nothing of it."""
    states = {} if full else {name: state for name, state in row.states.items() if name in tokens}
    for said in states_in(items):
        identifier, token = text(said, "identifier", most=64), text(said, "server-token", most=64)
        if identifier is None:
            continue
        if identifier not in tokens:
            _note_stranger(device, row, identifier)
        elif flag(said, "_removed"):
            states.pop(identifier, None)
        elif token == tokens[identifier]:
            valid = text(said, "valid")
            states[identifier] = {
                "server_token": token,
                "active": flag(said, "active") is True,
                "valid": valid if valid in VALIDITY else "unknown",
                "reasons": _reasons(said, "reasons", "code", "description"),
            }
    return states


def _note_stranger(device: Device, row: DeviceDeclarations, identifier: str) -> None:
    """It is no error where the declaration was just removed."""
    if identifier in row.strangers or len(row.strangers) >= MOST_STRANGERS:
        return
    row.strangers = [*row.strangers, identifier]
    logger.info("The device %s reports on a declaration that it does not have: %r.", device.uuid, identifier)


def _reasons(said: Mapping[str, Any], key: str, code: str, description: str) -> list[dict[str, str]]:
    found = []
    for reason in (rows(said, key) or [])[:MOST_REASONS]:
        name = reason.get(code)
        if isinstance(name, str) and text(reason, code, most=len(name)) is not None:
            words = reason.get(description)
            kept = {"code": name[:LONGEST_CODE]}
            if isinstance(words, str) and text(reason, description, most=len(words)) is not None:
                kept["description"] = words[:LONGEST_DESCRIPTION]
            found.append(kept)
    return found


def _error(said: Mapping[str, Any]) -> dict[str, Any]:
    item = text(said, "StatusItem", most=LONGEST_CODE)
    return {"item": item, "reasons": _reasons(said, "Reasons", "Code", "Description")} if item else {}


def _fitting(found: dict[str, Any]) -> dict[str, Any]:
    """The rows; without their reasons if they are too large with them."""
    if len(orjson.dumps(found)) <= MOST_BYTES:
        return found
    short = {name: {**each, "reasons": []} for name, each in found.items()}
    return short if len(orjson.dumps(short)) <= MOST_BYTES else {}


def _store_evidence(device: Device, said: Mapping[str, Any], status: Mapping[str, Any]) -> None:
    """Store the facts of a report in the details of the device, as if the device had been asked for them."""
    build = said.get(SUPPLEMENTAL_BUILD)
    if build is None and SUPPLEMENTAL_BUILD not in status:  # of a system that has no supplemental one
        build = said.get(BUILD)
    facts = given(
        os_version=said.get(OS_VERSION),
        supplemental_build_version=build,
        filevault_enabled=said.get(FILEVAULT) if device.platform in MACS else None,
    )
    details: dict[str, Any] = {}
    version, whole = status.get(OS_VERSION), status.get(BUILD)
    if device.platform in MACS and version and whole and said.keys() & {OS_VERSION, BUILD}:
        details["general"] = {"system_version": f"macOS {version} ({whole})"}
    if facts or details:
        derived = frozenset({"filevault"}) if "filevault_enabled" in facts else frozenset[str]()
        store_report(device, Report(facts=facts, details=details, derived=derived))
