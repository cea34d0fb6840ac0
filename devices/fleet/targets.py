"""How audit events name devices."""

from collections.abc import Callable
from typing import Any

from access.audit.events import Target
from devices.models import Device


def device_target(device: Device, component: str = "", *, state: Callable[[], dict[str, Any]] | None = None) -> Target:
    """Return the audit target for a device, or for a component of it such as "secrets"."""
    return Target(device.tenant, "device", device.uuid, device.name, component, state)
