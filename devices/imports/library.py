"""Library items on devices in an import: their statuses, and the items that are known only from devices."""

from collections.abc import Collection, Iterable
from typing import Any
from uuid import UUID

from access.models import Tenant
from devices.imports.models import ItemStatusIn
from devices.imports.rows import DeviceRow
from devices.models import Device, LibraryItem, LibraryStatus

COLUMNS = tuple(name for name in ItemStatusIn.model_fields if name not in {"item_id", "name", "type"})
BATCH = 500

type Statuses = dict[UUID, dict[str, Any]]  # the columns, by the id of the item


class LibraryStatuses:
    """Saves the lists of library items on devices. A new list replaces the former list of the device. Items that the
    tenant does not have yet are added, with the names and types that the devices report."""

    def __init__(self, tenant: Tenant, devices: Collection[Device], rows: Collection[DeviceRow]) -> None:
        self._tenant = tenant
        self._before: dict[UUID, Statuses] = {}
        if any(row.library_items is not None for row in rows):
            stored = LibraryStatus.objects.filter(device__in=[device.pk for device in devices])
            for device, item, *cells in stored.values_list("device__uuid", "item__uuid", *COLUMNS):
                self._before.setdefault(device, {})[item] = dict(zip(COLUMNS, cells, strict=True))
        self._now: dict[UUID, Statuses] = {}
        self._items: dict[UUID, ItemStatusIn] = {}

    def take(self, device: Device, row: DeviceRow) -> None:
        if row.library_items is None:
            return
        self._now[device.uuid] = {each.item_id: each.model_dump(include=set(COLUMNS)) for each in row.reports}
        self._items.update((each.item_id, each) for each in row.library_items)

    def changed(self) -> set[UUID]:
        return {uuid for uuid, now in self._now.items() if now != self._before.get(uuid, {})}

    def save(self, devices: Iterable[Device]) -> int:
        items = self._saved_items()
        pks, changed = {device.uuid: device.pk for device in devices}, self.changed()
        gone = {
            (pks[uuid], item) for uuid in changed for item in self._before.get(uuid, {}).keys() - self._now[uuid].keys()
        }
        if gone:
            stored = LibraryStatus.objects.filter(device__in={pk for pk, _ in gone})
            found = stored.values_list("pk", "device_id", "item__uuid")
            LibraryStatus.objects.filter(pk__in=[pk for pk, *key in found if tuple(key) in gone]).delete()
        statuses = [
            LibraryStatus(device_id=pks[uuid], item_id=items[item], **columns)
            for uuid in changed
            for item, columns in self._now[uuid].items()
            if columns != self._before.get(uuid, {}).get(item)
        ]
        LibraryStatus.objects.bulk_create(
            statuses,
            update_conflicts=True,
            unique_fields=["item", "device"],
            update_fields=COLUMNS,
            batch_size=BATCH,
        )
        return len(statuses)

    def _saved_items(self) -> dict[UUID, int]:
        """Save the new items, and the new types of items. Returns the primary keys of all items that the rows name."""
        stored = {row.uuid: row for row in self._tenant.library_items.filter(uuid__in=self._items)}
        typed = [row for row in stored.values() if not row.type and self._items[row.uuid].type]
        for row in typed:
            row.type = self._items[row.uuid].type
        LibraryItem.objects.bulk_update(typed, ["type"])
        new = [
            LibraryItem(tenant=self._tenant, uuid=id, name=each.name, type=each.type)
            for id, each in self._items.items()
            if id not in stored
        ]
        LibraryItem.objects.bulk_create(new)
        return {row.uuid: row.pk for row in (*stored.values(), *new)}
