from uuid import UUID

from pydantic import BaseModel, Field

from access.models import Administrator
from devices.dates import zulu
from devices.schemas import PAGE_SIZE, Limit, Query


class AdminQuery(Query):
    limit: Limit = PAGE_SIZE
    size: Limit | None = Field(default=None, alias="sizePerPage")
    cursor: str | None = None


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
            created_at=zulu(administrator.created_at),
            updated_at=zulu(administrator.updated_at),
        )
