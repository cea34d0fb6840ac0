from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field, StringConstraints

from access.models import ApiToken
from devices.api.pagination import LimitOffset
from devices.dates import zulu
from devices.inputs import Body

type TokenName = Annotated[
    str, StringConstraints(min_length=1, max_length=100), Field(description="The name of the token.")
]
type Description = Annotated[
    str, StringConstraints(max_length=1000), Field(description="A text about the purpose of the token.")
]
type Permissions = Annotated[
    list[str],
    Field(description="The ids of all its permissions, which the calling token must have as well."),
]
type Expiry = Annotated[
    AwareDatetime,
    Field(description="When the token expires, with a time zone; null for never, where the organization allows it."),
]
type Networks = Annotated[
    list[str],
    Field(description="The networks that calls may come from, in CIDR notation or as addresses; empty for all."),
]


class TokenOut(BaseModel):
    """What an integration may know of the token that it calls with."""

    id: UUID
    name: str
    permissions: list[str]
    api_url: str


class TokensQuery(LimitOffset):
    """`state` leaves only the tokens in that state; revoked ones are listed for `revoked` alone."""

    search: str = Field(default="", description="Tokens whose name or description contains this text; case is ignored.")
    state: Literal["active", "disabled", "expired", "revoked"] | None = Field(
        default=None, description="Tokens in exactly this state; left out, all but revoked ones."
    )


class TokenBody(Body):
    name: TokenName
    description: Description = ""
    permissions: Permissions = []
    expires_at: Expiry | None = None
    networks: Networks = []


class TokenChanges(Body):
    """The fields to change. `disabled` disables and enables the token."""

    name: TokenName | None = None
    description: Description | None = None
    permissions: Permissions | None = None
    expires_at: Expiry | None = None
    networks: Networks | None = None
    disabled: bool | None = Field(
        default=None, description="True disables the token, false enables it again; null changes nothing."
    )


class RotationBody(Body):
    """How long the former secret goes on working: until the first call with the new one, or for so long."""

    overlap: Literal["none", "1h", "24h", "7d", "until-used"] = Field(
        default="none",
        description=(
            "How long the former secret still works: not at all, for a time, or until the first call with the new one."
        ),
    )


class LeakBody(Body):
    """The secret that was found, as it was found."""

    token: Annotated[
        Annotated[str, StringConstraints(min_length=1, max_length=1000)],
        Field(description="The secret, exactly as it was found."),
    ]


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
