"""Decides when a device is told that its declarations have changed.

Every connect compares what a device was planned for with what it is now, without a query. A change elsewhere has the
devices planned anew.
"""

from devices.declarations.current import declarations_of, noted
from devices.declarations.declaration import declarations_token
from devices.declarations.support import may_take_declarations
from devices.enrollment.enrollments import wake_spread
from devices.models import Blueprint, Device, DeviceDeclarations, Enrollment


def is_due(device: Device, enrollment: Enrollment) -> bool:
    return enrollment.declared != situation(device)


def plan(device: Device, enrollment: Enrollment) -> bool:
    """Whether the locked device has to be told of its declarations. Stores that it was planned.

    A device of which too little is known is planned again at its next connect.
    """
    declarations = declarations_of(device)
    if declarations or not may_take_declarations(device):
        enrollment.declared = situation(device)
        enrollment.save(update_fields=["declared"])
    row = noted(device, enrollment)
    if row is None:
        return bool(declarations)
    return row.token != declarations_token(declarations)


def forget_telling(device: Device) -> None:
    """The device did not take the news. It is told again after the next plan."""
    DeviceDeclarations.objects.filter(device=device).update(token="")


def reconsider(blueprint: Blueprint) -> None:
    """Have the devices of a Blueprint planned anew, and woken for it one after the other."""
    here = blueprint.tenant.enrollments.filter(state=Enrollment.State.ENROLLED, device__blueprint=blueprint)
    here.update(declared="")
    wake_spread(here)


def situation(device: Device) -> str:
    """What the declarations and the library items of a device depend on, as far as its own row has it."""
    return f"{device.blueprint_id}.{device.os_version}"
