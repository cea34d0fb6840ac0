"""What devices reported and what people noted about them, as an import meets it: the stored, and what rows make of it.

Each class asks the database once per batch, and writes only what differs from what it found.
"""

from collections.abc import Collection, Iterable
from typing import Any
from uuid import UUID

from access.models import Tenant
from devices.models import Device, DeviceInventory, DeviceNote
from devices.services.import_rows import NoteFacts

type Reported = dict[str, Any]


class Inventories:
    """`columns`: those of DeviceInventory that the rows bring; the others are neither read nor written."""

    def __init__(self, devices: Collection[Device], columns: set[str]) -> None:
        self._columns = sorted(columns)
        self._now: dict[UUID, Reported] = {}
        if columns:
            rows = DeviceInventory.objects.filter(device__in=[device.pk for device in devices])
            for uuid, *cells in rows.values_list("device__uuid", *self._columns):
                self._now[uuid] = dict(zip(self._columns, cells, strict=True))
        self._before = dict(self._now)

    def take(self, uuid: UUID, reported: Reported) -> None:
        if reported:
            self._now[uuid] = {**self._now.get(uuid, {}), **reported}

    def changed(self, uuid: UUID) -> bool:
        return self._now.get(uuid) != self._before.get(uuid)

    def save(self, devices: Iterable[Device]) -> None:
        inventories = [
            DeviceInventory(device=device, **self._now[device.uuid]) for device in devices if self.changed(device.uuid)
        ]
        if inventories:
            DeviceInventory.objects.bulk_create(
                inventories, update_conflicts=True, unique_fields=["device"], update_fields=self._columns
            )


class Notes:
    """Notes are found by their ids. One that an import does not name stays."""

    def __init__(self, tenant: Tenant, devices: Collection[Device], *, wanted: bool) -> None:
        self._tenant = tenant
        self._stored: dict[tuple[UUID, UUID], DeviceNote] = {}
        if wanted:
            uuids = {device.pk: device.uuid for device in devices}
            for note in tenant.device_notes.filter(device__in=uuids):
                self._stored[uuids[note.device_id], note.uuid] = note
        self._new: dict[tuple[UUID, UUID], NoteFacts] = {}
        self._edited: dict[tuple[UUID, UUID], DeviceNote] = {}

    def take(self, uuid: UUID, notes: Iterable[NoteFacts]) -> None:
        for facts in notes:
            key = uuid, facts.uuid
            stored = self._stored.get(key)
            if stored is None:
                self._new[key] = facts
            elif (stored.content, stored.updated_at) != (facts.content, facts.updated_at):
                stored.content, stored.updated_at = facts.content, facts.updated_at
                self._edited[key] = stored

    @property
    def changed(self) -> set[UUID]:
        """Devices whose notes `save` will write."""
        return {device for device, _ in (*self._new, *self._edited)}

    def save(self, devices: Iterable[Device]) -> int:
        """Returns how many notes are new."""
        by_uuid = {device.uuid: device for device in devices}
        created = [
            DeviceNote(tenant=self._tenant, device=by_uuid[uuid], **facts._asdict())
            for (uuid, _), facts in self._new.items()
        ]
        DeviceNote.objects.bulk_create(created)
        DeviceNote.objects.bulk_update(self._edited.values(), ["content", "updated_at"])
        return len(created)
