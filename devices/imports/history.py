"""History of devices on another server - notes, commands, activity - in an import. Nothing is ever removed."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Any
from uuid import UUID

from django.utils import timezone

from access.models import Tenant
from devices.imports.models import ActivityIn
from devices.imports.rows import DeviceRow
from devices.models import Blueprint, Device, DeviceActivity, DeviceCommand, DeviceNote

type Key = tuple[UUID, UUID]  # of the device, and of the row


def _uuids(devices: Iterable[Device], rows: Iterable[DeviceRow]) -> dict[int, UUID]:
    """Primary keys and uuids of those devices that the rows are about: history takes memory."""
    names = {name for row in rows for name in (row.uuid, row.serial_number.upper())}
    return {
        device.pk: device.uuid for device in devices if device.uuid in names or device.serial_number.upper() in names
    }


class _EditableRows:
    """Rows that have UUIDs of their own, of which some columns change."""

    model: type[Any]
    related_name: str  # of the tenant's rows
    attribute: str  # of DeviceRow
    editable: tuple[str, ...]
    read_only: tuple[str, ...] = ()  # columns that `is_protected` reads

    def __init__(self, tenant: Tenant, devices: Collection[Device], rows: Collection[DeviceRow]) -> None:
        self._tenant = tenant
        self._stored: dict[Key, Any] = {}
        if uuids := _uuids(devices, (row for row in rows if getattr(row, self.attribute))):
            of_tenant = getattr(tenant, self.related_name)
            for row in of_tenant.filter(device__in=uuids).only("device", "uuid", *self.editable, *self.read_only):
                self._stored[uuids[row.device_id], row.uuid] = row
        self._new: dict[Key, dict[str, Any]] = {}
        self._edited: dict[Key, Any] = {}

    def take(self, device: Device, row: DeviceRow) -> None:
        for each in getattr(row, self.attribute):
            columns, key = each.model_dump(), (device.uuid, each.uuid)
            stored = self._stored.get(key)
            if stored is None:
                self._new[key] = columns
            elif self.is_protected(stored):
                continue
            elif any(getattr(stored, name) != columns[name] for name in self.editable):
                for name in self.editable:
                    setattr(stored, name, columns[name])
                self._edited[key] = stored

    def is_protected(self, stored: Any) -> bool:
        """Whether no import may change it."""
        return False

    def changed(self) -> set[UUID]:
        return {device for device, _ in (*self._new, *self._edited)}

    def save(self, devices: Iterable[Device]) -> int:
        """Returns how many are new."""
        by_uuid = {device.uuid: device for device in devices}
        created = [
            self.model(tenant=self._tenant, device=by_uuid[uuid], **columns) for (uuid, _), columns in self._new.items()
        ]
        self.model.objects.bulk_create(created)
        self.model.objects.bulk_update(self._edited.values(), self.editable, batch_size=500)
        return len(created)


class Notes(_EditableRows):
    model = DeviceNote
    related_name = "device_notes"
    attribute = "notes"
    editable = ("content", "updated_at")


class Commands(_EditableRows):
    """An import updates commands of another server's queue. Those of our own queue are answered by the device alone."""

    model = DeviceCommand
    related_name = "device_commands"
    attribute = "commands"
    editable = ("status", "attempts", "metadata", "error_chain", "last_pushed", "date_completed")
    read_only = ("command",)

    def is_protected(self, stored: Any) -> bool:
        return bool(stored.command)


class Activity:
    """Activity does not change: each row is stored once."""

    def __init__(self, tenant: Tenant, devices: Collection[Device], rows: Collection[DeviceRow]) -> None:
        self._tenant = tenant
        self._imported: set[tuple[UUID, int]] = set()
        self._own: dict[tuple[UUID, int], tuple[Any, ...]] = {}  # rows that our own API answers under the same ids
        if uuids := _uuids(devices, (row for row in rows if row.activity)):
            stored = tenant.device_activity.filter(device__in=uuids)
            imported = stored.filter(imported_id__isnull=False).values_list("device__uuid", "imported_id")
            self._imported.update((uuid, id) for uuid, id in imported if id is not None)
            ids = {each.id for row in rows for each in row.activity}
            for uuid, pk, *content in stored.filter(pk__in=ids).values_list(
                "device__uuid", "pk", "created_at", "action_type", "details"
            ):
                self._own[uuid, pk] = tuple(content)
        self._new: dict[UUID, dict[int, ActivityIn]] = defaultdict(dict)
        self.blueprints = 0  # number of blueprints that `save` made for them

    def take(self, device: Device, row: DeviceRow) -> None:
        uuid = device.uuid
        for each in row.activity:
            # A tenant's own answer may come back to it.
            content = each.created_at, each.action_type, each.details
            if (uuid, each.id) not in self._imported and self._own.get((uuid, each.id)) != content:
                self._new[uuid][each.id] = each

    def changed(self) -> set[UUID]:
        return set(self._new)

    def save(self, devices: Iterable[Device]) -> int:
        if not self._new:
            return 0
        blueprints = self._blueprints()
        by_uuid = {device.uuid: device for device in devices}
        # In the order in which it happened, so that rows of one moment keep theirs.
        created = [
            DeviceActivity(
                tenant=self._tenant,
                device=by_uuid[uuid],
                imported_id=each.id,
                created_at=each.created_at,
                action_type=each.action_type,
                blueprint=blueprints[each.blueprint.id] if each.blueprint else None,
                blueprint_routing=each.blueprint_routing,
                details=each.details,
            )
            for uuid, rows in self._new.items()
            for each in sorted(rows.values(), key=lambda each: each.id)
        ]
        DeviceActivity.objects.bulk_create(created)
        return len(created)

    def _blueprints(self) -> dict[UUID, Blueprint]:
        refs = {
            each.blueprint.id: each.blueprint for rows in self._new.values() for each in rows.values() if each.blueprint
        }
        stored = Blueprint.with_deleted.filter(tenant=self._tenant, uuid__in=refs)
        # Of two with one id, the one that is not deleted.
        live_last = sorted(stored, key=lambda row: row.deleted_at is None)
        by_uuid: dict[UUID, Blueprint] = {row.uuid: row for row in live_last}
        now = timezone.now()
        created = [
            Blueprint(tenant=self._tenant, uuid=id, name=ref.name, deleted_at=now if ref.is_removed else None)
            for id, ref in refs.items()
            if id not in by_uuid
        ]
        Blueprint.objects.bulk_create(created)
        self.blueprints = len(created)
        return by_uuid | {row.uuid: row for row in created}
