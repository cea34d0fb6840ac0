"""Devices that wait in Setup Assistant until they have what their Blueprint marks for setup, or for 15 minutes.

A device of Automated Device Enrollment says that it waits when it enrolls. It gets its commands in the usual order, and
is then let go by DeviceConfigured.
"""

from datetime import timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from access.tasks.backend import task
from devices.commands import queue
from devices.commands.internal.declarative_management import DeclarativeManagement
from devices.commands.internal.device_configured import DeviceConfigured
from devices.enrollment.enrollments import wake
from devices.models import Device, DeviceCommand, Enrollment, Order

LONGEST = timedelta(minutes=15)
ITEMS = 2  # the rank of what comes from the Library: commands of higher ranks are waited for by nobody
NOT_WAITED_FOR = (DeviceConfigured.id, DeclarativeManagement.id)
AT_ONCE = 1  # the rank of the release once the time is over: before the Library, after what protects the device
MOST = 200  # devices in one run


def is_over(device: Device, enrollment: Enrollment) -> bool:
    """Whether a locked device has what it waits for in Setup Assistant, or has waited long enough."""
    if _is_late(enrollment):
        return True
    others = device.commands.unfinished().filter(rank__lte=ITEMS).exclude(command__in=NOT_WAITED_FOR)
    return not others.exists()


def release(device: Device, enrollment: Enrollment, waiting: list[DeviceCommand]) -> None:
    """Queue the end of the setup of a locked device, if it waits for that and it is time, and add it to `waiting`.

    It comes after the questions of the inventory, and before everything that can wait once the time is over.
    """
    enrollment.refresh_from_db(fields=["awaiting_configuration"])  # the answer may have ended it
    if not enrollment.awaiting_configuration or not is_over(device, enrollment):
        return
    row = next((each for each in waiting if each.command == DeviceConfigured.id), None)
    if row is None:
        fresh = queue.enqueue(device=device, orders=[Order(DeviceConfigured.id)])
        if not fresh:
            return
        waiting += fresh
        row = fresh[0]
    if _is_late(enrollment) and row.rank != AT_ONCE:
        row.rank = AT_ONCE
        row.save(update_fields=["rank"])


@task()
def end_setups() -> None:
    """Wake up to MOST devices whose time in Setup Assistant is over, and let them go. Harmless when it runs twice."""
    released = DeviceCommand.objects.filter(
        device=OuterRef("device"), command=DeviceConfigured.id, rank=AT_ONCE, status__in=DeviceCommand.UNFINISHED
    )
    late = Enrollment.objects.filter(
        ~Exists(released),
        state=Enrollment.State.ENROLLED,
        awaiting_configuration=True,
        device__isnull=False,
        enrolled_at__lt=timezone.now() - LONGEST,
    )
    for pk, device in list(late.order_by("enrolled_at").values_list("pk", "device")[:MOST]):
        _end(pk, device)


@transaction.atomic
def _end(enrollment_pk: int, device_pk: int) -> None:
    device = Device.objects.select_for_update().defer("record_json", "search_text").filter(pk=device_pk).first()
    enrolled = Enrollment.objects.select_for_update().filter(state=Enrollment.State.ENROLLED)
    enrollment = enrolled.filter(pk=enrollment_pk, device=device_pk).first()
    if device is None or enrollment is None:
        return
    release(device, enrollment, list(device.commands.unfinished().filter(command=DeviceConfigured.id)))
    wake([device.pk])


def _is_late(enrollment: Enrollment) -> bool:
    return enrollment.enrolled_at is not None and timezone.now() - enrollment.enrolled_at > LONGEST
