"""One batch of an import: its rows against what the tenant has, in a number of queries that does not grow with it."""

import uuid
from collections import Counter, defaultdict
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import F, Q
from django.db.models.functions import Upper
from django.utils import timezone

from access.models import Tenant
from devices.conditions.facts import facts_changed
from devices.fleet import records
from devices.fleet.facts import columns_of
from devices.imports.errors import RowError, UnknownDevice
from devices.imports.history import Activity, Commands, Notes
from devices.imports.inventory import Inventories, LostModes, Part, Secrets
from devices.imports.library import LibraryStatuses
from devices.imports.relations import Blueprints, People, Tags
from devices.imports.rows import DeviceRow
from devices.inventory.known import forget_answers
from devices.models import Device
from devices.prism.derive import DeviceReport, store_derived
from devices.statements import create, insert

_OWN = [
    field.name
    for field in Device._meta.concrete_fields
    if field.name not in {"id", "tenant", "uuid", "blueprint", "user", "record_json", *records.LABELS}
]
_WRITTEN = [*_OWN, "blueprint", "user", "record_json", *records.LABELS]
# In the order of the columns: a model is made of its names in twice the time.
_DEFAULTS = [field.get_default() for field in Device._meta.concrete_fields]
_REQUIRED = {"name": "device_name", "platform": "platform"}


class Batch:
    """`apply` the rows one after the other, then `save` once, all within one transaction that locks the fleet."""

    def __init__(self, tenant: Tenant, rows: list[DeviceRow]) -> None:
        self._tenant = tenant
        self._now = timezone.now()
        stored = self._stored(rows)
        self._by_uuid = {device.uuid: device for device in stored}
        self._by_serial = {device.serial_number.upper(): device for device in stored if device.serial_number}
        self._blueprints = Blueprints(
            tenant, {row.blueprint for row in rows if row.blueprint}, {device.blueprint_id for device in stored}
        )
        self._people = People(
            tenant, {row.user for row in rows if row.user}, {device.user_id for device in stored if device.user_id}
        )
        self._tags_of, names = self._stored_tags(stored)
        self._tags = Tags(tenant, names.union(*(row.tags for row in rows if row.tags)))
        for device in stored:
            device.blueprint = self._blueprints.by_pk[device.blueprint_id]
            device.user = self._people.by_pk[device.user_id] if device.user_id else None
        self._lost_modes = LostModes(stored)
        self._activity = Activity(tenant, stored, rows)
        self._inventories = Inventories(stored, rows)
        self._parts: dict[str, Part] = {
            "inventories": self._inventories,
            "library_statuses": LibraryStatuses(tenant, stored, rows),
            "lost_modes": self._lost_modes,
            "notes": Notes(tenant, stored, rows),
            "commands": Commands(tenant, stored, rows),
            "activity": self._activity,
            "secrets": Secrets(),
        }
        self._before = {device.uuid: _state(device) for device in stored}
        self._tags_before = dict(self._tags_of)
        self._devices: dict[UUID, Device] = {}
        self.created: list[Device] = []
        self.updated: list[Device] = []
        # What `save` wrote: numbers of devices that are new and that changed, of rows of the other tables that are new.
        self.counts: Counter[str] = Counter()

    @property
    def devices(self) -> list[Device]:
        """Those that a usable row was about."""
        return list(self._devices.values())

    def apply(self, row: DeviceRow) -> None:
        """Raises RowError, and has changed nothing then."""
        serial_number = row.serial_number.upper()
        owner = self._by_serial.get(serial_number) if serial_number else None
        device = (self._by_uuid.get(row.uuid) if row.uuid else None) or owner
        if owner is not None and owner is not device and "serial_number" in row.facts:
            raise RowError(f"serial_number {row.serial_number} belongs to device {owner.uuid}")
        blueprint = self._blueprints.get(row.blueprint) if row.blueprint else None
        user = self._people.get(row.user) if row.user else None
        if device is None:
            if row.is_supplement:
                raise UnknownDevice
            device = self._new(row)
            if blueprint is None:
                raise RowError("blueprint_name is missing")
        for name, value in row.facts.items():
            # Lists and details tell of different check-ins; in whichever order they come, the latest one stays.
            if name == "last_check_in" and device.last_check_in is not None and value <= device.last_check_in:
                continue
            if name == "lost_mode_status" and device.uuid in self._lost_modes.ours:
                continue
            # Sources differ in the case of a serial number, by which a device is found in any.
            if name == "serial_number" and value.upper() == device.serial_number.upper():
                continue
            setattr(device, name, value)
        for name, value in row.fallbacks.items():
            if not getattr(device, name) and (name != "serial_number" or owner is None):
                setattr(device, name, value)
        if blueprint is not None:
            device.blueprint = blueprint
        if row.has_user:
            device.user = user
        if row.tags is not None:
            self._tags_of[device.uuid] = row.tags
        for part in self._parts.values():
            part.take(device, row)
        self._by_uuid[device.uuid] = self._devices[device.uuid] = device
        if device.serial_number:
            self._by_serial.setdefault(device.serial_number.upper(), device)

    def save(self, *, extended: bool) -> None:
        """Write what the rows changed. `extended`: whether the tenant's records have the three additional keys."""
        self.created = [device for device in self._devices.values() if device.pk is None]
        stored = [device for device in self._devices.values() if device.pk is not None]
        with_changed_parts = set().union(*(part.changed() for part in self._parts.values()))
        changed, reported = [], []
        for device in stored:
            if self._state_changed(device) or self._tags_changed(device):
                changed.append(device)
            elif device.uuid in with_changed_parts:
                reported.append(device)
        self.updated = changed + reported
        written = self.created + changed
        blueprints, renamed_blueprints = self._blueprints.save(device.blueprint for device in written)
        users, changed_users = self._people.save(device.user for device in written if device.user)
        tags = self._tags.save({name for device in written for name in self._tags_of.get(device.uuid, ())})
        for device in written:
            self._refer(device)
            names = self._tags_of.get(device.uuid, ())
            columns = columns_of(device)
            device.record_json = records.render(columns, names, extended=extended)
            device.search_text, device.blueprint_label, device.user_label = records.labels(columns)
        create(Device, self.created)
        Device.objects.bulk_create(changed, update_conflicts=True, unique_fields=["id"], update_fields=_WRITTEN)
        self._save_tags(written)
        facts_changed(self._tenant.pk, [device.pk for device in changed])
        self.counts.update(created=len(self.created), updated=len(self.updated))
        self.counts.update(blueprints=blueprints, users=users, tags=tags)
        forget_answers([device.pk for device in self.updated])
        for name, part in self._parts.items():
            self.counts[name] = part.save(self.created + self.updated)
        self.counts["blueprints"] += self._activity.blueprints
        self._save_prism_rows(self.created + changed, reported)
        if renamed_blueprints or changed_users:  # also on devices that no row of this batch is about
            affected = Q(blueprint__in=renamed_blueprints) | Q(user__in=changed_users)
            records.refresh(list(self._tenant.devices.filter(affected).values_list("pk", flat=True)))

    def _save_prism_rows(self, written: list[Device], reported: list[Device]) -> None:
        """Save the rows of Prism that are derived from the devices' facts, details and apps."""
        documents = self._inventories.documents([*written, *reported], facts_changed={each.pk for each in written})
        store_derived(
            tenant=self._tenant,
            reports=[DeviceReport(device, *documents[device.pk]) for device in (*written, *reported)],
            collected_at=self._now,
        )

    def _new(self, row: DeviceRow) -> Device:
        facts = {**row.fallbacks, **row.facts}
        for attribute, key in _REQUIRED.items():
            if attribute not in facts:
                raise RowError(f"{key} is missing")
        # Reports often have no enrollment dates, and every device has them: the earliest sign of life stands in.
        seen: datetime = facts.get("last_check_in", self._now)
        first = facts.get("first_enrollment") or facts.get("last_enrollment") or seen
        last = facts.get("last_enrollment") or first
        device = Device(*_DEFAULTS)
        vars(device).update(
            tenant_id=self._tenant.pk, uuid=row.uuid or uuid.uuid4(), first_enrollment=first, last_enrollment=last
        )
        return device

    def _state_changed(self, device: Device) -> bool:
        return _state(device) != self._before[device.uuid]

    def _tags_changed(self, device: Device) -> bool:
        return self._tags_of.get(device.uuid) != self._tags_before.get(device.uuid)

    @staticmethod
    def _refer(device: Device) -> None:
        """Have the device refer to a Blueprint and a user that were saved after they were assigned."""
        user = device.user
        # Not set as attributes, with which the device would fetch both anew.
        vars(device).update(blueprint_id=device.blueprint.pk, user_id=user.pk if user else None)

    def _save_tags(self, written: list[Device]) -> None:
        through = Device.tags.through
        retagged = [device for device in written if self._tags_changed(device)]
        added, removed = [], defaultdict(list)
        for device in retagged:
            before = self._tags_before.get(device.uuid, frozenset())
            now = self._tags_of[device.uuid]
            added += [(device.pk, self._tags.pk(name)) for name in sorted(now - before)]
            for name in before - now:
                removed[name].append(device.pk)
        for name, pks in removed.items():
            through.objects.filter(tag=self._tags.pk(name), device__in=pks).delete()
        insert(through, ["device", "tag"], added)

    def _stored(self, rows: list[DeviceRow]) -> list[Device]:
        """The tenant's devices that the rows may be about, locked."""
        # Two queries, one per index, rather than one that can use neither. They lock in the order of an expression,
        # which no index has: for the order of the keys, SQLite would read all devices of the tenant for each batch.
        devices = self._tenant.devices.select_for_update().defer("record_json").order_by(F("pk") + 0)
        serials = {row.serial_number.upper() for row in rows if row.serial_number}
        by_uuid = devices.filter(uuid__in={row.uuid for row in rows if row.uuid})
        by_serial = devices.exclude(serial_number="").alias(upper=Upper("serial_number")).filter(upper__in=serials)
        return list({device.pk: device for query in (by_uuid, by_serial) for device in query}.values())

    def _stored_tags(self, stored: list[Device]) -> tuple[dict[UUID, frozenset[str]], set[str]]:
        names: dict[UUID, set[str]] = {device.uuid: set() for device in stored}
        tagged = Device.tags.through.objects.filter(device__in=[device.pk for device in stored])
        for device, name in tagged.values_list("device__uuid", "tag__name"):
            names[device].add(name)
        return {device: frozenset(tags) for device, tags in names.items()}, set().union(*names.values())


def _state(device: Device) -> tuple[Any, ...]:
    user = device.user
    return (*(getattr(device, name) for name in _OWN), device.blueprint.uuid, user and user.uuid)
