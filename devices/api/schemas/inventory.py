from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from devices.dates import zulu
from devices.library.statuses import Row


def _is_none(value: Any) -> bool:
    return value is None


class Reference(BaseModel):
    """A device or a blueprint."""

    id: UUID
    name: str


class DeviceItemOut(BaseModel):
    """A library item on a device, and the device's last report. All reported fields are null while it is pending."""

    id: int
    status: str
    reported_at: str | None
    log: str | None
    last_audit_run: str | None
    last_audit_log: str | None
    control_log: str | None
    control_reported_at: str | None
    item_id: UUID
    name: str
    type: str
    computer: Reference
    blueprint: Reference
    rules_present: bool
    edr_status: dict[str, Any] | None = Field(default=None, exclude_if=_is_none)

    @classmethod
    def of(cls, row: Row) -> "DeviceItemOut":
        reported = row.reported
        return cls.model_construct(
            id=row.number,
            status=row.status,
            **reports(row),
            reported_at=zulu(reported.reported_at) if reported else None,
            item_id=row.item.uuid,
            name=row.item.name,
            type=row.item.type,
            **places(row),
            rules_present=reported.rules_present if reported else False,
            edr_status=reported.edr_status if reported else None,
        )


class DeviceLibraryItems(BaseModel):
    device_id: UUID
    library_items: list[DeviceItemOut]


class DeviceItemStatus(BaseModel):
    """A library item on a device, in a short form."""

    id: int
    item_id: UUID
    name: str
    status: str
    reported_at: str | None
    type: str
    last_audit_log: str | None
    log: str

    @classmethod
    def of(cls, row: Row) -> "DeviceItemStatus":
        reported = row.reported
        return cls.model_construct(
            id=row.number,
            item_id=row.item.uuid,
            name=row.item.name,
            status=row.status,
            reported_at=zulu(reported.reported_at) if reported else None,
            type=row.item.type,
            last_audit_log=reported.last_audit_log if reported else None,
            log=(reported.log if reported else None) or "",
        )


class DeviceStatus(BaseModel):
    device_id: UUID
    library_items: list[DeviceItemStatus]
    parameters: list[dict[str, Any]]


def places(row: Row) -> dict[str, Any]:
    """The device of a row and its blueprint, with their current names."""
    device, blueprint = row.device, row.device.blueprint
    return {
        "computer": Reference.model_construct(id=device.uuid, name=device.name),
        "blueprint": Reference.model_construct(id=blueprint.uuid, name=blueprint.name),
    }


def reports(row: Row) -> dict[str, Any]:
    """The reported fields except the status, and except the date, which the lists format in different ways."""
    reported = row.reported
    return {
        "log": reported.log if reported else None,
        "last_audit_run": zulu(reported.last_audit_run) if reported else None,
        "last_audit_log": reported.last_audit_log if reported else None,
        "control_log": reported.control_log if reported else None,
        "control_reported_at": zulu(reported.control_reported_at) if reported else None,
    }
