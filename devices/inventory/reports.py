"""The way in for what a device reports of itself: its row, its inventory, and the rows of Prism."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from django.db.models import BooleanField, CharField
from django.db.models.functions import Upper
from django.utils import timezone

from access.compiled import Compiled, save_fields
from devices.conditions.facts import facts_changed
from devices.fleet import activity, records
from devices.inventory.detail_shapes import skeleton
from devices.inventory.known import digest_of, known_answers
from devices.inventory.lists import EMPTY_APPS
from devices.models import Device, DeviceInventory
from devices.models.prism.categories import CATEGORIES
from devices.prism.derive import DeviceReport, derived_rows
from devices.prism.rows import store_rows
from devices.text import is_storable

type Row = dict[str, Any]

FACTS = (
    "name",
    "model",
    "serial_number",
    "os_version",
    "supplemental_build_version",
    "supplemental_os_version_extra",
    "mac_address",
    "filevault_enabled",
    "is_missing",
)
CONDITION_FACTS = {"model", "serial_number", "os_version"}  # that conditions of assignment maps ask about
# The keys of sections that a device has only in some states, and of the rows of lists.
OPEN_SECTIONS = {
    "cellular": ("voice_roaming", "data_roaming", "cellular_technology", "subscriptions"),
    "automated_device_enrollment": ("auto_enroll_eligible", "auto_enrolled"),
}
LISTS = {
    "volumes": ("name", "format", "percent_used", "identifier", "capacity", "available", "encrypted"),
    "installed_profiles": (
        "name",
        "uuid",
        "verified",
        "identifier",
        "organization",
        "payload_types",
        "install_date",
    ),
}
ACCOUNTS = ("username", "uid", "path", "admin", "name")
# What identifies a row: the one that was reported before keeps what this report does not say.
_SAME = {"installed_profiles": ("uuid",), "users": ("username",), "apps": ("bundle_id", "app_name")}
_HARDWARE = re.compile(r"[A-Za-z]+\d+,\d+")  # Apple's name of a model, such as Mac14,2
_MAC_ADDRESS = re.compile(r"[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a device says of itself. A part that is missing keeps what is stored, and so does a missing key.

    `facts` are columns of Device. `details` are sections of the details; a list in them, and `apps`, are whole lists.
    `prism` are the rows of categories, and `derived` the categories whose rows follow from the details: a row of both
    has the columns of both. Unknown columns, sections and keys are dropped.
    """

    facts: Row = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    apps: list[Row] | None = None
    prism: Mapping[str, list[Row]] = field(default_factory=dict)
    derived: frozenset[str] = frozenset()


_DETAILS = Compiled(lambda device: DeviceInventory.objects.filter(device=device).values_list("details"))
_APPS = Compiled(lambda device: DeviceInventory.objects.filter(device=device).values_list("apps"))


def store_report(device: Device, report: Report) -> bool:
    """Store what a locked device reports, in the caller's transaction. Returns whether that changed anything.

    What is stored already is not written again.
    """
    changed = _store_facts(device, report.facts)
    return _store(device, report, known_answers(device), {}) or changed


def store_answer(
    device: Device, question: str, said: object, report: Callable[[], Report], *, facts: Mapping[str, Any] | None = None
) -> bool:
    """Store what a locked device answers to a question. Returns whether it said the same the last time.

    The report follows from `said` alone, and is made if that is new. `facts`, which others may change, are compared
    each time.
    """
    changed = _store_facts(device, facts or {})
    known = known_answers(device)
    # A device that was enrolled again is a new one.
    digest = digest_of(said, device.last_enrollment, known.escrow if known else None)  # type: ignore[attr-defined]
    if known is not None and digest and not changed and known.answers.get(question) == digest:
        return True
    _store(device, report(), known, {question: digest})
    return False


def _store(device: Device, report: Report, known: DeviceInventory | None, digests: Mapping[str, str]) -> bool:
    """Store a report without its facts, and the digests. Returns whether that changed more than these."""
    derived = report.derived - {"apps"}
    details: Row | None = None
    apps: list[Row] | None = None
    now: dict[str, Any] = {}
    if report.details or derived:
        stored = _DETAILS.first(device=device.pk) if known else None
        before = stored[0] if stored else {}
        details = _merged(device.platform, before, report.details)
        if details != before:
            now["details"] = details
    if report.apps is not None:
        stored = _APPS.first(device=device.pk) if known else None
        listed = stored[0] if stored else []
        columns = tuple(EMPTY_APPS[device.platform])
        apps = _known_again("apps", listed, [_only(columns, row) for row in report.apps])
        if apps != listed:
            now["apps"] = apps
    answers = {**(known.answers if known else {}), **digests}
    in_prism = _store_prism(device, report, DeviceReport(device, details, apps), answers)
    changed = bool(now) or in_prism
    if known is None or answers != known.answers:
        now["answers"] = answers
    if known is None:
        DeviceInventory.objects.create(device=device, **now)
    elif now:
        for name, value in now.items():
            setattr(known, name, value)
        save_fields(known, *sorted(now))
    return changed


def _store_facts(device: Device, facts: Mapping[str, Any]) -> bool:
    given = {name: value for name, value in facts.items() if name in FACTS and _fits(device, name, value)}
    changed = [name for name, value in given.items() if getattr(device, name) != value]
    if not changed:
        return False
    old_name = device.name
    for name in changed:
        setattr(device, name, given[name])
    device.save(update_fields=changed)
    records.refresh_locked(device.pk)
    if CONDITION_FACTS.intersection(changed):
        facts_changed(device.tenant_id, [device.pk])
    if "name" in changed:
        activity.log(device=device, action_type=activity.NAME_CHANGED, details={"to": device.name, "from": old_name})
    return True


def _fits(device: Device, name: str, value: Any) -> bool:
    """Whether a reported value may take the place of the stored one."""
    column = Device._meta.get_field(name)
    if isinstance(column, BooleanField):
        return isinstance(value, bool)
    longest = cast("CharField[str, str]", column).max_length or 0
    if not isinstance(value, str) or len(value) > longest or not is_storable(value):
        return False
    if not value.strip() and name != "supplemental_os_version_extra":  # that one ends with the next update
        return False
    match name:
        case "mac_address":
            return _MAC_ADDRESS.fullmatch(value) is not None
        case "serial_number":
            return not device.serial_number and _is_free(device, value)
        case "model":
            # What is stored may be more exact: `MacBook Pro (14-inch, 2021)`, where the device says `MacBook Pro`.
            return not device.model if _HARDWARE.fullmatch(value) else not device.model.startswith(value)
    return True


def _is_free(device: Device, serial_number: str) -> bool:
    if not serial_number or not serial_number.isascii() or not serial_number.isprintable():
        return False
    others = device.tenant.devices.alias(upper=Upper("serial_number")).filter(upper=serial_number.upper())
    return not others.exists()


def _merged(platform: str, stored: Mapping[str, Any], reported: Mapping[str, Any]) -> Row:
    """The stored details with what was reported, in the shape of the platform."""
    shape, merged = skeleton(platform), dict(stored)
    for name, value in reported.items():
        before = stored.get(name)
        if name == "users" and name in shape and isinstance(value, dict):
            before = before if isinstance(before, dict) else {}
            kinds = {
                kind: _known_again("users", before.get(kind), [_only(ACCOUNTS, row) for row in rows])
                for kind, rows in value.items()
                if kind in shape[name]
            }
            merged[name] = {**shape[name], **before, **kinds}
        elif name == "volumes" and name in shape and isinstance(value, list) and value:
            # A device says the size of its disk alone. What an agent has reported besides that stays.
            disks = [row for row in before if isinstance(row, dict)] if isinstance(before, list) else []
            first = {**dict.fromkeys(LISTS[name], ""), **(disks[0] if disks else {}), **_only(LISTS[name], value[0])}
            merged[name] = [first, *disks[1:]]
        elif name in LISTS and name in shape and isinstance(value, list):
            merged[name] = _known_again(name, before, [_only(LISTS[name], row) for row in value])
        elif isinstance(value, dict) and isinstance(shape.get(name), dict):
            known = _only(OPEN_SECTIONS.get(name) or tuple(shape[name]), value)
            if known:
                merged[name] = {**(before if isinstance(before, dict) else {}), **known}
    if "mdm" in reported and isinstance(merged.get("mdm"), dict) and "last_check_in" in merged["mdm"]:
        # An import brought it. Since the device reports to this server, its own column knows better.
        merged["mdm"] = {key: value for key, value in merged["mdm"].items() if key != "last_check_in"}
    return merged


def _known_again(name: str, stored: Any, rows: list[Row]) -> list[Row]:
    """The rows, with what the stored ones say beyond them."""
    keys = _SAME.get(name)
    if keys is None:
        return rows
    before: dict[tuple[Any, ...], list[Row]] = {}
    for row in stored if isinstance(stored, list) else []:
        if isinstance(row, dict):
            before.setdefault(tuple(str(row.get(key, "")) for key in keys), []).append(row)
    found = []
    for row in rows:
        same = before.get(tuple(str(row.get(key, "")) for key in keys))
        found.append({**same.pop(0), **row} if same else row)
    return found


def _only(keys: tuple[str, ...], row: Mapping[str, Any]) -> Row:
    return {key: row[key] for key in keys if key in row}


def _store_prism(device: Device, report: Report, whole: DeviceReport, answers: dict[str, str]) -> bool:
    """Store the rows of Prism, unless `answers` has their digest, which is kept there. Returns whether rows changed."""
    rows = dict(report.prism)
    if report.derived:
        for category, derived in derived_rows(whole).items():
            if category in report.derived:
                own = rows.get(category)
                rows[category] = [
                    {**one, **more} for one, more in zip(derived, own or [{}] * len(derived), strict=True)
                ]
    changed = False
    for category, declared in CATEGORIES.items():  # always in the same order, so that two devices cannot deadlock
        if category not in rows or device.platform not in declared.families:
            continue
        dates = {column.key for column in declared.own if column.kind == "date"}  # they change with each report
        said = [{key: value for key, value in row.items() if key not in dates} for row in rows[category]]
        name, digest = f"prism.{category}", digest_of(said)
        if digest and answers.get(name) == digest:
            continue
        reports = {device.pk: rows[category]}
        written = store_rows(tenant=device.tenant, category=category, reports=reports, collected_at=timezone.now())
        answers[name] = digest
        changed |= bool(written)
    return changed
