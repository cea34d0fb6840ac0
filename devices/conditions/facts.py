"""Tells those who plan the library items of devices that conditions may hold differently for some of them."""

from collections.abc import Callable, Collection, Iterable

from devices.models import AssignmentNode

# Called with the primary keys of the devices, in the transaction of the change. They are above this package, and
# register.
listeners: list[Callable[[Collection[int]], None]] = []


def facts_changed(tenant: int, devices: Iterable[int]) -> None:
    """Something that a condition can ask about has changed on these devices of a tenant (primary keys): their family,
    OS version, model, serial number, tags or user, the department or job title of the user, or how they were enrolled.

    Belongs after the change, inside its transaction. It takes one query, and reads `devices` only if a map of the
    tenant has a condition.
    """
    if listeners and AssignmentNode.objects.filter(blueprint__tenant=tenant).exclude(conditions=[]).exists():
        found = list(devices)
        for listener in listeners if found else ():
            listener(found)
