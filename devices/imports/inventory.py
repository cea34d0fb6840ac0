"""The tables beside a device's row that an import changes: inventory, lost mode, secrets.

Each class asks the database once per batch, and writes only what differs from what it found.
"""

from collections.abc import Collection, Iterable
from functools import cached_property
from typing import Any, Protocol
from uuid import UUID

from devices.fleet.secrets import changed_secrets, store_imported_secrets
from devices.imports.models import LostModeIn
from devices.imports.rows import DeviceRow
from devices.models import Device, DeviceInventory, DeviceSecret, LostMode

type Columns = dict[str, Any]

_FOR_PRISM = ("details", "apps")


class Part(Protocol):
    """A table of facts about devices, in which an import writes what its rows say."""

    def take(self, device: Device, row: DeviceRow) -> None:
        """`row` is about `device`, which may not be saved yet."""

    def changed(self) -> set[UUID]:
        """Devices about which `save` will write."""

    def save(self, devices: Iterable[Device]) -> int:
        """Write what rows changed about `devices`, saved ones. Returns how many rows of the table that were."""


class Inventories:
    """`columns`: those of DeviceInventory that the rows bring; the others are neither read nor written."""

    def __init__(self, devices: Collection[Device], rows: Collection[DeviceRow]) -> None:
        self._columns = sorted({name for row in rows for name in row.reported})
        self._now: dict[UUID, Columns] = {}
        self._pks = {device.pk for device in devices}
        if self._columns:
            stored = DeviceInventory.objects.filter(device__in=self._pks)
            for uuid, *cells in stored.values_list("device__uuid", *self._columns):
                self._now[uuid] = dict(zip(self._columns, cells, strict=True))
        self._before = dict(self._now)

    def take(self, device: Device, row: DeviceRow) -> None:
        if row.reported:
            self._now[device.uuid] = {**self._now.get(device.uuid, {}), **row.reported}

    def changed(self) -> set[UUID]:
        return {uuid for uuid, now in self._now.items() if now != self._before.get(uuid)}

    def save(self, devices: Iterable[Device]) -> int:
        changed = self.changed()
        inventories = [
            DeviceInventory(device=device, **self._now[device.uuid]) for device in devices if device.uuid in changed
        ]
        if inventories:
            DeviceInventory.objects.bulk_create(
                inventories, update_conflicts=True, unique_fields=["device"], update_fields=self._columns
            )
        return len(inventories)

    def documents(
        self, devices: Collection[Device], *, facts_changed: Collection[int]
    ) -> dict[int, tuple[Columns | None, list[Columns] | None]]:
        """Details and apps of saved devices, by primary key; None for each that did not change.

        If the facts of a device changed, its stored details are included too.
        """
        found: dict[int, tuple[Columns | None, list[Columns] | None]] = {}
        for device in devices:
            now, before = self._now.get(device.uuid, {}), self._before.get(device.uuid, {})
            details, apps = (now.get(name) if now.get(name) != before.get(name) else None for name in _FOR_PRISM)
            found[device.pk] = details, apps
        incomplete = [pk for pk in facts_changed if found[pk][0] is None]
        known = self._pks.intersection(incomplete)
        stored = dict(DeviceInventory.objects.filter(device__in=known).values_list("device", "details"))
        return found | {pk: (stored.get(pk, {}), found[pk][1]) for pk in incomplete}


class LostModes:
    """A lost mode that was requested here changes only with the commands that it follows from."""

    def __init__(self, devices: Collection[Device]) -> None:
        uuids = {device.pk: device.uuid for device in devices}
        stored = LostMode.objects.filter(device__in=uuids) if uuids else ()
        self._before = {uuids[row.device_id]: _columns(row) for row in stored if row.imported}
        self._now: dict[UUID, Columns | None] = dict(self._before)
        self.ours = {uuids[row.device_id] for row in stored if not row.imported}

    def take(self, device: Device, row: DeviceRow) -> None:
        if device.uuid in self.ours:
            return
        current = self._now.get(device.uuid)
        if row.lost_mode:
            self._now[device.uuid] = row.lost_mode.model_dump()
            # The list of devices has the last word on this one, and need not use the same.
            device.lost_mode_status = device.lost_mode_status or row.lost_mode.status
        elif current and (row.has_lost_mode or row.facts.get("lost_mode_status") == ""):
            self._now[device.uuid] = None
            device.lost_mode_status = ""

    def changed(self) -> set[UUID]:
        return {uuid for uuid, now in self._now.items() if now != self._before.get(uuid)}

    def save(self, devices: Iterable[Device]) -> int:
        pks = {device.uuid: device.pk for device in devices}
        changed = {pks[uuid]: self._now[uuid] for uuid in self.changed()}
        LostMode.objects.filter(device__in=[pk for pk, columns in changed.items() if columns is None]).delete()
        LostMode.objects.bulk_create(
            [
                LostMode(device_id=pk, imported=True, **columns)
                for pk, columns in changed.items()
                if columns is not None
            ],
            update_conflicts=True,
            unique_fields=["device"],
            update_fields=list(LostModeIn.model_fields),
        )
        return len(changed)


class Secrets:
    """A row without a secret of some kind leaves the stored one. `take` is not called after `changed`."""

    def __init__(self) -> None:
        self._devices: dict[UUID, Device] = {}
        self._values: dict[tuple[UUID, DeviceSecret.Kind], str] = {}

    def take(self, device: Device, row: DeviceRow) -> None:
        for kind, value in row.secrets.items():
            self._devices[device.uuid] = device
            self._values[device.uuid, kind] = value

    def changed(self) -> set[UUID]:
        return {uuid for uuid, _ in self._changed}

    def save(self, devices: Iterable[Device]) -> int:
        by_uuid = {device.uuid: device for device in devices}
        changed = [(by_uuid[uuid], kind, self._values[uuid, kind]) for uuid, kind in self._changed]
        store_imported_secrets(changed)
        return len(changed)

    @cached_property
    def _changed(self) -> list[tuple[UUID, DeviceSecret.Kind]]:
        return changed_secrets(devices=self._devices.values(), values=self._values) if self._values else []


def _columns(row: LostMode) -> Columns:
    return {name: getattr(row, name) for name in LostModeIn.model_fields}
