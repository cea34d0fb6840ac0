from uuid import UUID

from pydantic import BaseModel

from devices.inputs import Body, Name, Query
from devices.models import Tag


class TagQuery(Query):
    search: str = ""


class TagBody(Body):
    name: Name


class TagOut(BaseModel):
    id: UUID
    name: str

    @classmethod
    def of(cls, tag: Tag) -> "TagOut":
        return cls.model_construct(id=tag.uuid, name=tag.name)
