"""Changes of what devices are to have: the devices are compared anew, when they come next.

Every function runs in the caller's transaction. A connect locks the enrollment before it reads whether the device is to
be compared, so no change is overlooked: it waits for the connect, and wakes the device again.
"""

from collections.abc import Iterable

from django.db.models import QuerySet

from devices.enrollment.enrollments import wake, wake_spread
from devices.library.desired.ways import WAYS
from devices.models import DeviceItem, Enrollment, LibraryItem


def blueprints_changed(blueprints: Iterable[int]) -> None:
    """Other items, or other conditions, than before belong to these Blueprints (primary keys)."""
    pks = set(blueprints)
    if pks:
        _compare_anew(Enrollment.objects.filter(device__blueprint__in=pks))


def item_changed(item: LibraryItem, *, version: bool = False) -> None:
    """The item is for other devices than before; `version`: devices are to get another content of it."""
    if version and (way := WAYS.get(item.type)):
        having = DeviceItem.objects.filter(item=item).exclude(wanted="").values("device")
        item.statuses.filter(device__in=having).update(status=way.changing, log=None)
    blueprints_changed(item.assignments.values_list("blueprint", flat=True))


def reconsider(devices: Iterable[int]) -> None:
    """Something else changed that decides what these devices (primary keys) are to have."""
    pks = list(devices)
    if Enrollment.objects.filter(device__in=pks, state=Enrollment.State.ENROLLED).update(planned=""):
        wake(pks)


def reconsider_spread(devices: Iterable[int]) -> None:
    """The same for many devices (primary keys, thousands at most), which come one after the other."""
    _compare_anew(Enrollment.objects.filter(device__in=list(devices)))


def _compare_anew(enrollments: QuerySet[Enrollment]) -> None:
    enrolled = enrollments.filter(state=Enrollment.State.ENROLLED)
    enrolled.update(planned="")
    wake_spread(enrolled)
