from uuid import UUID

from pydantic import BaseModel


class TokenOut(BaseModel):
    """What an integration may know of the token that it calls with."""

    id: UUID
    name: str
    permissions: list[str]
    api_url: str
