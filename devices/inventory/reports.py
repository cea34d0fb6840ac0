"""The way in for what a device reports of itself: its row, its inventory, and the rows of Prism."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from django.db.models import BooleanField, CharField
from django.db.models.functions import Upper
from django.utils import timezone

from devices.conditions.facts import facts_changed
from devices.fleet import activity, records
from devices.inventory.detail_shapes import skeleton
from devices.inventory.lists import EMPTY_APPS
from devices.models import Device, DeviceInventory
from devices.models.prism.categories import CATEGORIES
from devices.prism.derive import DeviceReport, derived_rows
from devices.prism.rows import is_stored, store_rows
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


def store_report(device: Device, report: Report) -> bool:
    """Store what a locked device reports, in the caller's transaction. Returns whether that changed anything.

    What is stored already is not written again.
    """
    changed = _store_facts(device, report.facts)
    names = ["details"] if report.details or report.derived else []
    if report.apps is not None:
        names.append("apps")
    stored = DeviceInventory.objects.filter(device=device).only("device", *names).first() if names else None
    details = stored.details if stored and "details" in names else {}
    apps = stored.apps if stored and "apps" in names else []
    now: dict[str, Any] = {}
    merged = _merged(device.platform, details, report.details)
    if merged != details:
        now["details"] = merged
    if report.apps is not None:
        known = tuple(EMPTY_APPS[device.platform])
        fresh = _known_again("apps", apps, [_only(known, row) for row in report.apps])
        if fresh != apps:
            now["apps"] = fresh
    if now and stored is not None:
        DeviceInventory.objects.filter(device=device).update(**now)
    elif now:
        DeviceInventory.objects.create(device=device, **now)
    in_prism = _store_prism(device, report, merged, now.get("apps", apps))
    return changed or bool(now) or in_prism


def _store_facts(device: Device, facts: Mapping[str, Any]) -> bool:
    given = {name: value for name, value in facts.items() if name in FACTS and _fits(device, name, value)}
    changed = [name for name, value in given.items() if getattr(device, name) != value]
    if not changed:
        return False
    old_name = device.name
    for name in changed:
        setattr(device, name, given[name])
    device.save(update_fields=changed)
    records.refresh([device.pk], locked=True)
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


def _store_prism(device: Device, report: Report, details: Row, apps: list[Row]) -> bool:
    rows = dict(report.prism)
    if report.derived:
        whole = DeviceReport(device, details, apps if "apps" in report.derived else None)
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
        if is_stored(tenant=device.tenant, category=category, device=device, rows=rows[category]):
            continue
        store_rows(
            tenant=device.tenant,
            category=category,
            reports={device.pk: rows[category]},
            collected_at=timezone.now(),
        )
        changed = True
    return changed
