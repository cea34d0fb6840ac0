"""The activity of a device: a list of dated events."""

from datetime import datetime
from typing import Any

from django.utils import timezone

from access.compiled import insert_row
from access.retention import Kind, register
from devices.models import Device, DeviceActivity

NAME_CHANGED = "name_changed"
COMMAND_COMPLETED = "mdm_command_completed"
COMMAND_FAILED = "mdm_command_failed"

register(
    Kind(
        name="activity of devices",
        setting="IRU_KEEP_ACTIVITY",
        rows=lambda before: DeviceActivity.objects.filter(created_at__lt=before),
        age="created_at",
        indexed=False,
    )
)


def log(
    *,
    device: Device,
    action_type: str,
    details: dict[str, Any],
    blueprint_routing: bool = False,
    at: datetime | None = None,
) -> DeviceActivity:
    """Add an event to the device's activity, in the caller's transaction. `at` is its time; the default is now.

    The event names the device's blueprint, unless `blueprint_routing` says that routing still has to choose one.
    """
    row = DeviceActivity(
        tenant_id=device.tenant_id,
        device=device,
        created_at=at or timezone.now(),
        action_type=action_type,
        blueprint_id=None if blueprint_routing else device.blueprint_id,
        blueprint_routing=blueprint_routing,
        details=details,
    )
    insert_row(row)
    return row
