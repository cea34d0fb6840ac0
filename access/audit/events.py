"""The one way into the audit trail."""

import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.db import connection, transaction
from django.utils import timezone
from ulid import ULID

from access.audit.chain import LOGGED_DIGITS, chain_mac, content_of, trail_name
from access.audit.head import append, lock
from access.models import Administrator, AuditEvent, Tenant

logger = logging.getLogger(__name__)

# Called with each event of a tenant whose webhooks get every event. Webhooks are above the trail, and register.
publishers: list[Callable[[AuditEvent], None]] = []


def _is_confirmed() -> None:
    """The `confirm` of an actor whose right to act cannot end during a call."""


@dataclass(frozen=True, slots=True)
class Actor:
    """The author of a change.

    `log_event` calls `confirm` inside the transaction of the change. It raises a Refusal if the actor may not make the
    change any more.
    """

    type: AuditEvent.ActorType
    id: str
    name: str
    administrator: Administrator | None = None
    address: str = field(default="", compare=False)  # of the client; empty where the actor has none
    confirm: Callable[[], None] = field(default=_is_confirmed, repr=False, compare=False)

    @classmethod
    def of(cls, administrator: Administrator, address: str = "") -> "Actor":
        """A signed-in person, as administrator of a tenant or as operator, with the address of their browser."""
        type_ = AuditEvent.ActorType.OPERATOR if administrator.is_staff else AuditEvent.ActorType.USER
        return cls(type_, str(administrator.id), administrator.name, administrator, address)

    @classmethod
    def token(cls, id: uuid.UUID, name: str, *, confirm: Callable[[], None]) -> "Actor":
        """An integration, calling the API with that token. `LiveToken.actor` makes it."""
        return cls(AuditEvent.ActorType.API_TOKEN, str(id), name, confirm=confirm)

    @classmethod
    def command(cls, name: str) -> "Actor":
        """An operator at the command line, without a sign-in."""
        return cls(AuditEvent.ActorType.SYSTEM, "", f"manage.py {name}")

    @classmethod
    def reporter(cls, address: str) -> "Actor":
        """An unknown caller at this address, who reported a leaked secret."""
        return cls(AuditEvent.ActorType.SYSTEM, "", "Leak report", address=address)


@dataclass(frozen=True, slots=True)
class Target:
    """The object of a change, or a `component` of it. `state` returns what the object is like after the change.

    `tenant` says in whose trail it is: None for the trail of the installation.
    """

    tenant: Tenant | None
    type: str
    id: object
    name: str
    component: str = ""
    state: Callable[[], dict[str, Any]] | None = None

    @classmethod
    def whole(cls, tenant: Tenant) -> "Target":
        """A tenant itself."""
        return cls(tenant, "tenant", tenant.pk, tenant.name)


def log_event(
    *,
    target: Target,
    actor: Actor,
    action: AuditEvent.Action,
    summary: str,
    changes: dict[str, dict[str, Any]] | None = None,
    metadata: dict[str, Any] | None = None,
) -> AuditEvent:
    """Append one event to the trail of the target. The event of a deletion has no new state.

    Belongs inside the transaction of its change, so that both are committed or neither; raises RuntimeError outside
    one. Call it last: it locks the head of the trail, for which all other changes of the tenant wait until the commit.

    Raises the Refusal of an actor who may not act any more, such as a token that was revoked during the call. The
    revocation has an event too, so it holds the same lock until it is committed: no event of a token can come after it.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("An audit event is recorded in the transaction of its change.")
    tenant = target.tenant
    event = AuditEvent(
        tenant=tenant,
        action=action,
        summary=summary,
        actor_type=actor.type,
        actor_id=actor.id,
        actor_name=actor.name,
        target_type=target.type,
        target_id=str(target.id),
        target_name=target.name,
        target_component=target.component,
        changes=changes or {},
        new_state=target.state() if target.state and action != AuditEvent.Action.DELETE else None,
        metadata=metadata,
    )
    content = content_of(event)
    _lock_references()
    head = lock(tenant)
    actor.confirm()
    # Numbers and times rise in the order of the commits, so that a reader who asks for newer events misses none.
    event.ulid, event.sequence, event.occurred_at = str(ULID()), head.sequence + 1, timezone.now()
    event.key_number = head.key
    event.mac = chain_mac(head.mac, event, content)
    append(event)
    if head.published:
        for publish in publishers:
            publish(event)
    # The log is outside the database, so that a trail without its newest rows can be recognised. It shows only the
    # start of the MAC, because the log's filter takes the whole for a token.
    transaction.on_commit(
        lambda: logger.info("Audit head of %s: %d:%s", trail_name(tenant), event.sequence, event.mac[:LOGGED_DIGITS])
    )
    return event


def _lock_references() -> None:
    # PostgreSQL checks foreign keys at the commit, and for that locks the rows that they name. One of these may be
    # locked by a transaction that waits for the head of the trail, so they are locked before the head.
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def difference(old: dict[str, Any], new: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """`{field: {"old": …, "new": …}}` of the fields whose values differ."""
    return {name: {"old": old[name], "new": value} for name, value in new.items() if old[name] != value}
