"""Changes of what devices are to have: the devices are compared anew, spread over time.

Every function runs in the caller's transaction.
"""

from collections.abc import Iterable

from django.db.models import F
from django.utils import timezone

from devices.enrollment.enrollments import wake, wake_spread
from devices.models import Blueprint, Enrollment, LibraryItem


def blueprints_changed(blueprints: Iterable[int]) -> None:
    """Other items, or other conditions, than before belong to these Blueprints (primary keys)."""
    pks = sorted(set(blueprints))
    if pks:
        Blueprint.with_deleted.filter(pk__in=pks).update(revision=F("revision") + 1)
        wake_spread(Enrollment.objects.filter(device__blueprint__in=pks))


def item_changed(item: LibraryItem) -> None:
    """Devices are to get another content of the item, or it is for other devices than before."""
    blueprints_changed(item.assignments.values_list("blueprint", flat=True))


def reconsider(devices: Iterable[int]) -> None:
    """Compare these devices (primary keys) anew: something changed that decides what they are to have."""
    pks = list(devices)
    enrolled = Enrollment.objects.filter(device__in=pks, state=Enrollment.State.ENROLLED)
    if enrolled.update(plan_due_at=timezone.now()):
        wake(pks)


def reconsider_spread(devices: Iterable[int]) -> None:
    """The same for many devices (primary keys, thousands at most), which come one after the other."""
    enrolled = Enrollment.objects.filter(device__in=list(devices), state=Enrollment.State.ENROLLED)
    enrolled.update(plan_due_at=timezone.now())
    wake_spread(enrolled)
