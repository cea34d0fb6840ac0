"""Enrollments as the rest of the product sees them: waking a device, and ending its enrollment.

Every function runs in the caller's transaction. Where it changes the enrollment of one device, the device is locked.
"""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Case, DateTimeField, F, QuerySet, Value, When
from django.db.models.functions import Coalesce, Least, Mod
from django.db.models.lookups import Exact
from django.utils import timezone

from devices.models import Device, Enrollment

State = Enrollment.State
MOST_PARTS = 60  # the devices of one part are woken at the same moment
EVICTION = timedelta(days=30)  # that a device has to come and hear that it is deleted


def enrollment_of(device: Device) -> Enrollment | None:
    """The enrollment through which the device is managed now."""
    return device.enrollments.filter(state=State.ENROLLED).first()


def wake(devices: Iterable[int], *, at: datetime | None = None) -> None:
    """Have the enrolled ones of these devices (primary keys) woken at a moment, now by default.

    One that is to be woken earlier stays so. Hundreds of commands that are sent together cost one push.
    """
    at = at or timezone.now()
    due = Least(Coalesce(F("push_due_at"), at), at)
    Enrollment.objects.filter(device__in=list(devices), state=State.ENROLLED).update(push_due_at=due)


def moved(device: Device) -> None:
    """The locked device was moved to another Blueprint. It is woken, and compared anew with what it is to have.

    The Blueprint alone would not tell: a device that is moved there and back may have missed a change in between.
    """
    Enrollment.objects.filter(device=device, state=State.ENROLLED).update(planned="", declared="")
    wake([device.pk])


def wake_spread(enrollments: QuerySet[Enrollment]) -> None:
    """Have the enrolled ones woken one after the other, IRU_MDM_WAKE_RATE a second on average, in 60 parts at most."""
    enrolled, now = enrollments.filter(state=State.ENROLLED), timezone.now()
    seconds = enrolled.count() / settings.IRU_MDM_WAKE_RATE
    parts = min(int(seconds) + 1, MOST_PARTS)
    moments = [
        When(Exact(Mod(F("pk"), parts), part), then=Value(now + timedelta(seconds=seconds * part / parts)))
        for part in range(1, parts)
    ]
    at = Case(*moments, default=Value(now), output_field=DateTimeField())
    enrolled.update(push_due_at=Least(Coalesce(F("push_due_at"), at), at))


def end(enrollment: Enrollment, *, state: str = State.OUT) -> None:
    """End an enrollment. With EVICTING the device is woken once more, to be told that it has to leave."""
    enrollment.state, enrollment.ended_at = state, timezone.now()
    enrollment.push_due_at = enrollment.ended_at if state == State.EVICTING else None
    fields = ["state", "ended_at", "push_due_at"]
    if state != State.EVICTING:
        enrollment.token, enrollment.push_magic, enrollment.push_error = None, "", ""
        fields += ["token", "push_magic", "push_error"]
    enrollment.save(update_fields=fields)


def evict(device: Device) -> None:
    """For a device that is being deleted: at its next contact it is told to remove its enrollment profile."""
    for enrollment in device.enrollments.filter(state=State.ENROLLED):
        end(enrollment, state=State.EVICTING)


def product_name(device: Device) -> str:
    """Apple's name for the hardware, such as `Mac14,2`, as the device said it when it enrolled; empty if unknown."""
    facts = device.enrollments.order_by("-pk").values_list("facts", flat=True).first() or {}
    name: str = facts.get("ProductName") or facts.get("Model") or ""
    return name


def has_apple_silicon(product_name: str) -> bool:
    """Whether a Mac has a processor of Apple's, by its ProductName."""
    name, numbers = re.match(r"([A-Za-z]*)(\d*)", product_name).groups()  # type: ignore[union-attr] # matches any text
    number = int(numbers or 0)
    first = {"Mac": 13, "MacBookAir": 10, "MacBookPro": 17, "Macmini": 9, "iMac": 21, "VirtualMac": 1}
    return name in first and number >= first[name]
