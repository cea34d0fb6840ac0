"""Inventory documents of demo devices, in the shapes of the API: apps, library items and parameters."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Any

from devices.dates import zulu
from devices.demo import apps as demo_apps
from devices.demo.apps import App
from devices.demo.library import PARAMETERS, Item, fixed_id, items_of
from devices.models import Platform

_MEGABYTE = 1_048_576
_DEVELOPER, _STORE, _SYSTEM = "Identified Developer", "Mac App Store", "Apple"


def demo_lists(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the documents of a device's apps, its library items and, for a Mac, its parameters.

    The same device always gets the same documents.
    """
    device = {"device_id": record["device_id"]}
    random = Random(record["device_id"])  # noqa: S311 - a reproducible fleet, without real secrets
    yield {**device, "apps": _apps(record, random)}
    last_seen = datetime.fromisoformat(record["last_check_in"]) if record["last_check_in"] else None
    yield {**device, "library_items": _library_items(record, last_seen, random)}
    if record["platform"] == Platform.MAC:
        yield {**device, "parameters": _parameters(random) if last_seen else []}


def _apps(record: dict[str, Any], random: Random) -> list[dict[str, Any]]:
    match record["platform"]:
        case Platform.MAC:
            enrolled_at = datetime.fromisoformat(record["first_enrollment"])
            installed = random.sample(demo_apps.MAC, random.randint(4, 38))
            apps = sorted((*demo_apps.MAC_SYSTEM, *installed), key=lambda app: app.name.casefold())
            return [_mac_app(app, enrolled_at, random) for app in apps]
        case Platform.IPHONE | Platform.IPAD:
            return [_mobile_app(app, random) for app in _sample(demo_apps.MOBILE, 5, random)]
        case Platform.WINDOWS:
            return [_windows_app(app) for app in _sample(demo_apps.WINDOWS, 6, random)]
        case Platform.ANDROID:
            return [_android_app(app) for app in _sample(demo_apps.ANDROID, 5, random)]
    return []


def _sample(apps: tuple[App, ...], minimum: int, random: Random) -> list[App]:
    """Return at least `minimum` of the apps, in their order."""
    indexes = random.sample(range(len(apps)), random.randint(minimum, len(apps)))
    return [apps[index] for index in sorted(indexes)]


def _mac_app(app: App, enrolled_at: datetime, random: Random) -> dict[str, Any]:
    system = app in demo_apps.MAC_SYSTEM
    source = _SYSTEM if system else _STORE if app.publisher == "Apple" else _DEVELOPER
    created_at = enrolled_at if system else enrolled_at + timedelta(minutes=random.randint(5, 20_000))
    return {
        "app_id": str(random.randint(100_000, 9_999_999)),
        "app_name": app.name,
        "bundle_id": app.identifier,
        "bundle_size": str(app.size * _MEGABYTE),
        "app_store_vendable": "",
        "device_based_vpp": "",
        "source": source,
        "process": "Apple" if system else "Universal",
        "signature": f"Developer ID Application: {app.publisher}" if source == _DEVELOPER else "Software Signing",
        "creation_date": zulu(created_at),
        "modification_date": zulu(created_at + timedelta(minutes=random.randint(0, 5000))),
        "path": f"{'/System' if system else ''}/Applications/{app.name}.app",
        "version": app.version,
    }


def _mobile_app(app: App, random: Random) -> dict[str, Any]:
    return {
        "app_id": str(fixed_id("app", app.identifier)),
        "app_name": app.name,
        "bundle_id": app.identifier,
        "bundle_size": str(app.size * _MEGABYTE),
        "app_store_vendable": "True",
        "device_based_vpp": str(random.random() < 0.6),
        "version": app.version,
    }


def _windows_app(app: App) -> dict[str, Any]:
    has_installer = app.identifier != ""
    return {
        "name": app.name,
        "display_name": app.name,
        "publisher": app.publisher,
        "publisher_display_name": app.publisher,
        "product_code": app.identifier,
        "version": app.version,
        "architecture": "x64",
        "installed_path": f"C:\\Program Files\\{app.name.split(' (')[0]}" if has_installer else "",
        "application_type": "MSI" if has_installer else "MSIX",
    }


def _android_app(app: App) -> dict[str, Any]:
    from_store = app.identifier != "com.google.android.webview"
    return {
        "display_name": app.name,
        "package_name": app.identifier,
        "version_name": app.version,
        "application_source": "INSTALLED_FROM_PLAY_STORE" if from_store else "SYSTEM_APP_UPDATED_VERSION",
        "installer_package_name": "com.android.vending" if from_store else "",
        "sha256_hash": fixed_id("package", app.identifier).hex * 2,
        "sha1_hashes": [(fixed_id("certificate", app.publisher).hex * 2)[:40]],
    }


def _library_items(record: dict[str, Any], last_seen: datetime | None, random: Random) -> list[dict[str, Any]]:
    return [
        _library_item(item, last_seen, random)
        for item in items_of(record["blueprint_name"], platform=record["platform"])
    ]


def _library_item(item: Item, last_seen: datetime | None, random: Random) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": random.randint(1_000_000, 99_999_999),
        "status": "PENDING" if item.type != "profile" else "pending",
        "reported_at": None,
        "log": "",
        "last_audit_run": None,
        "last_audit_log": None,
        "control_log": None,
        "control_reported_at": None,
        "item_id": str(item.id),
        "name": item.name,
        "type": item.type,
        "rules_present": item.node != "",
    }
    if last_seen is None:
        return row
    row["reported_at"] = zulu(last_seen - timedelta(minutes=random.randint(0, 600)))
    match item.type:
        case "profile":
            row["status"] = random.choices(("success", "pending", "failed"), (94, 4, 2))[0]
        case "threat-security-policy":
            row["status"] = "enabled"
            row["edr_status"] = {
                "status": "enabled",
                "malware_posture": "protect",
                "pup_posture": "detect",
                "last_baseline_scan": zulu(last_seen - timedelta(days=random.randint(1, 7))),
                "next_baseline_scan": zulu(last_seen + timedelta(days=random.randint(1, 7))),
                "baseline_scan_runtime": f"{random.randint(120, 2400)}",
            }
        case "ipa-app" | "macos-release" | "kandji-setup":
            row["status"] = random.choices(("PASS", "AVAILABLE", "PENDING"), (90, 6, 4))[0]
        case _:
            row["status"] = random.choices(("PASS", "PENDING", "INSTALLING", "ERROR"), (92, 4, 1, 3))[0]
            row["last_audit_run"] = zulu(last_seen - timedelta(minutes=random.randint(0, 14)))
            failed = row["status"] == "ERROR"
            row["last_audit_log"] = "The installer ended with exit code 1." if failed else "Installed as expected."
    return row


def _parameters(random: Random) -> list[dict[str, Any]]:
    return [
        {
            "status": random.choices(("PASS", "REMEDIATED", "WARNING", "PENDING", "ERROR"), (85, 9, 3, 2, 1))[0],
            "item_id": str(parameter.id),
            "name": parameter.name,
            "category": parameter.category,
            "subcategory": parameter.subcategory,
        }
        for parameter in PARAMETERS
    ]
