"""Prepared records: the JSON text that `GET /devices` and `GET /devices/{id}` answer for a device.

The text is rendered when something in it changes, in the transaction that changes it, so that a list of 300 devices is
300 texts joined. `render` is the only place that knows what a record looks like.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import batched
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from django.db import connection

from devices.dates import spaced, zulu
from devices.models import Device, Fleet

BATCH = 2000


class Source(NamedTuple):
    """One device's row as `render` reads it; the names are the ORM paths of the query."""

    pk: int
    uuid: UUID
    name: str
    model: str
    serial_number: str
    platform: str
    os_version: str
    supplemental_build_version: str
    supplemental_os_version_extra: str
    last_check_in: datetime | None
    asset_tag: str
    mdm_enabled: bool
    agent_installed: bool
    is_missing: bool
    is_removed: bool
    agent_version: str
    first_enrollment: datetime
    last_enrollment: datetime
    lost_mode_status: str
    api_level: str
    security_patch_level: str
    full_software_version: str
    blueprint__uuid: UUID
    blueprint__name: str
    user__uuid: UUID | None
    user__name: str | None
    user__email: str | None
    user__archived: bool | None
    tenant__fleet__extended_records: bool | None
    record: str

    @classmethod
    def of(cls, device: Device, *, extended: bool) -> "Source":
        """The same row from an object in memory, for one that is about to be written.

        Reads `device.blueprint` and `device.user`: without both at hand it costs queries.
        """
        user = device.user
        related = {
            "blueprint__uuid": device.blueprint.uuid,
            "blueprint__name": device.blueprint.name,
            "user__uuid": user.uuid if user else None,
            "user__name": user.name if user else None,
            "user__email": user.email if user else None,
            "user__archived": user.archived if user else None,
            "tenant__fleet__extended_records": extended,
            "record": "",
        }
        return cls._make(related[name] if name in related else getattr(device, name) for name in cls._fields)


def render(source: Source, tags: Iterable[str]) -> str:
    """The DEVICE record of one device as compact JSON."""
    record: dict[str, Any] = {
        "device_id": source.uuid,
        "device_name": source.name,
        "model": source.model,
        "serial_number": source.serial_number,
        "platform": source.platform,
        "os_version": source.os_version,
        "supplemental_build_version": source.supplemental_build_version,
        "supplemental_os_version_extra": source.supplemental_os_version_extra,
        "last_check_in": zulu(source.last_check_in),
        # Null rather than the vendor's "": one published client fails on "", and every one accepts null.
        "user": source.user__uuid
        and {
            "email": source.user__email,
            "name": source.user__name,
            "id": source.user__uuid,
            "is_archived": source.user__archived,
        },
        "asset_tag": source.asset_tag,
        "blueprint_id": source.blueprint__uuid,
        "mdm_enabled": source.mdm_enabled,
        "agent_installed": source.agent_installed,
        "is_missing": source.is_missing,
        "is_removed": source.is_removed,
        "agent_version": source.agent_version,
        "first_enrollment": spaced(source.first_enrollment),
        "last_enrollment": spaced(source.last_enrollment),
        "blueprint_name": source.blueprint__name,
        "lost_mode_status": source.lost_mode_status,
        "tags": sorted(tags),
    }
    if source.tenant__fleet__extended_records:
        record["api_level"] = source.api_level
        record["security_patch_level"] = source.security_patch_level
        record["full_software_version"] = source.full_software_version
    return orjson.dumps(record).decode()


def outdated(pks: Iterable[int]) -> Iterator[tuple[int, str]]:
    """(primary key, fresh text) of those devices whose stored text is not what `render` makes of them now."""
    for batch in batched(pks, BATCH, strict=False):
        tags = defaultdict(list)
        for device, tag in Device.tags.through.objects.filter(device__in=batch).values_list("device_id", "tag__name"):
            tags[device].append(tag)
        for row in Device.objects.filter(pk__in=batch).values_list(*Source._fields):
            source = Source(*row)
            if (text := render(source, tags[source.pk])) != source.record:
                yield source.pk, text


def refresh(pks: Iterable[int]) -> int:
    """Bring these devices' stored records up to date, in the caller's transaction. Returns how many changed."""
    changed = 0
    for batch in batched(outdated(pks), BATCH, strict=False):
        _store(batch)
        changed += len(batch)
    return changed


def enable_extended_records(fleet: Fleet) -> None:
    """From now on every record of the tenant carries the three keys of Windows and Android."""
    if not fleet.extended_records:
        fleet.extended_records = True
        fleet.save(update_fields=["extended_records"])
        refresh(list(Device.objects.filter(tenant=fleet.tenant_id).values_list("pk", flat=True)))


def _store(texts: Iterable[tuple[int, str]]) -> None:
    # bulk_update builds one CASE per row, which takes seconds for what these two forms do in milliseconds.
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            pks, records = zip(*texts, strict=True)
            cursor.execute(
                "UPDATE devices_device SET record = fresh.record "
                "FROM unnest(%s::bigint[], %s::text[]) AS fresh(id, record) WHERE devices_device.id = fresh.id",
                [list(pks), list(records)],
            )
        else:
            cursor.executemany(
                "UPDATE devices_device SET record = %s WHERE id = %s",
                [(record, pk) for pk, record in texts],
            )
