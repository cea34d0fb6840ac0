"""Rows that are derived from other reports of a device: its record, its details and its list of apps."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from access.models import Tenant
from devices.models import Device, Platform
from devices.models.prism.categories import CATEGORIES
from devices.prism.rows import store_rows

type Document = Mapping[str, Any]
type Rows = list[dict[str, Any]]

MACOS_NAMES = {
    "11": "Big Sur",
    "12": "Monterey",
    "13": "Ventura",
    "14": "Sonoma",
    "15": "Sequoia",
    "26": "Tahoe",
}
CELLULAR = {0: "None", 1: "GSM", 2: "CDMA", 3: "Both"}  # Apple's numbers
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class DeviceReport:
    """A saved device with its details and its apps; None for each that it did not report this time."""

    device: Device
    details: Document | None
    apps: Rows | None


def store_derived(*, tenant: Tenant, reports: Iterable[DeviceReport], collected_at: datetime | None = None) -> None:
    """Update the rows that are derived from these reports, in the caller's transaction."""
    found: dict[str, dict[int, Rows]] = defaultdict(dict)
    for report in reports:
        for category, rows in derived_rows(report).items():
            if report.device.platform in CATEGORIES[category].families:
                found[category][report.device.pk] = rows
    for category in CATEGORIES:  # always in the same order, so that two calls cannot deadlock
        if category in found:
            store_rows(tenant=tenant, category=category, reports=found[category], collected_at=collected_at)


def derived_rows(report: DeviceReport) -> dict[str, Rows]:
    """The rows that follow from a report, by category."""
    derived = _of_details(report.device, report.details) if report.details is not None else {}
    return derived if report.apps is None else {**derived, "apps": [_app(row) for row in report.apps]}


def _of_details(device: Device, details: Document) -> dict[str, Rows]:
    derived = {
        "device_information": [_device_information(device, details)],
        "filevault": [_filevault(device, details)],
    }
    if lock := _section(details, "activation_lock"):
        derived["activation_lock"] = [_activation_lock(lock)]
    if cellular := _section(details, "cellular"):
        derived["cellular"] = [_cellular(cellular)]
    if profiles := _rows(details, "installed_profiles"):
        derived["installed_profiles"] = [_profile(row) for row in profiles]
    if accounts := _rows(_section(details, "users"), "regular_users"):
        derived["local_users"] = [_user(row) for row in accounts]
    return derived


def _device_information(device: Device, details: Document) -> dict[str, Any]:
    hardware, network = _section(details, "hardware_overview"), _section(details, "network")
    cellular = _section(details, "cellular")
    version, extra = device.os_version, device.supplemental_os_version_extra
    row = {
        "device_capacity": max(map(_capacity, _rows(details, "volumes")), default=0.0),
        "model_name": hardware.get("model_name") or device.model.partition(" (")[0],
        "display_os_version": f"{version} {extra}" if extra else version,
        "last_checkin_mdm": _section(details, "mdm").get("last_check_in") or device.last_check_in,
    }
    if device.platform == Platform.MAC:
        processor = str(hardware.get("processor_name") or "")
        return row | {
            "local_hostname": network.get("local_hostname") or None,
            "apple_silicon": processor.startswith("Apple") if processor else None,
            "marketing_name": MACOS_NAMES.get(version.partition(".")[0]),
            "last_checkin_agent": _section(details, "kandji_agent").get("last_check_in") or device.last_check_in,
        }
    return row | {
        "shared_ipad": False,
        "cellular_technology": _technology(cellular),
        "data_roaming": bool(cellular.get("data_roaming")),
        "hotspot": bool(cellular.get("personal_hotspot")),
    }


def _filevault(device: Device, details: Document) -> dict[str, Any]:
    section = _section(details, "filevault")
    return {
        "status": bool(device.filevault_enabled),
        "key_type": section.get("filevault_recoverykey_type") or None,
        "key_escrowed": section.get("filevault_prk_escrowed"),
        "regeneration_needed": section.get("filevault_regen_required"),
        "scheduled_key_rotation": section.get("filevault_next_rotation") or None,
    }


def _activation_lock(section: Document) -> dict[str, Any]:
    return {
        "device_activation_lock_status": section.get("device_activation_lock_enabled"),
        "user_activation_lock_status": section.get("user_activation_lock_enabled"),
        "bypass_code_expired": section.get("bypass_code_failed"),
        "user_activation_lock_allowed": section.get("activation_lock_allowed_while_supervised"),
        "is_activation_lock_supported": section.get("activation_lock_supported"),
    }


def _cellular(section: Document) -> dict[str, Any]:
    return {
        "cellular_technology": _technology(section),
        "data_roaming_enabled": section.get("data_roaming"),
        "voice_roaming_enabled": section.get("voice_roaming"),
    }


def _profile(row: Document) -> dict[str, Any]:
    return {
        "profile_display_name": row.get("name"),
        "payload_identifier": row.get("identifier"),
        "payload_uuid": row.get("uuid"),
        "managed": True,
        "organization": row.get("organization") or None,
        "profile_data": [],
    }


def _user(row: Document) -> dict[str, Any]:
    return {
        "uid": row.get("uid"),
        "username": row.get("username"),
        "full_name": row.get("name"),
        "home_directory": row.get("path"),
        "type": _account_type(row.get("admin")),
    }


def _account_type(admin: Any) -> str | None:
    if not admin:  # a Mac without an agent does not say it
        return None
    return "Administrator" if admin == "Yes" else "Standard"


def _app(row: Document) -> dict[str, Any]:
    """A row from one of `GET /devices/{id}/apps`. A missing value is an empty text there, and null here."""
    given = {key: value for key, value in row.items() if value != ""}
    return {
        "path": given.get("path"),
        "obtained_from": given.get("source"),
        "bundle_size": given.get("bundle_size"),
        "bundle_id": given.get("bundle_id"),
        "name": given.get("app_name"),
        "short_version": given.get("version"),
        "signature": given.get("signature"),
        "app_store_vendable": given.get("app_store_vendable"),
        "device_based_vpp": given.get("device_based_vpp"),
        "version": given.get("version"),
    }


def _section(details: Document, name: str) -> Document:
    section = details.get(name)
    return section if isinstance(section, dict) else {}


def _rows(section: Document, name: str) -> list[Document]:
    rows = section.get(name)
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _capacity(volume: Document) -> float:
    """The capacity in GB, from a text such as `494.38 GB`."""
    number = _NUMBER.search(str(volume.get("capacity") or ""))
    return float(number[0]) * (1000 if "TB" in str(volume["capacity"]) else 1) if number else 0.0


def _technology(cellular: Document) -> str:
    value = cellular.get("cellular_technology")
    return CELLULAR.get(value, "None") if isinstance(value, int) else str(value or "None")
