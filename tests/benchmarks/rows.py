"""The devices of a benchmark's fleet, written in bulk: as an import leaves them, in a quarter of its statements."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import batched
from typing import Any, cast
from uuid import NAMESPACE_DNS, UUID, uuid5

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from access.database import allow_long_statements
from access.models import Tenant
from devices.demo.fleet import demo_fleet
from devices.fleet import records
from devices.fleet.facts import columns_of
from devices.fleet.summary import summarize
from devices.imports.rows import BlueprintRef, DeviceRow, device_row
from devices.models import Blueprint, Device, DirectoryIntegration, Fleet, Platform, Tag, User
from devices.statements import create, insert

BATCH = 2000  # devices in one transaction
# Fixed, so that each build of a fleet has the same devices.
NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
# A company of a hundred thousand devices has more Blueprints and tags than the demo company: one of each for a site.
SITES = ("Lisbon", "Nairobi", "Montréal", "São Paulo", "Tallinn", "Wellington", "Busan", "Austin")
QUARTERS = tuple(f"Bought {year}-Q{quarter}" for year in (2024, 2025, 2026) for quarter in (1, 2, 3, 4))
EXTENDED = {Platform.WINDOWS, Platform.ANDROID}


def documents(count: int) -> Iterator[dict[str, Any]]:
    """The records of so many devices, in the form of the API, each with its MAC address and FileVault."""
    for number, (record, details) in enumerate(demo_fleet(count, now=NOW)):
        site, quarter = SITES[number % len(SITES)], QUARTERS[number // 7 % len(QUARTERS)]
        blueprint = f"{record['blueprint_name']} {site}"
        yield record | {
            "blueprint_id": str(uuid5(NAMESPACE_DNS, blueprint)),
            "blueprint_name": blueprint,
            "tags": sorted({*record["tags"], site, *([quarter] if number % 3 else [])}),
            **_beside_the_record(details),
        }


def _beside_the_record(details: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a device that its record does not show."""
    address = details.get("network", {}).get("mac_address") or details.get("hardware", {}).get("wifi_mac_address")
    facts = {"mac_address": address, "filevault_enabled": details.get("filevault", {}).get("filevault_enabled")}
    return {name: value for name, value in facts.items() if value is not None}


def fill(tenant: Tenant, rows: Iterable[dict[str, Any]]) -> int:
    """Add these new devices to the tenant, with all that their rows name. Returns their number.

    The rows are what `documents` yields. The records are prepared, and the counts of the fleet are right.
    """
    Fleet.objects.get_or_create(tenant=tenant)
    writer = _Writer(tenant)
    added = sum(writer.write([device_row(row) for row in batch]) for batch in batched(rows, BATCH, strict=False))
    summarize(tenant)
    return added


def analyze() -> None:
    """Give the database its statistics of every table, and PostgreSQL its map of the rows that all can see."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET statement_timeout = 0")
            cursor.execute("VACUUM ANALYZE")
        else:
            cursor.execute("ANALYZE")


class _Writer:
    """Remembers what it has written of a tenant, so that it reads nothing back."""

    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant
        self._blueprints: dict[BlueprintRef, Blueprint] = {}
        self._users: dict[object, User] = {}
        self._tags: dict[str, Tag] = {}
        self._directory = DirectoryIntegration.objects.create(tenant=tenant, name="Okta", type="okta")

    @transaction.atomic
    def write(self, rows: list[DeviceRow]) -> int:
        allow_long_statements()
        self._write_shared(rows)
        fleet = Fleet.objects.select_for_update().get(tenant=self._tenant)
        if any(row.facts["platform"] in EXTENDED for row in rows):
            records.enable_extended_records(fleet)
        devices = [self._device(row, extended=fleet.extended_records) for row in rows]
        create(Device, devices)
        tags = [
            (device.pk, self._tags[name].pk)
            for device, row in zip(devices, rows, strict=True)
            for name in sorted(row.tags or ())
        ]
        insert(Device.tags.through, ["device", "tag"], tags)
        Fleet.objects.filter(pk=fleet.pk).update(device_count=F("device_count") + len(devices))
        return len(devices)

    def _write_shared(self, rows: list[DeviceRow]) -> None:
        """Write the Blueprints, users and tags that are new with these rows."""
        tenant, now = self._tenant, timezone.now()
        blueprints = {
            row.blueprint: Blueprint(tenant=tenant, uuid=cast("UUID", row.blueprint.uuid), name=row.blueprint.name)
            for row in rows
            if row.blueprint and row.blueprint not in self._blueprints
        }
        users: dict[object, User] = {
            row.user.uuid: User(
                tenant=tenant,
                uuid=cast("UUID", row.user.uuid),
                name=row.user.name,
                email=row.user.email,
                archived=row.user.archived,
                integration=self._directory,
                created_at=now,
            )
            for row in rows
            if row.user and row.user.uuid not in self._users
        }
        names = {name: None for row in rows for name in sorted(row.tags or ()) if name not in self._tags}
        tags = {name: Tag(tenant=tenant, name=name) for name in names}
        Blueprint.objects.bulk_create(blueprints.values())
        create(User, list(users.values()))
        Tag.objects.bulk_create(tags.values())
        self._blueprints |= blueprints
        self._users |= users
        self._tags |= tags

    def _device(self, row: DeviceRow, *, extended: bool) -> Device:
        assert row.blueprint is not None
        device = Device(
            tenant=self._tenant,
            uuid=cast("UUID", row.uuid),
            blueprint=self._blueprints[row.blueprint],
            user=self._users[row.user.uuid] if row.user else None,
            **row.facts,
        )
        columns = columns_of(device)
        device.record_json = records.render(columns, row.tags or (), extended=extended)
        device.search_text, device.blueprint_label, device.user_label = records.labels(columns)
        return device
