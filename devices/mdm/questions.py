"""The inventory that every device is asked for: when it enrolls, and once a day."""

from django.utils import timezone

from devices.commands import queue
from devices.commands.internal import questions
from devices.models import Device, Enrollment

QUESTIONS = tuple(questions())


def ask_inventory(device: Device, enrollment: Enrollment) -> None:
    """Queue every question that the locked device takes; those that wait already stay. It wakes nothing."""
    queue.enqueue(device=device, orders=QUESTIONS)
    enrollment.inventory_at = timezone.now()
    enrollment.declared = ""  # once a day in any case, so that a device that missed a change gets it
    enrollment.save(update_fields=["inventory_at", "declared"])
