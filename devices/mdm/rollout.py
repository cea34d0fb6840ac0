"""The Library reaches a device: at a connect, what it is to have is compared with what it has."""

import logging

from django.db import transaction
from django.utils import timezone

from access.database import failure_of
from access.tasks.backend import task
from devices.commands import queue
from devices.declarations.planning import situation
from devices.library.desired import plan as desired
from devices.library.desired.changes import reconsider
from devices.library.desired.ways import are_certain
from devices.models import Device, DeviceCommand, DeviceItem, Enrollment

AT_ONCE = 1000

logger = logging.getLogger(__name__)


def plan(device: Device, here: Enrollment) -> list[DeviceCommand]:
    """Queue the commands that are missing on a locked device, if it is to be compared. The enrollment is locked too.

    An error of ours is logged, and the device gets what people sent it; it is compared again when it comes next. Costs
    no query for a device that was compared as it is.
    """
    if here.planned == (now := situation(device)):
        return []
    try:
        with transaction.atomic():
            queued = queue.enqueue(device=device, orders=desired.plan(device))
    except Exception as error:
        if failure_of(error) is not None:
            raise
        logger.exception("What the device %s is to have could not be compared.", device.uuid)
        return []
    # A Mac that has not said yet whether it is supervised is compared once more when it comes next.
    here.planned = now if are_certain(device) else ""
    here.save(update_fields=["planned"])
    return queued


@task()
def wake_due() -> None:
    """Wake the devices with items that are to be tried again, or looked at. Harmless when it runs twice."""
    due = DeviceItem.objects.filter(next_at__lte=timezone.now()).order_by("next_at")
    # Those that are to be compared already were woken for it. Without this they would be all that is found, if they
    # are many and away.
    planned = Enrollment.objects.filter(state=Enrollment.State.ENROLLED).exclude(planned="")
    due = due.filter(device__in=planned.values("device"))
    reconsider(set(due.values_list("device", flat=True)[:AT_ONCE]))
