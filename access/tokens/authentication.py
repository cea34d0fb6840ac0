"""Authentication of API calls by their bearer token."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, lru_cache, partial
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, cast
from uuid import UUID

import orjson
from django.db import DEFAULT_DB_ALIAS
from django.urls import reverse
from django.utils.functional import SimpleLazyObject

from access import sql
from access.addresses import parse, web_origin
from access.audit.events import Actor
from access.limits import Limits
from access.models import Tenant
from access.permissions import Permission
from access.refusals import Refusal
from access.tokens import usage
from access.tokens.digests import SHAPE, digests
from access.tokens.rotation import end_overlap_on_use
from access.tokens.usage import Call

# The tokens with one of several digests: their present secrets, or those before the last rotation.
LOOK_UP = """
SELECT token.id, token.name, token.permissions, token.expires_at, token.last_used_at, token.networks,
    token.{column}, token.previous_digest, token.previous_until, tenant.id, tenant.name, tenant.subdomain,
    token.mcp, token.mcp_sensitive, tenant.calls_per_second, tenant.calls_per_hour{columns}
FROM access_apitoken AS token
JOIN access_tenant AS tenant ON tenant.id = token.tenant_id{joins}
WHERE token.{column} IN ({digests}) AND token.disabled_at IS NULL AND token.revoked_at IS NULL AND tenant.active
"""

# The parts of LOOK_UP that can change during a call.
LOOK_UP_AGAIN = """
SELECT token.permissions, token.expires_at
FROM access_apitoken AS token
JOIN access_tenant AS tenant ON tenant.id = token.tenant_id
WHERE token.id = %s AND token.disabled_at IS NULL AND token.revoked_at IS NULL AND tenant.active
"""

TENANT_FIELDS = ("id", "name", "subdomain", "active", "calls_per_second", "calls_per_hour")
NO_HEADER = "Send the token in the header `Authorization: Bearer <token>`. The request has no such header."
OTHER_SCHEME = "Send the token in the header `Authorization: Bearer <token>`. The scheme of the request is not Bearer."


@dataclass(frozen=True, slots=True)
class Beside:
    """What a call reads of one object of its tenant, in the statement that finds its token.

    A second statement costs a third of such a call on PostgreSQL. `joins` are LEFT JOINs to `tenant.id`, which find at
    most one row; `parameters` are theirs.
    """

    columns: str
    joins: str
    parameters: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class LiveToken:
    """A token that is valid at this moment. It is not stored beyond one request.

    `tenant` is made when it is first asked for, because the most frequent calls need its id alone. It has loaded
    TENANT_FIELDS. `trial`: a person tries permissions on a page. Such a call reads alone, and is no use of the token.
    `beside` has the columns that were to be read beside the token, if any were.
    """

    id: UUID
    name: str
    permissions: frozenset[str]
    tenant: Tenant
    tenant_id: int
    subdomain: str
    limits: Limits
    mcp: bool = False
    mcp_sensitive: bool = False
    trial: bool = False
    beside: tuple[Any, ...] | None = None

    @classmethod
    def for_trial(
        cls, tenant: Tenant, permissions: Iterable[str], *, id: UUID | None = None, name: str = ""
    ) -> "LiveToken":
        """A token for calls that a person tries. With an `id`, they are calls of that token."""
        return cls(
            id or UUID(int=0),
            name,
            frozenset(permissions),
            tenant,
            tenant.pk,
            tenant.subdomain,
            tenant.limits,
            trial=True,
        )

    def actor(self, permission: Permission | None, *, grants: Iterable[Permission] = ()) -> Actor:
        """The token as author of changes, for an operation that needs this permission, and that passes on `grants`.

        Each change confirms it again: `log_event` raises AuthenticationFailed or PermissionMissing.
        """
        if self.trial:
            return Actor.token(self.id, self.name, confirm=_refuse_changes)
        needed = [*([permission] if permission else []), *grants]
        return Actor.token(self.id, self.name, confirm=partial(_confirm, self.id, needed))


class AuthenticationFailed(Refusal):
    """No live token came with the request.

    `sent` says whether the request had a bearer token. The reason why that one was refused is deliberately not kept:
    only a request without any gets a `hint`, which says how to send one.
    """

    status = 401

    def __init__(self, *, sent: bool, hint: str = "") -> None:
        super().__init__("A valid API token is required.")
        self.sent, self.hint = sent, hint

    def body(self) -> Any:
        return {"detail": str(self)} | ({"hint": self.hint} if self.hint else {})

    def headers(self) -> Mapping[str, str]:
        return {"WWW-Authenticate": 'Bearer error="invalid_token"' if self.sent else "Bearer"}


class PermissionMissing(Refusal):
    """The token lacks the permission.

    The answer names it, and the page where an administrator can add it: the owner of the integration can ask for that.
    """

    status = 403

    def __init__(self, permission: Permission, token_id: UUID) -> None:
        super().__init__("You do not have permission to perform this action.")
        self.permission, self.token_id = permission, token_id

    def body(self) -> Any:
        return {
            "detail": str(self),
            "missing_permission": self.permission.as_missing(),
            "permission": self.permission.codename,
            "permissions_url": web_origin() + reverse("token-permissions", args=[self.token_id]),
        }


def authenticate(
    authorization: str | None, *, subdomain: str | None, call: Call | None = None, beside: Beside | None = None
) -> LiveToken:
    """The live token of an Authorization header. Costs one query; raises AuthenticationFailed for anything else.

    `subdomain` is the tenant named by the host, and None where the token alone names it. What is read `beside` the
    token is its tenant's, and does not leave this function for a token that is refused.
    """
    call = call or Call()
    if not authorization:
        raise AuthenticationFailed(sent=False, hint=NO_HEADER)
    scheme, _, secret = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise AuthenticationFailed(sent=False, hint=OTHER_SCHEME)
    if not secret.strip():
        raise AuthenticationFailed(sent=False)
    secret = secret.strip()
    if not SHAPE.fullmatch(secret):
        raise AuthenticationFailed(sent=True)
    candidates = digests(secret)
    values = [digest.value for digest in candidates]
    if beside is None:
        rows = sql.rows(_look_up(len(values)), *values)
    else:
        statement = _look_up(len(values), columns=beside.columns, joins=beside.joins)
        rows = sql.rows(statement, *beside.parameters, *values)
    # Only a call with a former secret, or with none that exists, pays for the second query.
    former = not rows
    if former and not (rows := sql.rows(_look_up(len(values), former=True), *values)):
        raise AuthenticationFailed(sent=True)
    (
        id,
        name,
        permissions,
        expires_at,
        last_used_at,
        networks,
        stored_digest,
        previous_digest,
        previous_until,
        tenant_id,
        tenant_name,
        token_subdomain,
        mcp,
        mcp_sensitive,
        calls_per_second,
        calls_per_hour,
        *others,
    ) = rows[0]
    now = datetime.now(UTC)
    if (
        (subdomain is not None and subdomain != token_subdomain)
        or _is_past(expires_at, now)
        or (former and _is_past(previous_until, now))
        or not _may_come_from(networks, call.address)
    ):
        raise AuthenticationFailed(sent=True)
    token_id = id if isinstance(id, UUID) else UUID(id)
    if not former and previous_digest is not None and previous_until is None:
        end_overlap_on_use(token_id)
    newest = candidates[0]
    usage.track_use(
        token_id,
        call,
        now,
        last_used_at=sql.aware(last_used_at) if last_used_at else None,
        rekeying=usage.Rekeying(stored_digest, newest, former=former) if stored_digest != newest.value else None,
    )
    loaded = (tenant_id, tenant_name, token_subdomain, True, calls_per_second, calls_per_hour)
    return LiveToken(
        token_id,
        name,
        _codenames(permissions),
        cast("Tenant", SimpleLazyObject(partial(Tenant.from_db, DEFAULT_DB_ALIAS, TENANT_FIELDS, loaded))),
        tenant_id,
        token_subdomain,
        Limits(calls_per_second, calls_per_hour),
        mcp=bool(mcp),  # SQLite has no booleans
        mcp_sensitive=bool(mcp_sensitive),
        beside=tuple(others) or None,
    )


def _refuse_changes() -> None:
    raise RuntimeError("A trial of a token's permissions changes nothing.")


def _confirm(token_id: UUID, needed: Iterable[Permission]) -> None:
    rows = sql.rows(LOOK_UP_AGAIN, token_id.hex)
    if not rows:
        raise AuthenticationFailed(sent=True)
    permissions, expires_at = rows[0]
    if _is_past(expires_at, datetime.now(UTC)):
        raise AuthenticationFailed(sent=True)
    held = orjson.loads(permissions)
    for permission in needed:
        if permission.codename not in held:
            raise PermissionMissing(permission, token_id)


@cache
def _look_up(keys: int, *, former: bool = False, columns: str = "", joins: str = "") -> str:
    """LOOK_UP for the digests of a secret under so many keys."""
    return LOOK_UP.format(
        column="previous_digest" if former else "digest",
        digests=", ".join(["%s"] * keys),
        columns=columns and f",\n    {columns}",
        joins=joins and f"\n{joins}",
    )


def _may_come_from(networks: str, address: str) -> bool:
    """Whether calls may come from the address."""
    if networks in {"[]", "null"}:
        return True
    parsed = parse(address)
    return parsed is not None and any(parsed in network for network in _networks(networks))


@lru_cache(maxsize=1024)
def _codenames(text: str) -> frozenset[str]:
    return frozenset(orjson.loads(text))


@lru_cache(maxsize=1024)
def _networks(text: str) -> list[IPv4Network | IPv6Network]:
    return [ip_network(each) for each in orjson.loads(text)]


def _is_past(expires_at: datetime | None, now: datetime) -> bool:
    return expires_at is not None and sql.aware(expires_at) <= now
