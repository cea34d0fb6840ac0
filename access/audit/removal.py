"""Removal of the oldest events of a trail. They are verified before, and a signed anchor takes their place."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from itertools import takewhile

from django.db import transaction
from django.utils import timezone

from access.audit.chain import ANCHOR, Beginning, BrokenTrail, Place, anchor_signature, beginning, check, key_of
from access.audit.events import Actor, Target, log_event
from access.database import retried
from access.keyrings import audit_keyring
from access.models import AuditAnchor, AuditEvent, Tenant

YOUNGEST = timedelta(days=400)  # no younger event is removed
BATCH = 1000  # events that one transaction removes


def old_events(tenant: Tenant | None, before: datetime) -> tuple[int, datetime | None]:
    """The number of a trail's events from before that moment, and when the oldest one happened."""
    events = AuditEvent.objects.filter(tenant=tenant, occurred_at__lt=before)
    last = events.order_by("-occurred_at", "-sequence").first()
    first = AuditEvent.objects.filter(tenant=tenant).order_by("sequence").first()
    if first is None or last is None or last.sequence < first.sequence:
        return 0, None
    return last.sequence - first.sequence + 1, first.occurred_at


def remove_old(*, tenant: Tenant | None, before: datetime, actor: Actor) -> Iterator[int]:
    """Remove the events of a trail from before that moment, at least 400 days ago. Yields their number so far.

    Each batch is committed with its anchor, and with an event of the trail that names the anchor. Raises BrokenTrail at
    an event that is not what was recorded: it stays, and so do those behind it.
    """
    if before > timezone.now() - YOUNGEST:
        raise ValueError(f"Only audit events of more than {YOUNGEST.days} days ago may be removed.")
    start, removed = beginning(tenant), 0
    while events := _old(tenant, before):
        place = start.place
        for event in events:
            place = check(event, place)
        start = retried(partial(_replace, tenant, start, events, actor))
        removed += len(events)
        yield removed


def announce(tenant: Tenant | None, start: Beginning, *, actor: Actor, summary: str) -> None:
    """Add an event that names the last anchor. Belongs inside the transaction of its change."""
    place = start.place
    log_event(
        target=Target(tenant, ANCHOR, place.sequence, f"Events up to {place.sequence}"),
        actor=actor,
        action=AuditEvent.Action.DELETE,
        summary=summary,
        metadata={"anchor": start.signature, "last_removed": f"{place.sequence}:{place.mac}"},
    )


def add_anchor(tenant: Tenant | None, start: Beginning, first: AuditEvent, last: AuditEvent) -> Beginning:
    """Sign that the events from `first` to `last` are removed, so that the database lets them go. The new beginning."""
    anchor = AuditAnchor(
        tenant=tenant,
        after=start.place.sequence,
        sequence=last.sequence,
        mac=last.mac,
        event_key_number=key_of(last),
        oldest_at=first.occurred_at,
        newest_at=last.occurred_at,
        made_at=timezone.now(),
        # While processes restart with a new key, another one may have signed under it already.
        key_number=max(audit_keyring()[0][0], start.key, key_of(last)),
    )
    anchor.signature = anchor_signature(start.signature, anchor)
    anchor.save(force_insert=True)
    return Beginning(Place(last.sequence, last.mac, key_of(last)), anchor.signature, anchor.key_number)


def _old(tenant: Tenant | None, before: datetime) -> list[AuditEvent]:
    """The first events of the trail, as far as they are old."""
    first = AuditEvent.objects.filter(tenant=tenant).order_by("sequence")[:BATCH]
    return list(takewhile(lambda event: event.occurred_at < before, first))


@transaction.atomic
def _replace(tenant: Tenant | None, start: Beginning, events: list[AuditEvent], actor: Actor) -> Beginning:
    anchored = add_anchor(tenant, start, events[0], events[-1])
    removed, _ = AuditEvent.objects.filter(tenant=tenant, sequence__lte=anchored.place.sequence).delete()
    if removed != len(events):
        raise BrokenTrail(f"the events up to {anchored.place.sequence} were changed while they were being removed.")
    announce(tenant, anchored, actor=actor, summary="Older audit events removed")
    return anchored
