from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, StringConstraints

from access.models import ApiToken
from devices.api.pagination import LimitOffset
from devices.dates import zulu
from devices.inputs import Body

type TokenName = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class TokenOut(BaseModel):
    """What an integration may know of the token that it calls with."""

    id: UUID
    name: str
    permissions: list[str]
    api_url: str


class TokensQuery(LimitOffset):
    """`state` leaves only the tokens in that state; revoked ones are listed for `revoked` alone."""

    search: str = ""
    state: Literal["active", "disabled", "expired", "revoked"] | None = None


class TokenBody(Body):
    name: TokenName
    description: Annotated[str, StringConstraints(max_length=1000)] = ""
    permissions: list[str] = []
    expires_at: AwareDatetime | None = None
    networks: list[str] = []


class TokenChanges(Body):
    """The fields to change. `disabled` disables and enables the token."""

    name: TokenName | None = None
    description: Annotated[str, StringConstraints(max_length=1000)] | None = None
    permissions: list[str] | None = None
    expires_at: AwareDatetime | None = None
    networks: list[str] | None = None
    disabled: bool | None = None


class RotationBody(Body):
    """How long the former secret goes on working: until the first call with the new one, or for so long."""

    overlap: Literal["none", "1h", "24h", "7d", "until-used"] = "none"


class LeakBody(Body):
    """The secret that was found, as it was found."""

    token: Annotated[str, StringConstraints(min_length=1, max_length=1000)]


class LeakOut(BaseModel):
    detail: str


class ManagedTokenOut(BaseModel):
    """A token without its secret."""

    id: UUID
    name: str
    description: str
    state: Literal["active", "disabled", "expired", "revoked"]
    permissions: list[str]
    networks: list[str]
    created_at: str
    created_by: str
    expires_at: str | None
    rotated_at: str | None
    former_secret_until: str | None
    last_used_at: str | None
    last_used_from: str | None

    @classmethod
    def of(cls, token: ApiToken) -> "ManagedTokenOut":
        return cls.model_construct(**_fields(token))


class IssuedTokenOut(ManagedTokenOut):
    """A token with its new secret. No other answer has it."""

    token: str

    @classmethod
    def issued(cls, token: ApiToken, secret: str) -> "IssuedTokenOut":
        return cls.model_construct(**_fields(token), token=secret)


def _fields(token: ApiToken) -> dict[str, Any]:
    return {
        "id": token.id,
        "name": token.name,
        "description": token.description,
        "state": token.state,
        "permissions": [permission.codename for permission in token.granted],
        "networks": token.networks,
        "created_at": zulu(token.created_at),
        "created_by": token.created_by_name,
        "expires_at": zulu(token.expires_at),
        "rotated_at": zulu(token.rotated_at),
        "former_secret_until": zulu(token.previous_until) if token.overlaps else None,
        "last_used_at": zulu(token.last_used_at),
        "last_used_from": token.last_used_from,
    }
