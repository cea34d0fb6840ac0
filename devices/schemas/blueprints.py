from typing import Any
from uuid import UUID

from pydantic import BaseModel

from devices.schemas import LimitOffset, Listed


class BlueprintQuery(LimitOffset):
    id: UUID | None = None
    id__in: Listed[UUID] | None = None
    name: str = ""


class EnrollmentCode(BaseModel):
    code: str
    is_active: bool


class BlueprintOut(BaseModel):
    id: UUID
    name: str
    icon: str
    color: str
    description: str
    params: dict[str, Any]
    computers_count: int
    missing_computers_count: int
    enrollment_code: EnrollmentCode
    type: str

    @classmethod
    def of(cls, blueprint: Any) -> "BlueprintOut":
        """`blueprint` comes from `Blueprint.objects.counted()`."""
        return cls.model_construct(
            id=blueprint.uuid,
            name=blueprint.name,
            icon=blueprint.icon,
            color=blueprint.color,
            description=blueprint.description,
            params=blueprint.params,
            computers_count=blueprint.computers_count,
            missing_computers_count=blueprint.missing_computers_count,
            enrollment_code=EnrollmentCode.model_construct(
                code=blueprint.enrollment_code, is_active=blueprint.enrollment_code_active
            ),
            type=blueprint.type,
        )
