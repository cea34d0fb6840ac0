from collections.abc import Callable
from typing import Any

from access.audit.events import Target
from devices.models import Device


def device_target(device: Device, component: str = "", *, state: Callable[[], dict[str, Any]] | None = None) -> Target:
    """A device, or a component of it, as audit events name it."""
    return Target(device.tenant, "device", device.uuid, device.name, component, state)
