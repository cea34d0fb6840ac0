"""The statuses that the API and the pages show, as they follow from the plan and from what a device shows."""

from collections.abc import Iterable
from typing import Any

from django.utils import timezone

from devices.library.desired.ways import Way
from devices.models import Device, LibraryItem, LibraryStatus


class Statuses:
    """Collects the new statuses of a device, by the primary key of the item, and stores them together."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._reported: dict[int, LibraryStatus] = {}
        self._waiting: dict[str, list[int]] = {}
        self._gone: list[int] = []

    def report(self, item: int | None, status: str, log: str | None = None) -> None:
        """What the device has shown or said. Does nothing for an item that is deleted."""
        if item is not None:
            self._reported[item] = LibraryStatus(
                item_id=item, device=self._device, status=status, log=log, reported_at=timezone.now()
            )

    def waits(self, item: int | None, status: str) -> None:
        """The item is on its way. Without a row that is what the lists say anyway."""
        if item is not None:
            self._waiting.setdefault(status, []).append(item)

    def goes(self, item: int | None, way: Way, status: str, words: str = "") -> None:
        """The device has taken the item, and may have said how far it is."""
        if status == way.pending:
            self.waits(item, status)
        else:
            self.report(item, status, words or None)

    def drop(self, item: int | None) -> None:
        """The device does not have the item any more, and is not to have it."""
        if item is not None:
            self._gone.append(item)

    def store(self) -> None:
        rows = self._device.library_statuses
        for status, items in self._waiting.items():
            rows.filter(item__in=items).update(**_waiting(status))
        if self._gone:
            rows.filter(item__in=self._gone).delete()
        if self._reported:
            LibraryStatus.objects.bulk_create(
                self._reported.values(),
                update_conflicts=True,
                unique_fields=["item", "device"],
                update_fields=["status", "log", "reported_at"],
            )


def again(item: LibraryItem, devices: Iterable[int], status: str) -> None:
    """The item is on its way to these devices (primary keys) again."""
    item.statuses.filter(device__in=list(devices)).update(**_waiting(status))


def _waiting(status: str) -> dict[str, Any]:
    """A pending item has no report, as one that was never reported has none: the API says so."""
    never = {"reported_at": None} if status.upper() == "PENDING" else {}
    return {"status": status, "log": None, **never}
