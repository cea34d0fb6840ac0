"""Documents of a small fleet, and their import, for the tests of it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from access.audit.events import Actor
from access.models import Tenant
from devices.demo.fleet import demo_fleet
from devices.fleet import records
from devices.imports.devices import ImportReport, import_devices
from devices.imports.files import ImportFile
from devices.models import Fleet

ACTOR = Actor.command("test")
NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


def load(tenant: Tenant, *documents: object) -> ImportReport:
    return import_devices(tenant=tenant, rows=enumerate(documents, 1), actor=ACTOR)


def load_file(tenant: Tenant, path: Path) -> ImportReport:
    return import_devices(tenant=tenant, rows=ImportFile(path).rows(), actor=ACTOR)


def fleet(count: int) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    return demo_fleet(count, now=NOW)


def mac() -> tuple[dict[str, Any], dict[str, Any]]:
    """A Mac that somebody uses, as list row and as details document."""
    return next(pair for pair in fleet(50) if pair[0]["platform"] == "Mac" and pair[0]["user"] and pair[0]["tags"])


def iphone() -> tuple[dict[str, Any], dict[str, Any]]:
    """An iPhone, as list row and as details document."""
    return next(pair for pair in fleet(50) if pair[0]["platform"] == "iPhone")


def stored(tenant: Tenant) -> list[dict[str, Any]]:
    return [json.loads(text) for text in tenant.devices.order_by("pk").values_list("record_json", flat=True)]


def fresh(tenant: Tenant) -> bool:
    """Whether every stored record is as rendered now, and the fleet's count right."""
    pks = list(tenant.devices.values_list("pk", flat=True))
    return not list(records.outdated(pks)) and Fleet.objects.get(tenant=tenant).device_count == len(pks)


def reported(document: dict[str, Any]) -> dict[str, Any]:
    """What is stored of a details document: lost mode, which the API changes, has a table of its own."""
    stored: dict[str, Any] = orjson.loads(orjson.dumps(document))
    del stored["lost_mode"]
    return stored


def lost(**fields: Any) -> dict[str, Any]:
    """The section of `GET /devices/{id}/details/lostmode`."""
    return {
        "lost_mode_status": "enabled",
        "enabled_by": "Ann Fisher",
        "enable_status_at": "2026-10-01T10:00:00.000000Z",
        "lock_screen_message": "Call us",
        "lock_screen_phone_number": "+1 555 0100",
        "lock_screen_footnote": "Accuhive",
        "disable_status": "",
        "disabled_by": "",
        "disable_status_at": "",
        "last_location_status": "completed",
        "last_location_status_at": "2026-10-01T11:00:00.000000Z",
        "last_location": {"latitude": "38.7223", "longitude": "-9.1393"},
        "last_location_at": "2026-10-01T10:59:00.000000Z",
        "sound_status": "",
        "sound_status_at": "",
        **fields,
    }
