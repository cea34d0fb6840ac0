"""What happened to devices elsewhere - notes, commands, activity - as an import meets it. Nothing is ever removed."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Any
from uuid import UUID

from django.utils import timezone

from access.models import Tenant
from devices.imports.facts import ActivityFacts, CommandFacts, DeviceRow, NoteFacts
from devices.models import Blueprint, Device, DeviceActivity, DeviceCommand, DeviceNote

type Key = tuple[UUID, UUID]  # of the device, and of the row


def _named(devices: Iterable[Device], rows: Iterable[DeviceRow]) -> dict[int, UUID]:
    """Primary keys and uuids of those devices that the rows are about: a past takes memory."""
    names = {name for row in rows for name in (row.uuid, row.serial_number.upper())}
    return {
        device.pk: device.uuid for device in devices if device.uuid in names or device.serial_number.upper() in names
    }


class _Kept[F: NoteFacts | CommandFacts]:
    """Rows that have UUIDs of their own, of which some columns change."""

    model: type[Any]
    related: str  # name of the tenant's rows
    named: str  # attribute of DeviceRow
    changing: tuple[str, ...]
    read: tuple[str, ...] = ()  # columns beside these

    def __init__(self, tenant: Tenant, devices: Collection[Device], rows: Collection[DeviceRow]) -> None:
        self._tenant = tenant
        self._stored: dict[Key, Any] = {}
        if uuids := _named(devices, (row for row in rows if getattr(row, self.named))):
            of_tenant = getattr(tenant, self.related)
            for row in of_tenant.filter(device__in=uuids).only("device", "uuid", *self.changing, *self.read):
                self._stored[uuids[row.device_id], row.uuid] = row
        self._new: dict[Key, F] = {}
        self._edited: dict[Key, Any] = {}

    def take(self, device: Device, row: DeviceRow) -> None:
        facts: F
        for facts in getattr(row, self.named):
            key = device.uuid, facts.uuid
            stored = self._stored.get(key)
            if stored is None:
                self._new[key] = facts
            elif self.is_ours(stored):
                continue
            elif any(getattr(stored, name) != getattr(facts, name) for name in self.changing):
                for name in self.changing:
                    setattr(stored, name, getattr(facts, name))
                self._edited[key] = stored

    def is_ours(self, stored: Any) -> bool:
        """Whether no import may change it."""
        return False

    def changed(self) -> set[UUID]:
        return {device for device, _ in (*self._new, *self._edited)}

    def save(self, devices: Iterable[Device]) -> int:
        """Returns how many are new."""
        by_uuid = {device.uuid: device for device in devices}
        created = [
            self.model(tenant=self._tenant, device=by_uuid[uuid], **facts._asdict())
            for (uuid, _), facts in self._new.items()
        ]
        self.model.objects.bulk_create(created)
        self.model.objects.bulk_update(self._edited.values(), self.changing, batch_size=500)
        return len(created)


class Notes(_Kept[NoteFacts]):
    model = DeviceNote
    related = "device_notes"
    named = "notes"
    changing = ("content", "updated_at")


class Commands(_Kept[CommandFacts]):
    """Those of another queue are answered there; ours are not to be told how they did."""

    model = DeviceCommand
    related = "device_commands"
    named = "commands"
    changing = ("status", "attempts", "metadata", "error_chain", "last_pushed", "date_completed")
    read = ("command",)

    def is_ours(self, stored: Any) -> bool:
        return bool(stored.command)


class Activity:
    """What has happened does not change: rows are brought once."""

    def __init__(self, tenant: Tenant, devices: Collection[Device], rows: Collection[DeviceRow]) -> None:
        self._tenant = tenant
        self._known: set[tuple[UUID, int]] = set()
        self._answered: dict[tuple[UUID, int], tuple[Any, ...]] = {}  # under ids that rows name, as answered from here
        if wanted := _named(devices, (row for row in rows if row.activity)):
            stored = tenant.device_activity.filter(device__in=wanted)
            brought = stored.filter(imported_id__isnull=False).values_list("device__uuid", "imported_id")
            self._known.update((uuid, id) for uuid, id in brought if id is not None)
            ids = {facts.id for row in rows for facts in row.activity}
            for uuid, pk, *said in stored.filter(pk__in=ids).values_list(
                "device__uuid", "pk", "created_at", "action_type", "details"
            ):
                self._answered[uuid, pk] = tuple(said)
        self._new: dict[UUID, dict[int, ActivityFacts]] = defaultdict(dict)
        self.blueprints = 0  # that `save` made for them

    def take(self, device: Device, row: DeviceRow) -> None:
        uuid = device.uuid
        for facts in row.activity:
            # A tenant's own answer may come back to it.
            said = facts.created_at, facts.action_type, facts.details
            if (uuid, facts.id) not in self._known and self._answered.get((uuid, facts.id)) != said:
                self._new[uuid][facts.id] = facts

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
                imported_id=facts.id,
                created_at=facts.created_at,
                action_type=facts.action_type,
                blueprint=blueprints[facts.blueprint.id] if facts.blueprint else None,
                blueprint_routing=facts.blueprint_routing,
                details=facts.details,
            )
            for uuid, rows in self._new.items()
            for facts in sorted(rows.values(), key=lambda facts: facts.id)
        ]
        DeviceActivity.objects.bulk_create(created)
        return len(created)

    def _blueprints(self) -> dict[UUID, Blueprint]:
        named = {
            facts.blueprint.id: (facts.blueprint.name, facts.blueprint.is_removed)
            for rows in self._new.values()
            for facts in rows.values()
            if facts.blueprint
        }
        stored = Blueprint.with_deleted.filter(tenant=self._tenant, uuid__in=named)
        # Of two with one id, the one that is not deleted.
        live_last = sorted(stored, key=lambda row: row.deleted_at is None)
        found = {row.uuid: row for row in live_last}
        now = timezone.now()
        created = [
            Blueprint(tenant=self._tenant, uuid=id, name=name, deleted_at=now if removed else None)
            for id, (name, removed) in named.items()
            if id not in found
        ]
        Blueprint.objects.bulk_create(created)
        self.blueprints = len(created)
        return found | {row.uuid: row for row in created}
