from typing import Any
from uuid import UUID

from pydantic import BaseModel

from devices.api.pagination import Page
from devices.dates import zulu
from devices.models import DeviceActivity


class Named(BaseModel):
    """A device or blueprint, and whether it is gone."""

    id: UUID
    name: str
    is_removed: bool


class ActivityOut(BaseModel):
    """Something that happened to the device; the shape of `details` follows from `action_type`."""

    id: int
    created_at: str
    action_type: str
    computer: Named
    blueprint: Named | None
    user: None
    external_token: None
    blueprint_routing: bool
    details: dict[str, Any]

    @classmethod
    def of(cls, row: DeviceActivity) -> "ActivityOut":
        """`row` comes with its device and blueprint."""
        device, blueprint = row.device, row.blueprint
        return cls.model_construct(
            id=row.pk,
            created_at=zulu(row.created_at),
            action_type=row.action_type,
            computer=Named.model_construct(id=device.uuid, name=device.name, is_removed=device.is_removed),
            blueprint=Named.model_construct(
                id=blueprint.uuid, name=blueprint.name, is_removed=blueprint.deleted_at is not None
            )
            if blueprint
            else None,
            user=None,
            external_token=None,
            blueprint_routing=row.blueprint_routing,
            details=row.details,
        )


class DeviceActivityPage(BaseModel):
    device_id: UUID
    activity: Page[ActivityOut]
