"""How library items are doing on devices.

What a device reported is a row of LibraryStatus. A device that an item is for and that has reported nothing is pending:
that is computed here, so that an assignment writes nothing for a hundred thousand devices.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Count, Q, QuerySet

from access.models import Tenant
from devices.library.kinds import KINDS, kind_of, platforms_of
from devices.models import Assignment, Device, LibraryItem, LibraryStatus
from devices.models.devices import DeviceQuerySet

DEVICE_BITS = 32  # of a row's number
CONTENTS = tuple(kind.contents for kind in KINDS.values() if kind.contents)


class Row(NamedTuple):
    """An item on a device; `reported` is None until the device reports on it."""

    item: LibraryItem
    device: Device
    reported: LibraryStatus | None

    @property
    def number(self) -> int:
        """The id in the API. It is the same before and after the first report, and in the lists of both sides."""
        return (self.item.pk << DEVICE_BITS) | self.device.pk

    @property
    def status(self) -> str:
        return self.reported.status if self.reported else kind_of(self.item).pending


def item_with_contents(tenant: Tenant, item_id: UUID) -> LibraryItem:
    """The item of any kind with its contents, as the functions below need it. Raises LibraryItem.DoesNotExist."""
    return tenant.library_items.select_related("tenant", *CONTENTS).get(uuid=item_id)


def devices_of(item: LibraryItem, *, status: str = "") -> DeviceQuerySet:
    """The devices that reported on the item or that it is for, newest first; only those in a `status`, in any case."""
    devices = item.tenant.devices.order_by("-pk")
    reported = item.statuses.all()
    if not status:
        return devices.filter(_in_scope(item) | Q(pk__in=reported.values("device")))
    matching = Q(pk__in=reported.filter(status__in={status.upper(), status.lower()}).values("device"))
    if status.upper() == kind_of(item).pending.upper():
        matching |= _in_scope(item) & ~Q(pk__in=reported.values("device"))
    return devices.filter(matching)


def rows_of_item(item: LibraryItem, devices: Iterable[Device]) -> list[Row]:
    """A row for each of these devices, which `devices_of` found, in their order."""
    devices = list(devices)
    reported = {row.device_id: row for row in item.statuses.filter(device__in=devices)}
    return [Row(item, device, reported.get(device.pk)) for device in devices]


def rows_of_device(device: Device) -> list[Row]:
    """A row for each item that the device reported on or that is for it, by the names of the items."""
    reported = {row.item_id: row for row in device.library_statuses.all()}
    on_it = Q(pk__in=reported) | Q(active=True, pk__in=_assigned(device))
    items = device.tenant.library_items.filter(on_it).select_related(*CONTENTS).order_by("name", "pk")
    return [
        Row(item, device, reported.get(item.pk))
        for item in items
        if item.pk in reported or device.platform in platforms_of(item)
    ]


def counts_of(item: LibraryItem) -> dict[str, int]:
    """How many devices are in each status, the most frequent first."""
    counts = dict(item.statuses.values_list("status").annotate(n=Count("pk")).order_by("-n", "status"))
    silent = item.tenant.devices.filter(_in_scope(item)).exclude(pk__in=item.statuses.values("device")).count()
    if silent:
        pending = kind_of(item).pending
        counts[pending] = counts.get(pending, 0) + silent
    return counts


def _in_scope(item: LibraryItem) -> Q:
    """Devices that get the item: managed, of a family that it is for, and in a blueprint that it is assigned to."""
    if not item.active:
        return Q(pk__in=[])
    blueprints = list(_unconditional(item.assignments.all()).values_list("blueprint", flat=True))
    return Q(blueprint__in=blueprints, platform__in=platforms_of(item), is_removed=False)


def _assigned(device: Device) -> QuerySet[Assignment, Any]:
    if device.is_removed:
        return Assignment.objects.none().values("library_item")
    return _unconditional(device.blueprint.assignments.all()).values("library_item")


def _unconditional(assignments: QuerySet[Assignment]) -> QuerySet[Assignment]:
    """Without those on one of several nodes: the conditions of a map, which say what devices a node has, are not known
    here. An item on such a node is on the devices that report it."""
    return assignments.alias(nodes=Count("blueprint__nodes")).filter(Q(node=None) | Q(nodes__lte=1))
