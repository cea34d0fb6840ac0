"""Reports of devices, for tests of Prism."""

from datetime import UTC, datetime
from typing import Any

from access.models import Tenant
from devices.models import Device
from devices.prism.rows import store_rows
from tests.factories.devices import DeviceFactory

REPORTED = datetime(2026, 9, 3, 4, 0, 0, 123456, UTC)


def app(name: str, version: str = "1.0", **values: Any) -> dict[str, Any]:
    path = f"/Applications/{name}.app"
    return {"name": name, "version": version, "bundle_id": f"com.example.{name}", "path": path, **values}


def report(
    device: Device, *rows: dict[str, Any], category: str = "apps", at: datetime = REPORTED, whole: bool = True
) -> int:
    return store_rows(tenant=device.tenant, category=category, reports={device.pk: rows}, collected_at=at, whole=whole)


def fleet_with_apps(tenant: Tenant, devices: int, *names: str) -> list[Device]:
    """Devices that have the same apps."""
    made = DeviceFactory.create_batch(devices, tenant=tenant)
    rows = [app(name) for name in names]
    store_rows(tenant=tenant, category="apps", reports={device.pk: rows for device in made}, collected_at=REPORTED)
    return made
