"""The head of a trail: its last sequence number and MAC. It is locked while an event is appended.

All changes of a tenant wait for that lock, so these statements are written as SQL: Django takes longer to make them
than the database takes to run them.
"""

import logging
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.db import connection
from django.db.models import Field

from access import sql
from access.audit.chain import FIRST_KEY, trail_name
from access.keyrings import audit_keyring
from access.models import AuditEvent, Tenant
from access.refusals import Refusal

# The last column says whether a webhook gets every event of the tenant. It costs no statement of its own, for which
# the other changes of the tenant would wait.
LOCK = """SELECT sequence, mac, key_number, EXISTS (
    SELECT 1 FROM access_webhook w WHERE w.tenant_id = access_audithead.tenant_id AND w.enabled AND w.audit
) FROM access_audithead WHERE {}"""
MOVE = "UPDATE access_audithead SET sequence = %s, mac = %s, key_number = %s WHERE {} RETURNING sequence"

logger = logging.getLogger(__name__)


class HeadMissing(Refusal):
    """The trail has no head, so nothing can be added to it and no change is possible."""

    status = 503
    cause = "audit"

    def __init__(self) -> None:
        super().__init__("Changes are not possible at the moment: the audit trail has no head.")


class AuditKeyMissing(Refusal):
    """The last event is under a newer key than this process knows, so it can add none."""

    status = 503
    cause = "keys"

    def __init__(self) -> None:
        super().__init__("Changes are not possible at the moment: a key of the audit trail is missing here.")


@dataclass(frozen=True, slots=True)
class Head:
    sequence: int
    mac: str
    key: int  # the number of the key for the next event
    published: bool  # whether a webhook gets the events of this trail


def lock(tenant: Tenant | None) -> Head:
    """The head of the trail of a tenant, or of the installation, locked until the commit.

    Raises HeadMissing and AuditKeyMissing.
    """
    place, parameters = _place(tenant.pk if tenant else None)
    statement = LOCK.format(place)
    # SQLite has locked the whole database since the transaction began.
    rows = sql.rows(f"{statement} FOR NO KEY UPDATE" if connection.vendor == "postgresql" else statement, *parameters)
    if not rows:
        # A new trail would start at 1 again, and hide that the head was deleted. Every trail begins with a head.
        logger.critical(
            "The audit trail of %s has no head. `manage.py repair_audit_head` makes it anew.", trail_name(tenant)
        )
        raise HeadMissing
    sequence, mac, number, published = rows[0]
    return Head(sequence, mac, _next_key(tenant, number or FIRST_KEY), bool(published))


def append(event: AuditEvent) -> None:
    """Save the event, which has its place in the chain and its MAC, and move the locked head to it."""
    values = (field.get_db_prep_save(getattr(event, field.attname), connection) for field in _fields())
    ((event.pk,),) = sql.rows(_insert(), *values)
    place, parameters = _place(event.tenant_id)
    sql.rows(MOVE.format(place), event.sequence, event.mac, event.key_number, *parameters)


def _next_key(tenant: Tenant | None, last: int) -> int:
    """The newest key; while processes restart one after another, a newer one that another process has begun with."""
    numbers = [number for number, _ in audit_keyring()]
    if last <= numbers[0]:
        return numbers[0]
    if last not in numbers:
        logger.critical(
            "The audit trail of %s is under key %d, which IRU_AUDIT_KEYS lacks in this process. Restart it.",
            trail_name(tenant),
            last,
        )
        raise AuditKeyMissing
    return last


def _place(tenant_id: int | None) -> tuple[str, tuple[int, ...]]:
    """The condition for the head of that trail, and its parameters. No value equals NULL in SQL."""
    return ("tenant_id IS NULL", ()) if tenant_id is None else ("tenant_id = %s", (tenant_id,))


@cache
def _fields() -> list[Field[Any, Any]]:
    return [field for field in AuditEvent._meta.local_concrete_fields if not field.primary_key]


@cache
def _insert() -> str:
    columns = [field.attname for field in _fields()]
    marks = ", ".join(["%s"] * len(columns))
    return f"INSERT INTO access_auditevent ({', '.join(columns)}) VALUES ({marks}) RETURNING id"  # noqa: S608 - no input
