"""Repair of the head of a trail, after somebody deleted or changed it or a backup was restored in part."""

from collections import deque

from django.db import transaction

from access.audit.chain import beginning, follow, is_announced, key_of, trail_name
from access.audit.events import Actor, Target, log_event
from access.audit.removal import announce
from access.models import AuditEvent, AuditHead, Tenant


@transaction.atomic
def repair_head(*, tenant: Tenant | None, actor: Actor) -> list[str]:
    """Set the head of the trail of a tenant, or of the installation, to its last event.

    Returns the changes as sentences, an empty list if the head was right. The repair is an event of the trail itself.
    Raises BrokenTrail, and changes nothing, if an event is not intact. Until the commit no other event can be added.
    """
    head, was_missing = AuditHead.objects.select_for_update(no_key=True).get_or_create(tenant=tenant)
    start = beginning(tenant)
    last = next(iter(deque(follow(tenant, start.place), maxlen=1)), start.place)
    sequence, mac, key = last.sequence, last.mac, last.key or key_of(head)
    before = (head.sequence, head.mac)
    if (*before, key_of(head)) == (sequence, mac, key) and not was_missing:
        return []
    lost = [sequence + 1, head.sequence] if head.sequence > sequence else None
    head.sequence, head.mac, head.key_number = sequence, mac, key
    head.save(update_fields=["sequence", "mac", "key_number"])
    was = None if was_missing else "{}:{}".format(*before)
    log_event(
        target=Target.whole(tenant) if tenant else Target(None, "installation", "", trail_name(None)),
        actor=actor,
        action=AuditEvent.Action.UPDATE,
        summary="Audit head repaired",
        metadata={"was": was, "set_to": f"{sequence}:{mac}", "lost_events": lost},
    )
    said = [f"The head was {was or 'missing'}. It was set to the last event, {sequence}:{mac}."]
    if lost:
        said.append(f"Events {lost[0]} to {lost[1]} are missing at the end, and stay missing.")
    said.append(f"Event {sequence + 1} of the trail records this repair.")
    if not is_announced(tenant, start):
        # The event that named it was among the missing ones.
        announce(tenant, start, actor=actor, summary="Anchor of the audit trail named again")
        said.append(f"The anchor behind event {start.place.sequence} is named by the next event again.")
    return said
