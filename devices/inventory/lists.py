"""The lists of a device's inventory, as the API returns them.

Rows are stored as the device reported them. These functions add the keys that a row lacks, with empty values. Each
takes a device from `DeviceQuerySet.reported`. `devices.library.statuses` has the statuses of library items.
"""

from typing import Any, TypedDict
from uuid import UUID

from devices.enrollment.enrollments import enrollment_of
from devices.models import Device, Platform


class DeviceApps(TypedDict):
    device_id: UUID
    apps: list[dict[str, Any]]


class DeviceParameters(TypedDict):
    device_id: UUID
    parameters: list[dict[str, Any]]


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
NO_AGENT = "INCOMPATIBLE"  # an agent on the Mac checks parameters, and this server has none
PARAMETER = {"status": "", "item_id": None, "name": "", "category": "", "subcategory": ""}


def apps(device: Device) -> DeviceApps:
    return {"device_id": device.uuid, "apps": _rows(device, "apps", EMPTY_APPS[device.platform])}


def parameters(device: Device) -> DeviceParameters:
    """Those of a device that is enrolled here are incompatible, whatever it reported where it had an agent before."""
    rows = _rows(device, "parameters", PARAMETER)
    if rows and enrollment_of(device):
        rows = [{**row, "status": NO_AGENT} for row in rows]
    return {"device_id": device.uuid, "parameters": rows}


def _rows(device: Device, name: str, empty: dict[str, Any]) -> list[dict[str, Any]]:
    inventory = getattr(device, "inventory", None)
    return [{**empty, **row} for row in getattr(inventory, name, ())]
