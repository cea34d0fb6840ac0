"""The Library reaches a device: at a connect, what it is to have is compared with what it has."""

import logging
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from access.database import failure_of
from access.tasks.backend import task
from devices.commands import queue
from devices.library.desired import plan as desired
from devices.models import Blueprint, Device, DeviceCommand, DeviceItem, Enrollment

AFTER_ERROR = timedelta(hours=1)
AT_ONCE = 1000

logger = logging.getLogger(__name__)


def plan(device: Device, here: Enrollment) -> list[DeviceCommand]:
    """Queue the commands that are missing on a locked device, if its Blueprint changed or the time has come.

    The enrollment is locked too, before the revision is read: a change that is stored after that wakes the device
    again. An error of ours is logged, and the device gets what people sent it.
    """
    planned = f"{device.blueprint_id}.{_revision(device)}"
    due = here.plan_due_at is not None and here.plan_due_at <= timezone.now()
    if planned == here.planned and not due:
        return []
    queued: list[DeviceCommand] = []
    here.planned, here.plan_due_at = planned, None
    try:
        with transaction.atomic():
            queued = queue.enqueue(device=device, orders=desired.plan(device))
    except Exception as error:
        if failure_of(error) is not None:
            raise
        logger.exception("What the device %s is to have could not be compared.", device.uuid)
        here.plan_due_at = timezone.now() + AFTER_ERROR
    here.save(update_fields=["planned", "plan_due_at"])
    return queued


@task()
def wake_due() -> None:
    """Wake the devices with items that are to be tried again, or looked at. Harmless when it runs twice."""
    now, state = timezone.now(), Enrollment.State.ENROLLED
    due = DeviceItem.objects.filter(next_at__lte=now).order_by("next_at").values_list("device", flat=True)[:AT_ONCE]
    waiting = Enrollment.objects.filter(device__in=set(due), state=state).exclude(plan_due_at__lte=now)
    waiting.update(plan_due_at=now)
    silent = Enrollment.objects.filter(plan_due_at__lte=now, state=state, push_due_at=None)
    silent.update(push_due_at=now)


def _revision(device: Device) -> int:
    return Blueprint.with_deleted.values_list("revision", flat=True).get(pk=device.blueprint_id)
