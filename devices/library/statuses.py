"""The statuses of library items on devices.

A report of a device is a row of LibraryStatus. A device in the item's scope without a report is pending. That status is
computed here, so that an assignment to a hundred thousand devices writes no rows.
"""

from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from access.models import Tenant
from devices.library.kinds import KINDS, kind_of, platforms_of
from devices.library.scope import assigned_to, devices_for
from devices.models import Blueprint, Device, LibraryItem, LibraryStatus
from devices.models.devices import DeviceQuerySet

DEVICE_BITS = 32  # the lower bits of a row's number
CONTENTS = tuple(kind.contents for kind in KINDS.values() if kind.contents)

LARGE = (
    "custom_profile__profile",
    "custom_script__script",
    "custom_script__remediation_script",
    "custom_app__audit_script",
    "custom_app__preinstall_script",
    "custom_app__postinstall_script",
)


class Row(NamedTuple):
    """An item on a device; `reported` is None until the device reports on it."""

    item: LibraryItem
    device: Device
    reported: LibraryStatus | None

    @property
    def number(self) -> int:
        """The id in the API. It is the same before and after the first report, and in both kinds of lists."""
        return (self.item.pk << DEVICE_BITS) | self.device.pk

    @property
    def status(self) -> str:
        return self.reported.status if self.reported else kind_of(self.item).pending


def item_with_contents(tenant: Tenant, item_id: UUID) -> LibraryItem:
    """The item of any kind with its contents, for the functions below. Raises LibraryItem.DoesNotExist."""
    return tenant.library_items.select_related("tenant", *CONTENTS).get(uuid=item_id)


def light(tenant: Tenant) -> QuerySet[LibraryItem]:
    """The items with their contents, without what is large in these."""
    return tenant.library_items.select_related(*CONTENTS).defer(*LARGE)


class Listed:
    """The devices that reported on an item or are in its scope, newest first. `status` filters them, and ignores case.

    Two queries find the devices that reported and those in scope, each in the order of an index, and the results are
    merged. One query for both would read every device of the tenant.
    """

    def __init__(self, item: LibraryItem, *, status: str = "") -> None:
        self._item = item
        self._reported = item.statuses.all()
        scope = item.tenant.devices.filter(devices_for(item))
        answered = LibraryStatus.objects.filter(item=item, device=OuterRef("pk"))
        self._silent = scope.filter(~Exists(answered))
        self._in_scope = scope
        if status:
            self._reported = self._reported.filter(status__in={status.upper(), status.lower()})
            pending = status.upper() == kind_of(item).pending.upper()
            self._in_scope = self._silent = self._silent if pending else scope.none()

    def devices(self) -> DeviceQuerySet:
        """All these devices, unsorted."""
        of_item = Q(pk__in=self._reported.values("device")) | Q(pk__in=self._in_scope.values("pk"))
        return self._item.tenant.devices.filter(of_item)

    def __len__(self) -> int:
        reported = self._reported.count()
        return reported + self.silent(reported)

    def silent(self, reported: int) -> int:
        """The number of devices in scope without a report. `reported` is the number of reports."""
        return self._silent.count() if reported else self._in_scope.count()

    def page(self, start: int, size: int) -> list[Row]:
        """The rows of `size` devices from `start` on, with their blueprints."""
        end = start + size
        reported = self._reported.order_by("-device").values_list("device", flat=True)[:end]
        in_scope = self._in_scope.order_by("-pk").values_list("pk", flat=True)[:end]
        keys = sorted({*reported, *in_scope}, reverse=True)[start:end]
        return self._rows(self._item.tenant.devices.filter(pk__in=keys))

    def of_device(self, device_id: UUID) -> list[Row]:
        """The row of this device, if it is listed."""
        devices = self._item.tenant.devices.filter(uuid=device_id)
        keys = set(devices.values_list("pk", flat=True))
        listed = {
            *self._reported.filter(device__in=keys).values_list("device", flat=True),
            *self._in_scope.filter(pk__in=keys).values_list("pk", flat=True),
        }
        return self._rows(devices.filter(pk__in=listed))

    def _rows(self, devices: DeviceQuerySet) -> list[Row]:
        found = list(devices.select_related("blueprint").defer("record_json").order_by("-pk"))
        reported = {row.device_id: row for row in self._item.statuses.filter(device__in=found)}
        return [Row(self._item, device, reported.get(device.pk)) for device in found]


def rows_of_device(device: Device) -> list[Row]:
    """A row for each item that the device reported on or whose scope it is in, sorted by the name of the item."""
    reported = {row.item_id: row for row in device.library_statuses.all()}
    on_it = Q(pk__in=reported) | Q(active=True, pk__in=assigned_to(device))
    items = device.tenant.library_items.filter(on_it).select_related(*CONTENTS).order_by("name", "pk")
    return [
        Row(item, device, reported.get(item.pk))
        for item in items
        if item.pk in reported or device.platform in platforms_of(item)
    ]


def counts_of(item: LibraryItem) -> dict[str, int]:
    """The number of devices in each status, the most frequent first."""
    counts = dict(item.statuses.values_list("status").annotate(n=Count("*")).order_by("-n", "status"))
    pending = kind_of(item).pending
    if silent := Listed(item).silent(sum(counts.values())):
        counts[pending] = counts.get(pending, 0) + silent
    return counts


def counts_in(blueprint: Blueprint, items: Iterable[LibraryItem]) -> dict[int, dict[str, int]]:
    """The number of devices of a classic Blueprint in each status of each item (primary keys), in three queries.

    The items have their contents.
    """
    here = blueprint.devices.filter(is_removed=False)
    sizes = dict(here.values_list("platform").annotate(n=Count("*")).order_by())
    by_item = {item.pk: item for item in items}
    reported = LibraryStatus.objects.filter(item__in=by_item, device__blueprint=blueprint, device__is_removed=False)
    groups = reported.values_list("item", "status", "device__platform").annotate(n=Count("*")).order_by()
    counts: dict[int, dict[str, int]] = {pk: {} for pk in by_item}
    told = dict.fromkeys(by_item, 0)
    for pk, status, platform, number in groups:
        counts[pk][status] = counts[pk].get(status, 0) + number
        told[pk] += number if platform in platforms_of(by_item[pk]) else 0
    given = set(blueprint.assignments.values_list("library_item", flat=True))
    for pk, item in by_item.items():
        if item.active and pk in given:
            silent = sum(sizes.get(platform, 0) for platform in platforms_of(item)) - told[pk]
            pending = kind_of(item).pending
            if silent > 0:
                counts[pk][pending] = counts[pk].get(pending, 0) + silent
    return counts
