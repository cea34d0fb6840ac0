from uuid import UUID

from pydantic import BaseModel, Field

from access.models import Administrator, Role
from devices.dates import with_offset
from devices.inputs import CURSOR, CURSOR_PAGE_SIZE, Limit, Query


class AdminQuery(Query):
    size: Limit | None = Field(
        default=None,
        alias="sizePerPage",
        description="The number of rows in the answer, instead of `limit`; a larger number means the maximum.",
    )
    limit: Limit = CURSOR_PAGE_SIZE  # not documented, but sent by a published client
    cursor: str | None = Field(default=None, description=CURSOR)
    role: str | None = Field(
        default=None, description=f"Administrators with exactly this role: {', '.join(Role.values)}."
    )


class AdminOut(BaseModel):
    id: UUID
    email: str
    first_name: str
    last_name: str
    role: str
    is_active: bool
    locale: str
    created_at: str
    updated_at: str

    @classmethod
    def of(cls, administrator: Administrator) -> "AdminOut":
        return cls.model_construct(
            id=administrator.id,
            email=administrator.email,
            first_name=administrator.first_name,
            last_name=administrator.last_name,
            role=administrator.role,
            is_active=administrator.is_active,
            locale="en_US",  # the only language that the pages speak
            created_at=with_offset(administrator.created_at),
            updated_at=with_offset(administrator.updated_at),
        )
