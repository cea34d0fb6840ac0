"""When a device has to be told that its declarations have changed.

Every connect compares what a device was planned for with what it is now, without a query. A change elsewhere has the
devices planned anew.
"""

from datetime import timedelta

from django.db.models import F
from django.utils import timezone

from devices.declarations.current import declarations_of, noted
from devices.declarations.declaration import declarations_token
from devices.declarations.support import may_take_declarations
from devices.enrollment.enrollments import wake_enrollments
from devices.models import Blueprint, Device, DeviceDeclarations, Enrollment

AT_ONCE = 500  # devices that are woken at the same moment
STEP = timedelta(seconds=5)  # until the next ones are


def is_due(device: Device, enrollment: Enrollment) -> bool:
    return enrollment.declared != _situation(device)


def plan(device: Device, enrollment: Enrollment) -> bool:
    """Whether the locked device has to be told of its declarations. Stores that it was planned.

    A device of which too little is known is planned again at its next connect.
    """
    declarations = declarations_of(device)
    if declarations or not may_take_declarations(device):
        enrollment.declared = _situation(device)
        enrollment.save(update_fields=["declared"])
    row = noted(device, enrollment)
    if row is None:
        return bool(declarations)
    return row.token != declarations_token(declarations)


def forget_telling(device: Device) -> None:
    """The device did not take the news. It is told again after the next plan."""
    DeviceDeclarations.objects.filter(device=device).update(token="")


def reconsider(blueprint: Blueprint) -> int:
    """Have the devices of a Blueprint planned anew, and woken for it: 500 every five seconds. Returns their number."""
    here = blueprint.tenant.enrollments.filter(state=Enrollment.State.ENROLLED, device__blueprint=blueprint)
    count = here.update(declared="")
    now, slots = timezone.now(), count // AT_ONCE + 1
    for slot in range(slots):
        part = here.alias(slot=F("pk") % slots).filter(slot=slot) if slots > 1 else here
        wake_enrollments(part, at=now + slot * STEP)
    return count


def _situation(device: Device) -> str:
    """What the declarations of a device depend on, as far as its own row has it."""
    return f"{device.blueprint_id}.{device.os_version}"
