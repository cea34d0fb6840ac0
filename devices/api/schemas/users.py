from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from devices.dates import zulu
from devices.inputs import CURSOR, CURSOR_PAGE_SIZE, Limit, Query


class UserQuery(Query):
    email: str | None = Field(default=None, description="Users whose address contains this text; case is ignored.")
    id: UUID | None = Field(default=None, description="The user with exactly this id.")
    integration_id: UUID | None = Field(
        default=None, description="Users of the directory integration with exactly this id."
    )
    archived: bool | None = Field(
        default=None, description="Only archived users, or only those that are not; left out, both."
    )
    cursor: str | None = Field(default=None, description=CURSOR)
    size: Limit = Field(default=CURSOR_PAGE_SIZE, alias="sizePerPage")


class UserIntegration(BaseModel):
    # Null unless it was imported: one published client takes the documented integer, another refuses it, and both null.
    id: int | None
    name: str
    uuid: UUID
    type: str


class UserOut(BaseModel):
    active: bool
    archived: bool
    created_at: str
    department: str | None
    deprecated_user_id: str
    email: str
    id: UUID
    integration: UserIntegration
    job_title: str | None
    name: str
    device_count: int
    updated_at: str

    @classmethod
    def of(cls, user: Any) -> "UserOut":
        """`user` comes from `User.objects.counted()`, with its integration selected."""
        integration = user.integration
        return cls.model_construct(
            active=user.active,
            archived=user.archived,
            created_at=zulu(user.created_at),
            department=user.department,
            deprecated_user_id=user.deprecated_user_id,
            email=user.email,
            id=user.uuid,
            integration=UserIntegration.model_construct(
                id=integration.number, name=integration.name, uuid=integration.uuid, type=integration.type
            ),
            job_title=user.job_title,
            name=user.name,
            device_count=user.device_count,
            updated_at=zulu(user.updated_at),
        )
