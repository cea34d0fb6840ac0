"""The life of a token: create, edit, permissions, disable, enable, revoke.

Pages, the API, Django admin and commands call these functions. `rotation` gives a token a new secret.
"""

import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from access.addresses import parse_network
from access.audit.events import Actor, Target, difference, log_event
from access.kinds import TOKEN_CREATED, TOKEN_DISABLED, TOKEN_REVOKED, Kind
from access.models import ApiToken, AuditEvent, Tenant
from access.permissions import Permission, catalogue
from access.refusals import Refusal
from access.tokens.digests import digests
from access.tokens.notices import notify, notify_of_sensitive
from access.tokens.reminders import reminded_at_once

# The fields that are edited together, and how an event's summary names the first one that changed.
EDITED = {
    "name": "name",
    "description": "description",
    "expires_at": "expiry",
    "networks": "networks",
    "mcp": "MCP",
    "mcp_sensitive": "MCP",
}
MOST_NETWORKS = 100


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A new token and its secret. No other object ever holds the secret."""

    token: ApiToken
    secret: str = field(repr=False)


class AlreadySubmitted(Exception):
    """The form was posted before; `token` is the token that it created then."""

    def __init__(self, token: ApiToken) -> None:
        self.token = token


class EditConflict(Exception):
    """Another person changed the token since the caller read it; `current` is its present state."""

    def __init__(self, current: ApiToken) -> None:
        self.current = current


class BeyondOwnPermissions(Refusal):
    """A token was about to manage a token that may do what it may not do itself."""

    status = 403

    def __init__(self, lacking: list[Permission]) -> None:
        super().__init__("A token manages only tokens whose permissions it has itself.")
        self.lacking = lacking

    def body(self) -> Any:
        return {
            "detail": str(self),
            "missing_permission": self.lacking[0].as_missing(),
            "missing_permissions": [permission.codename for permission in self.lacking],
        }


def check_within(permissions: Iterable[str], own: Collection[str]) -> None:
    """Raise BeyondOwnPermissions for a permission that is not among one's `own`.

    Codenames that are not in the catalogue open nothing, and are passed over.
    """
    if lacking := [permission for permission in catalogue.known(permissions) if permission.codename not in own]:
        raise BeyondOwnPermissions(lacking)


@transaction.atomic
def create_token(
    *,
    tenant: Tenant,
    name: str,
    actor: Actor,
    description: str = "",
    permissions: Iterable[str] = (),
    expires_at: datetime | None = None,
    networks: Iterable[str] = (),
    submission: uuid.UUID | None = None,
    mcp: bool = False,
    mcp_sensitive: bool = False,
) -> IssuedToken:
    """Issue a token. `submission` identifies the opened form; its second use raises AlreadySubmitted.

    `networks` are those that calls may come from, in CIDR notation; none allows every address. With `mcp`, AI
    assistants may use the token; with `mcp_sensitive`, which needs `mcp`, its sensitive permissions too.

    Raises ValidationError for a missing or overlong name, an unknown permission, an expiry in the past or later than
    the tenant allows, a text that is no network, and a submission of another tenant.
    """
    check_expiry(tenant, expires_at)
    secret = str(uuid.uuid4())
    newest = digests(secret)[0]
    token = ApiToken(
        tenant=tenant,
        name=name.strip(),
        description=description.strip(),
        digest=newest.value,
        key_number=newest.key_number,
        permissions=checked(permissions),
        expires_at=expires_at,
        reminded_days=reminded_at_once(expires_at),
        networks=checked_networks(networks),
        submission=submission,
        mcp=mcp,
        mcp_sensitive=mcp and mcp_sensitive,
        created_by=actor.administrator,
        created_by_name=actor.name,
        created_by_type=actor.type,
    )
    token.full_clean(exclude=["tenant", "created_by", "permissions", "digest", "submission"])
    try:
        with transaction.atomic():
            token.save(force_insert=True)
    except IntegrityError:
        if submission is None:
            raise
        earlier = tenant.api_tokens.filter(submission=submission).first()
        if earlier is None:  # another tenant's form
            raise ValidationError("This form was used before. Load the page again.") from None
        raise AlreadySubmitted(earlier) from None
    log_event(
        target=target_of(token),
        actor=actor,
        action=AuditEvent.Action.CREATE,
        summary="Token created",
        changes={name: {"old": None, "new": True} for name in ("mcp", "mcp_sensitive") if getattr(token, name)},
    )
    notify(kind=TOKEN_CREATED, token=token, actor=actor)
    notify_of_sensitive(token=token, added=token.permissions, actor=actor)
    return IssuedToken(token, secret)


@transaction.atomic
def edit_token(
    *,
    tenant: Tenant,
    token_id: uuid.UUID,
    name: str,
    description: str,
    expires_at: datetime | None,
    networks: Iterable[str],
    version: int,
    actor: Actor,
    mcp: bool | None = None,
    mcp_sensitive: bool = False,
) -> ApiToken:
    """Change name, description, expiry and networks, and unless `mcp` is None, whether MCP is on.

    A token that has expired works again with a later expiry. `mcp_sensitive` needs `mcp`.

    Raises EditConflict if `version` is not the current one, ValidationError for bad input, and ApiToken.DoesNotExist
    for a revoked token.
    """
    token = locked(tenant, token_id, version)
    new: dict[str, Any] = {
        "name": name.strip(),
        "description": description.strip(),
        "expires_at": expires_at,
        "networks": checked_networks(networks),
    }
    if mcp is not None:
        new |= {"mcp": mcp, "mcp_sensitive": mcp and mcp_sensitive}
    old = {edited: getattr(token, edited) for edited in new}
    if not (changes := difference(_readable(old), _readable(new))):
        return token
    if "expires_at" in changes:
        check_expiry(tenant, expires_at)
        token.reminded_days = reminded_at_once(expires_at)
    for edited, value in new.items():
        setattr(token, edited, value)
    token.clean_fields(exclude={field.name for field in token._meta.fields} - new.keys())
    token.version += 1
    token.save(update_fields=[*new, "reminded_days", "version"])
    what = next(word for edited, word in EDITED.items() if edited in changes)
    log_event(
        target=target_of(token),
        actor=actor,
        action=AuditEvent.Action.UPDATE,
        summary=f"Token {what} changed",
        changes=changes,
    )
    return token


@transaction.atomic
def set_permissions(
    *,
    tenant: Tenant,
    token_id: uuid.UUID,
    permissions: Iterable[str],
    version: int,
    actor: Actor,
) -> ApiToken:
    """Replace the permissions of the token. They apply from the commit on.

    Raises EditConflict if `version` is not the current one, ValidationError for an unknown permission, and
    ApiToken.DoesNotExist for a revoked token.
    """
    token = locked(tenant, token_id, version)
    new = checked(permissions)
    added = sorted(set(new) - set(token.permissions))
    removed = sorted(set(token.permissions) - set(new))
    if not added and not removed:
        return token
    changes = {
        "permissions": {
            "old": token.permissions,
            "new": new,
            "added": added,
            "removed": removed,
        }
    }
    token.permissions = new
    token.version += 1
    # What learn mode suggested so far has been decided.
    now = timezone.now()
    if token.learning_until is not None and token.learning_until > now:
        token.learning_from = now
    else:
        token.learning_from, token.learning_until = None, None
    token.save(update_fields=["permissions", "version", "learning_from", "learning_until"])
    log_event(
        target=target_of(token),
        actor=actor,
        action=AuditEvent.Action.UPDATE,
        summary="Token permissions edited",
        changes=changes,
    )
    notify_of_sensitive(token=token, added=added, actor=actor)
    return token


@transaction.atomic
def disable_token(*, tenant: Tenant, token_id: uuid.UUID, actor: Actor) -> ApiToken:
    """Have calls with the token refused until it is enabled again, from the commit on.

    Disabling a disabled token changes nothing. Raises ApiToken.DoesNotExist for a revoked token.
    """
    token = locked(tenant, token_id)
    disable_locked(token, actor)
    return token


def disable_locked(
    token: ApiToken,
    actor: Actor,
    summary: str = "Token disabled",
    kind: Kind = TOKEN_DISABLED,
    facts: dict[str, str] | None = None,
) -> bool:
    """Disable a token that the caller has locked; False if it is disabled already.

    `summary` is that of the event; the message is of this kind, with these facts.
    """
    if token.disabled_at is not None:
        return False
    token.disabled_at = timezone.now()
    token.save(update_fields=["disabled_at"])
    log_event(target=target_of(token), actor=actor, action=AuditEvent.Action.UPDATE, summary=summary)
    notify(kind=kind, token=token, actor=actor, facts=facts)
    return True


@transaction.atomic
def enable_token(*, tenant: Tenant, token_id: uuid.UUID, actor: Actor) -> ApiToken:
    """End the effect of `disable_token`. Raises ApiToken.DoesNotExist for a revoked token."""
    token = locked(tenant, token_id)
    if token.disabled_at is not None:
        token.disabled_at = None
        token.save(update_fields=["disabled_at"])
        log_event(target=target_of(token), actor=actor, action=AuditEvent.Action.UPDATE, summary="Token enabled")
    return token


@transaction.atomic
def revoke_token(*, tenant: Tenant, token_id: uuid.UUID, actor: Actor) -> ApiToken:
    """Revoke a token. After the commit no call with it succeeds on any worker.

    Raises ApiToken.DoesNotExist for a token that is revoked already.
    """
    token = locked(tenant, token_id)
    revoke_locked(token, actor)
    return token


def revoke_locked(token: ApiToken, actor: Actor) -> bool:
    """Revoke a token that the caller has locked, and that is not revoked."""
    token.revoked_at = timezone.now()
    token.save(update_fields=["revoked_at"])
    log_event(target=target_of(token), actor=actor, action=AuditEvent.Action.DELETE, summary="Token revoked")
    notify(kind=TOKEN_REVOKED, token=token, actor=actor)
    return True


def checked(permissions: Iterable[str]) -> list[str]:
    """The codenames sorted and without duplicates. Raises ValidationError naming those that do not exist."""
    codenames = sorted(set(permissions))
    if unknown := [codename for codename in codenames if codename not in catalogue]:
        raise ValidationError({"permissions": f"There is no permission called {', '.join(unknown)}."})
    return codenames


def checked_networks(networks: Iterable[str]) -> list[str]:
    """The networks in CIDR notation. Raises ValidationError naming those that are none."""
    found, wrong = [], []
    for text in networks:
        try:
            found.append(str(parse_network(text)))
        except ValueError:
            wrong.append(text)
    if wrong:
        raise ValidationError({"networks": f"This is no network in CIDR notation: {', '.join(wrong)}."})
    if len(found) > MOST_NETWORKS:
        raise ValidationError({"networks": f"A token may have {MOST_NETWORKS} networks at most."})
    return list(dict.fromkeys(found))


def state(token: ApiToken) -> dict[str, Any]:
    """A token in the shape of the public audit API: its name is `label`, a permission is a path and a method."""
    return {
        "label": token.name,
        "description": token.description,
        "permissions": [{"path": permission.path, "http_method": permission.method} for permission in token.granted],
    }


def check_expiry(tenant: Tenant, expires_at: datetime | None) -> None:
    """Raise ValidationError for an expiry that a token of the tenant may not get now."""
    now = timezone.now()
    if expires_at is not None and expires_at <= now:
        raise ValidationError({"expires_at": "The expiry must lie in the future."})
    # The tenant of an API call is not a row: its rule has to be read.
    days = Tenant.objects.values_list("longest_token_days", flat=True).get(pk=tenant.pk)
    if days is not None and (expires_at is None or expires_at > now + timedelta(days=days + 1)):
        raise ValidationError({"expires_at": f"Tokens of this organization expire within {days} days at most."})


def locked(tenant: Tenant, token_id: uuid.UUID, version: int | None = None) -> ApiToken:
    """The token, locked; one of another version than `version` raises EditConflict."""
    token: ApiToken = tenant.api_tokens.select_for_update().get(id=token_id, revoked_at__isnull=True)
    if version not in {None, token.version}:
        raise EditConflict(token)
    return token


def target_of(token: ApiToken) -> Target:
    return Target(token.tenant, "api_token", token.id, token.name, state=partial(state, token))


def _readable(fields: dict[str, Any]) -> dict[str, Any]:
    """Fields as an event stores them."""
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in fields.items()}
