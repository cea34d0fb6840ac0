from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from devices.inputs import Body, Name, Query
from devices.models import Tag


class TagQuery(Query):
    search: str = Field(default="", description="Tags whose name contains this text; case is ignored.")


class TagBody(Body):
    name: Annotated[Name, Field(description="The name of the tag, which no other tag of the organization has.")]


class TagOut(BaseModel):
    id: UUID
    name: str

    @classmethod
    def of(cls, tag: Tag) -> "TagOut":
        return cls.model_construct(id=tag.uuid, name=tag.name)
