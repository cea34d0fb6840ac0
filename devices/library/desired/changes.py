"""Changes of what devices are to have: the devices are compared anew, spread over time.

Every function runs in the caller's transaction.
"""

from collections.abc import Iterable

from django.db.models import F
from django.utils import timezone

from devices.enrollment.enrollments import wake, wake_spread
from devices.library.desired.ways import WAYS
from devices.models import Blueprint, DeviceItem, Enrollment, LibraryItem


def blueprints_changed(blueprints: Iterable[int]) -> None:
    """Other items, or other conditions, than before belong to these Blueprints (primary keys)."""
    pks = sorted(set(blueprints))
    if pks:
        Blueprint.with_deleted.filter(pk__in=pks).update(revision=F("revision") + 1)
        wake_spread(Enrollment.objects.filter(device__blueprint__in=pks))


def item_changed(item: LibraryItem, *, version: bool = False) -> None:
    """The item is for other devices than before; `version`: devices are to get another content of it."""
    if version and (way := WAYS.get(item.type)):
        having = DeviceItem.objects.filter(item=item).exclude(wanted="").values("device")
        item.statuses.filter(device__in=having).update(status=way.changing, log=None)
    blueprints_changed(item.assignments.values_list("blueprint", flat=True))


def reconsider(devices: Iterable[int]) -> None:
    """Compare these devices (primary keys) anew: something changed that decides what they are to have."""
    pks = list(devices)
    enrolled = Enrollment.objects.filter(device__in=pks, state=Enrollment.State.ENROLLED)
    if enrolled.update(plan_due_at=timezone.now()):
        wake(pks)
