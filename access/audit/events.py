"""The one way into the audit trail."""

import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.utils import timezone
from ulid import ULID

from access.audit.chain import LOGGED_DIGITS, chain_mac
from access.models import Administrator, AuditEvent, AuditHead, Tenant

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who makes a change."""

    type: AuditEvent.ActorType
    id: str
    name: str
    administrator: Administrator | None = None

    @classmethod
    def of(cls, administrator: Administrator) -> "Actor":
        """A signed-in person, as administrator of a tenant or as operator."""
        type_ = AuditEvent.ActorType.OPERATOR if administrator.is_staff else AuditEvent.ActorType.USER
        return cls(type_, str(administrator.id), administrator.name, administrator)

    @classmethod
    def token(cls, id: uuid.UUID, name: str) -> "Actor":
        """An integration, calling the API with that token."""
        return cls(AuditEvent.ActorType.API_TOKEN, str(id), name)

    @classmethod
    def command(cls, name: str) -> "Actor":
        """An operator at the command line, without a sign-in."""
        return cls(AuditEvent.ActorType.SYSTEM, "", f"manage.py {name}")


@dataclass(frozen=True, slots=True)
class Target:
    """The object of a change, or a `component` of it. `state` returns what the object is like after the change."""

    tenant: Tenant
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
    """Append one event to the trail of the target's tenant. The event of a deletion has no new state.

    Belongs inside the transaction of its change, so that both are committed or neither; raises RuntimeError outside
    one.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("An audit event is recorded in the transaction of its change.")
    tenant = target.tenant
    heads = AuditHead.objects.filter(tenant=tenant).select_for_update()
    head = heads.first()
    if head is None:
        AuditHead.objects.get_or_create(tenant=tenant)
        head = heads.get()
    event = AuditEvent(
        ulid=str(ULID()),
        tenant=tenant,
        sequence=head.sequence + 1,
        occurred_at=timezone.now(),
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
    event.mac = chain_mac(head.mac, event)
    event.save(force_insert=True)
    head.sequence, head.mac = event.sequence, event.mac
    head.save(update_fields=["sequence", "mac"])
    # The log is outside the database, so that a trail without its newest rows can be recognised. It shows only the
    # start of the MAC, because the log's filter takes the whole for a token.
    transaction.on_commit(
        lambda: logger.info("Audit head of %s: %d:%s", tenant.subdomain, event.sequence, event.mac[:LOGGED_DIGITS])
    )
    return event


def difference(old: dict[str, Any], new: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """`{field: {"old": …, "new": …}}` of the fields whose values differ."""
    return {name: {"old": old[name], "new": value} for name, value in new.items() if old[name] != value}
