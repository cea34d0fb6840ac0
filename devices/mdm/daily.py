"""The daily inventory: a schedule asks the devices that were last asked a day ago, some of them each minute."""

import random
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from access.tasks.backend import task
from devices.enrollment.enrollments import wake
from devices.mdm.questions import ask_inventory
from devices.models import Device, Enrollment

DAY = timedelta(hours=24)
SPREAD = timedelta(hours=4)  # either way, so that devices that enrolled together are asked at different times
MOST = 200  # devices in one run


@task()
def ask_for_inventory() -> None:
    """Ask up to MOST devices, those first that were asked longest ago. Harmless when it runs twice."""
    due = Enrollment.objects.filter(
        state=Enrollment.State.ENROLLED, device__isnull=False, inventory_at__lt=timezone.now() - DAY
    )
    for pk, device in list(due.order_by("inventory_at").values_list("pk", "device")[:MOST]):
        _ask(pk, device)


@transaction.atomic
def _ask(enrollment_pk: int, device_pk: int) -> None:
    """One device in its own transaction, so that it waits for none of the others when it connects meanwhile."""
    device = Device.objects.select_for_update().defer("record_json", "search_text").filter(pk=device_pk).first()
    enrolled = Enrollment.objects.select_for_update().filter(pk=enrollment_pk, state=Enrollment.State.ENROLLED)
    enrollment = enrolled.filter(inventory_at__lt=timezone.now() - DAY).first()
    if device is None or enrollment is None:
        return
    ask_inventory(device, enrollment)
    enrollment.inventory_at = timezone.now() + random.uniform(-1, 1) * SPREAD  # noqa: S311 - no secret
    enrollment.save(update_fields=["inventory_at"])
    wake([device.pk])
