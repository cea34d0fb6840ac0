from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field

from devices.api.schemas.blueprints import EnrollmentCode, EnrollmentCodeChange
from devices.dates import zulu
from devices.inputs import Body
from devices.models import BlueprintRouting, RoutingActivity


class RoutingBody(Body):
    enrollment_code: Annotated[
        EnrollmentCodeChange, Field(description="The parts of the enrollment code of Blueprint Routing to change.")
    ]


class RoutingOut(BaseModel):
    enrollment_code: EnrollmentCode

    @classmethod
    def of(cls, routing: BlueprintRouting) -> "RoutingOut":
        return cls.model_construct(enrollment_code=EnrollmentCode.of(routing))


class RoutingActivityUser(BaseModel):
    id: UUID
    email: str


class RoutingActivityOut(BaseModel):
    """Something that happened to the routing, or by it. `user` is null where no person did it."""

    id: int
    activity_time: str
    activity_type: str
    user: RoutingActivityUser | None
    device_id: UUID | None
    details: dict[str, Any]

    @classmethod
    def of(cls, row: RoutingActivity) -> "RoutingActivityOut":
        return cls.model_construct(
            id=row.pk,
            activity_time=zulu(row.activity_time),
            activity_type=row.activity_type,
            user=RoutingActivityUser(id=UUID(row.user_id), email=row.user_email) if row.user_id else None,
            device_id=row.device_uuid,
            details=row.details,
        )
