"""The lists of a device's inventory, as the API returns them.

Rows are stored as the device reported them. These functions add the keys that a row lacks, with empty values, and the
current names of the device and its blueprint. Each function takes a device from `DeviceQuerySet.reported`.
"""

from typing import Any, TypedDict
from uuid import UUID

from devices.models import Device, Platform


class DeviceApps(TypedDict):
    device_id: UUID
    apps: list[dict[str, Any]]


class DeviceLibraryItems(TypedDict):
    device_id: UUID
    library_items: list[dict[str, Any]]


class DeviceParameters(TypedDict):
    device_id: UUID
    parameters: list[dict[str, Any]]


class DeviceStatus(DeviceParameters):
    library_items: list[dict[str, Any]]


APPLE_APP = {
    "app_id": "",
    "app_name": "",
    "bundle_id": "",
    "bundle_size": "",
    "app_store_vendable": "",
    "device_based_vpp": "",
    "source": "",
    "process": "",
    "signature": "",
    "creation_date": "",
    "modification_date": "",
    "path": "",
    "version": "",
}
EMPTY_APPS: dict[str, dict[str, Any]] = {
    Platform.MAC: APPLE_APP,
    Platform.IPHONE: APPLE_APP,
    Platform.IPAD: APPLE_APP,
    Platform.APPLE_TV: APPLE_APP,
    Platform.WINDOWS: {
        "name": "",
        "display_name": "",
        "publisher": "",
        "publisher_display_name": "",
        "product_code": "",
        "version": "",
        "architecture": "",
        "installed_path": "",
        "application_type": "",
    },
    Platform.ANDROID: {
        "display_name": "",
        "package_name": "",
        "version_name": "",
        "application_source": "",
        "installer_package_name": "",
        "sha256_hash": "",
        "sha1_hashes": [],
    },
}
LIBRARY_ITEM = {
    "id": 0,
    "status": "",
    "reported_at": None,
    "log": None,
    "last_audit_run": None,
    "last_audit_log": None,
    "control_log": None,
    "control_reported_at": None,
    "item_id": None,
    "name": "",
    "type": "",
}
PARAMETER = {"status": "", "item_id": None, "name": "", "category": "", "subcategory": ""}
STATUS_KEYS = ("id", "item_id", "name", "status", "reported_at", "type", "last_audit_log", "log")


def apps(device: Device) -> DeviceApps:
    return {"device_id": device.uuid, "apps": _rows(device, "apps", EMPTY_APPS[device.platform])}


def library_items(device: Device) -> DeviceLibraryItems:
    current = {
        "computer": {"id": device.uuid, "name": device.name},
        "blueprint": {"id": device.blueprint.uuid, "name": device.blueprint.name},
    }
    rows = [
        {**row, **current, "rules_present": row.get("rules_present", False)}
        for row in _rows(device, "library_items", LIBRARY_ITEM)
    ]
    return {"device_id": device.uuid, "library_items": rows}


def parameters(device: Device) -> DeviceParameters:
    return {"device_id": device.uuid, "parameters": _rows(device, "parameters", PARAMETER)}


def status(device: Device) -> DeviceStatus:
    rows = [{key: row[key] for key in STATUS_KEYS} for row in _rows(device, "library_items", LIBRARY_ITEM)]
    return {**parameters(device), "library_items": rows}


def _rows(device: Device, name: str, empty: dict[str, Any]) -> list[dict[str, Any]]:
    inventory = getattr(device, "inventory", None)
    return [{**empty, **row} for row in getattr(inventory, name, ())]
