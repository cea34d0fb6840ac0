"""Final deletion of a tenant: its tokens stop, then its rows and files go in batches, then its trail, then itself."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import ProtectedError, RestrictedError
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from access import limits
from access.audit.chain import Beginning, Place
from access.audit.events import Actor, Target, log_event
from access.audit.removal import add_anchor
from access.database import allow_long_statements
from access.maintenance.engines import Progress
from access.maintenance.keys import counting
from access.maintenance.refusals import Refused
from access.maintenance.tenant_tables import Table, tables
from access.models import Administrator, ApiToken, AuditAnchor, AuditEvent, AuditHead, Session, Tenant, Webhook

BATCH = 500  # rows that one transaction deletes
# They go last, in an order of their own.
LAST = (Tenant, AuditEvent, AuditHead, AuditAnchor)

# Called with the primary keys of each batch before its rows go, by the label of the table, and outside a transaction.
# Apps register here what is deleted with their rows, such as files.
before_deletion: dict[str, Callable[[list[Any]], None]] = {}


@dataclass(frozen=True, slots=True)
class Part:
    """A table with rows that go, as people read it."""

    name: str
    rows: int


def parts(tenant: Tenant) -> Iterator[Part]:
    """What goes with a tenant: the tables that have rows of it."""
    for table in tables():
        if table.model in {Tenant, AuditHead, AuditAnchor}:
            continue
        with counting():
            number = table.rows(tenant).count()
        if number:
            yield Part(str(table.model._meta.verbose_name_plural), number)


def delete_tenant(*, tenant: Tenant, actor: Actor, progress: Progress) -> int:
    """Delete a suspended tenant for good. Returns the number of rows that were deleted.

    Each batch is committed. If it is interrupted, the tenant stays suspended and can no longer be resumed; the next
    call goes on. The trail of the installation says when it began and when it was done, by whom, and how the trail of
    the tenant ended, of which signed anchors stay. Raises Refused.
    """
    # Counted before, because the transaction that stops the tokens holds locks.
    _begin(tenant, {part.name: part.rows for part in parts(tenant)}, actor)
    number, going = 0, [table for table in reversed(tables()) if table.model not in LAST]
    for done, table in enumerate(going, 1):
        number += _empty(table, tenant)
        progress("Tables", done, len(going))
    number += _remove_trail(tenant, progress)
    _end(tenant, actor)
    return number


@transaction.atomic
def _begin(tenant: Tenant, rows: dict[str, int], actor: Actor) -> None:
    """From here on no token, no session and no webhook of the tenant works, and the tenant cannot be resumed."""
    row = Tenant.objects.select_for_update(no_key=True).get(pk=tenant.pk)
    if row.active:
        raise Refused(f"{tenant.name} is active. Suspend it first.")
    now = timezone.now()
    ApiToken.objects.filter(tenant=tenant, revoked_at=None).update(revoked_at=now)
    ApiToken.objects.filter(tenant=tenant).update(previous_digest=None, previous_until=None)
    Webhook.objects.filter(tenant=tenant).update(enabled=False, stopped=Webhook.Stopped.BY_HAND)
    Session.objects.filter(person__tenant=tenant).delete()
    if row.deletion_began_at is None:
        row.deletion_began_at = now
        row.save(update_fields=["deletion_began_at"])
        _log("Deletion of an organization started", tenant, {**_end_of_trail(tenant), "rows": rows}, actor)


def _empty(table: Table, tenant: Tenant) -> int:
    number = 0
    while keys := list(table.rows(tenant).values_list("pk", flat=True)[:BATCH]):
        if clean_up := before_deletion.get(table.label):
            clean_up(keys)
        try:
            with transaction.atomic():
                allow_long_statements()
                table.every().filter(pk__in=keys).delete()
        except (ProtectedError, RestrictedError, IntegrityError):
            raise Refused(
                f"Rows were added while {table.model._meta.verbose_name_plural} were deleted. Run the command again; "
                "it goes on."
            ) from None
        number += len(keys)
    return number


def _remove_trail(tenant: Tenant, progress: Progress) -> int:
    """Remove the whole trail, broken or not, under one last anchor."""
    events = AuditEvent.objects.filter(tenant=tenant).order_by("sequence")
    number = 0
    while (first := events.first()) and (last := events.last()):
        with transaction.atomic():
            anchors = AuditAnchor.objects.filter(tenant=tenant).order_by("sequence")
            former = anchors.last()
            if former is None or former.sequence < last.sequence:
                add_anchor(tenant, _as_beginning(former), first, last)
            allow_long_statements()
            batch = list(events.filter(sequence__lte=last.sequence).values_list("pk", flat=True)[:BATCH])
            number += AuditEvent.objects.filter(tenant=tenant, pk__in=batch).delete()[0]
        progress("Audit events", number, 0)
    return number


def _as_beginning(anchor: AuditAnchor | None) -> Beginning:
    """Without a verification: a broken trail is deleted too."""
    if anchor is None:
        return Beginning()
    place = Place(anchor.sequence, anchor.mac, anchor.event_key_number)
    return Beginning(place, anchor.signature, anchor.key_number)


@transaction.atomic
def _end(tenant: Tenant, actor: Actor) -> None:
    facts = _end_of_trail(tenant)
    AuditHead.objects.filter(tenant=tenant).delete()
    limits.forget(tenant.pk)
    try:
        Tenant.objects.filter(pk=tenant.pk).delete()
    except (ProtectedError, RestrictedError, IntegrityError):
        raise Refused("Rows were added meanwhile. Run the command again; it goes on.") from None
    _log("Organization deleted", tenant, facts, actor)


def _end_of_trail(tenant: Tenant) -> dict[str, Any]:
    head = AuditHead.objects.filter(tenant=tenant).first()
    return {
        "audit_events": head.sequence if head else None,
        "last_audit_event": f"{head.sequence}:{head.mac}" if head else None,
    }


def _log(summary: str, tenant: Tenant, facts: dict[str, Any], actor: Actor) -> None:
    log_event(
        target=Target(None, "tenant", tenant.pk, tenant.name),
        actor=actor,
        action=AuditEvent.Action.DELETE,
        summary=summary,
        metadata={"tenant": tenant.subdomain, **facts},
    )


def _forget_tasks(people: list[Any]) -> None:
    """Delete the tasks that mail these people, with their addresses."""
    rows = Administrator.objects.filter(pk__in=people, tenant__isnull=False).values_list("pk", "email")
    names = [name for pk, email in rows for name in (str(pk), email)]
    DBTaskResult.objects.filter(args_kwargs__args__0__in=names).delete()


before_deletion["access.Administrator"] = _forget_tasks
