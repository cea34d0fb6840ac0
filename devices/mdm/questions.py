"""The inventory that every device is asked for: when it enrolls, and once a day."""

from django.utils import timezone

from devices.commands import queue
from devices.commands.internal import INTERNAL_COMMANDS, questions
from devices.models import Device, Enrollment

QUESTIONS = tuple(questions())


def ask_inventory(device: Device, enrollment: Enrollment) -> None:
    """Queue every question that the locked device takes; those that wait already stay. It wakes nothing."""
    for id in QUESTIONS:
        queue.enqueue(device=device, command=INTERNAL_COMMANDS[id])
    enrollment.inventory_at = timezone.now()
    enrollment.declared = ""  # once a day in any case, so that a device that missed a change gets it
    enrollment.save(update_fields=["inventory_at", "declared"])
