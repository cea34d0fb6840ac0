"""Authentication of API calls by their bearer token."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from uuid import UUID

import orjson

from access import sql
from access.models import Tenant
from access.refusals import Refusal
from access.tokens import usage
from access.tokens.digests import SHAPE, digests

LOOK_UP = """
SELECT token.id, token.name, token.permissions, token.expires_at, token.last_used_at, token.digest,
    tenant.id, tenant.name, tenant.subdomain
FROM access_apitoken AS token
JOIN access_tenant AS tenant ON tenant.id = token.tenant_id
WHERE token.digest IN ({}) AND token.revoked_at IS NULL AND tenant.active
"""


@dataclass(frozen=True, slots=True)
class LiveToken:
    """A token that is valid at this moment. It is not stored beyond one request."""

    id: UUID
    name: str
    permissions: frozenset[str]
    tenant: Tenant


class AuthenticationFailed(Refusal):
    """No live token came with the request.

    `sent` says whether the request had a bearer token. The reason is deliberately not kept.
    """

    status = 401

    def __init__(self, *, sent: bool) -> None:
        super().__init__("A valid API token is required.")
        self.sent = sent

    def headers(self) -> Mapping[str, str]:
        return {"WWW-Authenticate": 'Bearer error="invalid_token"' if self.sent else "Bearer"}


def authenticate(authorization: str | None, *, subdomain: str | None, address: str) -> LiveToken:
    """The live token of an Authorization header. Costs one query; raises AuthenticationFailed for anything else.

    `subdomain` is the tenant named by the host, and None where the token alone names it.
    """
    scheme, _, secret = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise AuthenticationFailed(sent=False)
    secret = secret.strip()
    if not SHAPE.fullmatch(secret):
        raise AuthenticationFailed(sent=True)
    candidates = digests(secret)
    rows = sql.rows(_look_up(len(candidates)), *(digest.value for digest in candidates))
    if not rows:
        raise AuthenticationFailed(sent=True)
    (
        id,
        name,
        permissions,
        expires_at,
        last_used_at,
        stored_digest,
        tenant_id,
        tenant_name,
        token_subdomain,
    ) = rows[0]
    if subdomain is not None and subdomain != token_subdomain:
        raise AuthenticationFailed(sent=True)
    now = datetime.now(UTC)
    if expires_at is not None and _aware(expires_at) <= now:
        raise AuthenticationFailed(sent=True)
    token_id = id if isinstance(id, UUID) else UUID(id)
    newest = candidates[0]
    usage.track_use(
        token_id,
        address,
        now,
        last_used_at=_aware(last_used_at) if last_used_at else None,
        rekeying=usage.Rekeying(stored_digest, newest) if stored_digest != newest.value else None,
    )
    return LiveToken(
        id=token_id,
        name=name,
        permissions=frozenset(orjson.loads(permissions)),
        tenant=Tenant(id=tenant_id, name=tenant_name, subdomain=token_subdomain, active=True),
    )


@cache
def _look_up(keys: int) -> str:
    """LOOK_UP for the digests of a secret under so many keys."""
    return LOOK_UP.format(", ".join(["%s"] * keys))


def _aware(moment: datetime) -> datetime:
    # Below the ORM, SQLite returns datetimes without a zone; they are always UTC.
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
