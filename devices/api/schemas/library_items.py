from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from devices.api.pagination import LimitOffset, Page
from devices.api.schemas.inventory import Reference, places, reports
from devices.dates import whole_seconds, zulu
from devices.library.kinds import THREAT_POLICY
from devices.library.statuses import Row
from devices.models import LibraryActivity


class ItemActivityQuery(LimitOffset):
    """A change must match all given filters."""

    activity_type: str | None = Field(
        default=None, description=f"Changes of exactly this type: {', '.join(LibraryActivity.Type.values)}."
    )
    user_id: UUID | None = Field(default=None, description="Changes by the person or the token with exactly this id.")
    user_email: str | None = Field(
        default=None, description="Changes by the person with this address; case is ignored."
    )


class ItemActivityOut(BaseModel):
    """A change of the item. For an edit, `details` has lines like "Name: old → new". `user_id` is the id of the person
    or the token, and null for a management command."""

    id: int
    activity_time: str
    activity_type: str
    user_id: UUID | None
    user_email: str
    details: list[str] | None

    @classmethod
    def of(cls, row: LibraryActivity) -> "ItemActivityOut":
        return cls.model_construct(
            id=row.pk,
            activity_time=zulu(row.activity_time),
            activity_type=row.activity_type,
            user_id=UUID(row.user_id) if row.user_id else None,
            user_email=row.user_email,
            details=row.details,
        )


class ItemStatusQuery(LimitOffset):
    """`computer_id` is the id of one device. `status` is a status as in the answer, in upper or lower case."""

    computer_id: UUID | None = Field(default=None, description="Only the device with exactly this id.")
    status: str = Field(default="", description="Devices with exactly this status of the item, in upper or lower case.")


class ItemStatusOut(BaseModel):
    """The item on a device, and the device's last report. All reported fields are null while it is pending."""

    id: int
    blueprint: Reference
    computer: Reference
    status: str
    reported_at: str | None
    log: str | None
    last_audit_run: str | None
    last_audit_log: str | None
    control_log: str | None
    control_reported_at: str | None

    @classmethod
    def of(cls, row: Row) -> "ItemStatusOut":
        reported = row.reported
        values: dict[str, Any] = {
            "id": row.number,
            **places(row),
            "status": row.status,
            "reported_at": whole_seconds(reported.reported_at) if reported else None,
            **reports(row),
        }
        if row.item.type != THREAT_POLICY.type:
            return cls.model_construct(**values)
        values |= {"edr_status": reported.edr_status if reported else None, "type": row.item.type}
        return ThreatPolicyStatusOut.model_construct(**values)


class ThreatPolicyStatusOut(ItemStatusOut):
    """The status of a policy against threats. It has two more keys."""

    edr_status: dict[str, Any] | None
    type: Literal["threat-security-policy"]


class ItemStatusPage(Page[ThreatPolicyStatusOut | ItemStatusOut]):
    """One page of the devices that an item is for."""
