from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from devices.dates import zulu
from devices.inputs import Body
from devices.models import DeviceNote


class NoteBody(Body):
    content: Annotated[
        Annotated[str, StringConstraints(min_length=1, max_length=20_000)],
        Field(description="The text of the note; blanks at both ends are removed."),
    ]


class NoteOut(BaseModel):
    note_id: UUID
    created_at: str
    updated_at: str
    author: str
    content: str

    @classmethod
    def of(cls, note: DeviceNote) -> "NoteOut":
        return cls.model_construct(
            note_id=note.uuid,
            created_at=zulu(note.created_at),
            updated_at=zulu(note.updated_at),
            author=note.author,
            content=note.content,
        )


class DeletedNote(BaseModel):
    note_id: UUID
    deleted_at: str
