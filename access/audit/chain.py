"""The chain of audit events: each carries a MAC over itself and the MAC before it.

Each tenant has a trail with a chain of its own; so has the installation, whose events have no tenant. Old events may be
removed from the beginning of a trail. Then a signed anchor has the MAC from which the chain goes on.
"""

import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from access.keyrings import audit_keyring
from access.models import AuditAnchor, AuditEvent, AuditHead, Tenant

FIRST_KEY = 1  # of an event without a number
ANCHOR = "audit_anchor"  # the type of the target of the event that names an anchor
LOGGED_DIGITS = 16  # hexadecimal digits of a MAC in the log; all 64 would look like a token to the log's filter

_REMOVED = "event {} cannot be compared with the log: a purge has removed the events up to {}. Expect a later head."
_MADE_ANEW = "event {} is not the one that its head was made by: the trail was made anew, or the head was changed."


class BrokenTrail(Exception):
    """The audit trail was changed. The message names the first broken event."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a trail: behind the event with this number and MAC, which is under the key with that number."""

    sequence: int = 0
    mac: str = ""
    key: int = 0


@dataclass(frozen=True, slots=True)
class Beginning:
    """Where the events that are left begin. `signature` is that of the last anchor; empty if no event was removed."""

    place: Place = Place()
    signature: str = ""
    key: int = 0  # of that signature


def chain_mac(previous: str, event: AuditEvent, content: bytes | None = None) -> str:
    """Hexadecimal HMAC-SHA-256 over the event and the `mac` before it, under the key that the event names.

    Raises BrokenTrail if that key is not configured. `content` is `content_of(event)`, for a caller that has made it
    before.
    """
    key = _key(key_of(event), f"event {event.sequence}")
    place = [previous, event.ulid, event.tenant_id, event.sequence, _moment(event.occurred_at)]
    # One JSON list of both.
    message = orjson.dumps(place)[:-1] + b"," + (content or content_of(event))[1:]
    return hmac.new(key, message, hashlib.sha256).hexdigest()


def anchor_signature(previous: str, anchor: AuditAnchor) -> str:
    """Hexadecimal HMAC-SHA-256 over an anchor and the signature of the one before it, under the key that it names.

    Raises BrokenTrail if that key is not configured.
    """
    # The first text tells it from the message of an event, which begins with a MAC.
    content = [
        ANCHOR,
        previous,
        anchor.tenant_id,
        anchor.after,
        anchor.sequence,
        anchor.mac,
        anchor.event_key_number,
        _moment(anchor.oldest_at),
        _moment(anchor.newest_at),
        _moment(anchor.made_at),
        anchor.key_number,
    ]
    key = _key(anchor.key_number, f"the anchor behind event {anchor.sequence}")
    return hmac.new(key, orjson.dumps(content), hashlib.sha256).hexdigest()


def beginning(tenant: Tenant | None) -> Beginning:
    """Where the remaining events of a trail begin. Raises BrokenTrail for an anchor that differs from its signature."""
    found = Beginning()
    for anchor in AuditAnchor.objects.filter(tenant=tenant).order_by("sequence").iterator(chunk_size=2000):
        signed = anchor_signature(found.signature, anchor)
        follows = anchor.after == found.place.sequence and anchor.key_number >= found.key
        if not (follows and hmac.compare_digest(anchor.signature.encode(), signed.encode())):
            raise BrokenTrail(f"the anchor behind event {anchor.sequence} is not what was signed, or one is missing.")
        place = Place(anchor.sequence, anchor.mac, anchor.event_key_number)
        found = Beginning(place, anchor.signature, anchor.key_number)
    return found


def is_announced(tenant: Tenant | None, start: Beginning) -> bool:
    """Whether an event of the trail names the last anchor, as each purge leaves one.

    So a key alone makes no anchor: somebody who has an old one can add no event to the trail.
    """
    if not start.signature:
        return True
    events = AuditEvent.objects.filter(tenant=tenant, target_type=ANCHOR, target_id=str(start.place.sequence))
    return any((event.metadata or {}).get("anchor") == start.signature for event in events)


def key_of(row: AuditEvent | AuditHead) -> int:
    """The number of the key that an event was chained under, or the last event of a head."""
    return row.key_number or FIRST_KEY


def content_of(event: AuditEvent) -> bytes:
    """The fields of an event that do not depend on its place in the chain, as a JSON list."""
    content = [
        event.action,
        event.summary,
        event.actor_type,
        event.actor_id,
        event.actor_name,
        event.target_type,
        event.target_id,
        event.target_name,
        event.target_component,
        _plain(event.changes),
        _plain(event.new_state),
        _plain(event.metadata),
    ]
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)


def follow(tenant: Tenant | None, start: Place) -> Iterator[Place]:
    """The place of each event of a trail, in order. Raises BrokenTrail at the first that is wrong."""
    for event in AuditEvent.objects.filter(tenant=tenant).order_by("sequence").iterator(chunk_size=2000):
        start = check(event, start)
        yield start


def check(event: AuditEvent, last: Place) -> Place:
    """The place of an event. Raises BrokenTrail unless it follows `last` directly and is as it was recorded.

    Numbers of keys never fall: somebody who has only an old key can add no event after the first one under a newer key.
    """
    if event.sequence <= last.sequence:
        raise BrokenTrail(f"event {event.sequence} is there, but an anchor says that it was removed.")
    if event.sequence != last.sequence + 1:
        raise BrokenTrail(f"event {last.sequence + 1} is missing.")
    if key_of(event) < last.key:
        raise BrokenTrail(f"event {event.sequence} ({event.ulid}) is under key {key_of(event)}, after key {last.key}.")
    if not hmac.compare_digest(event.mac.encode(), chain_mac(last.mac, event).encode()):
        raise BrokenTrail(f"event {event.sequence} ({event.ulid}) is not what was recorded.")
    return Place(event.sequence, event.mac, key_of(event))


def trail_name(tenant: Tenant | None) -> str:
    """The name of a trail in the log and in what `verify_audit` prints."""
    return tenant.subdomain if tenant else "the installation"


def verify(tenant: Tenant | None, *, logged_head: tuple[int, str] | None = None) -> tuple[int, str]:
    """Follow the chain of a tenant, or of the installation, up to its head; returns the number of its last event and
    the MAC of that.

    `logged_head` is an earlier head from the log, its sequence and the beginning of its MAC, which the chain must still
    contain. Raises BrokenTrail.
    """
    # The head is read first: events that are added meanwhile come after it, and must continue the chain all the same.
    head = AuditHead.objects.filter(tenant=tenant).first()
    start = beginning(tenant)
    wanted = {each[0] for each in (head and (head.sequence, head.mac), logged_head) if each}
    last = start.place
    places = {last.sequence: last}
    for last in follow(tenant, start.place):
        if last.sequence in wanted:
            places[last.sequence] = last
    if head is None:
        raise BrokenTrail("the head is missing.")
    if (end := max(wanted)) > last.sequence:
        raise BrokenTrail(f"events {last.sequence + 1} to {end} are missing at the end.")
    at_head = places.get(head.sequence)
    if at_head is None or at_head.mac != head.mac or (at_head.key or key_of(head)) != key_of(head):
        raise BrokenTrail(_MADE_ANEW.format(head.sequence))
    if logged_head:
        if logged_head[0] not in places:
            raise BrokenTrail(_REMOVED.format(logged_head[0], start.place.sequence))
        if not places[logged_head[0]].mac.startswith(logged_head[1]):
            raise BrokenTrail(_MADE_ANEW.format(logged_head[0]))
    # An event and its head are committed together, so a later look at the head finds no older one than the last event.
    if (now := AuditHead.objects.filter(tenant=tenant).first()) is None or now.sequence < last.sequence:
        raise BrokenTrail(f"the head is at event {head.sequence}, but the trail goes on to event {last.sequence}.")
    if not is_announced(tenant, start):
        raise BrokenTrail(f"no event names the anchor behind event {start.place.sequence}: it may be forged.")
    return last.sequence, last.mac


def _key(number: int, place: str) -> bytes:
    key = dict(audit_keyring()).get(number)
    if key is None:
        raise BrokenTrail(f"{place} cannot be verified: IRU_AUDIT_KEYS lacks its key, number {number}.")
    return key


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()


def _plain(value: Any) -> Any:
    # PostgreSQL gives some numbers back in another form than it was given: 1e22 as 10000000000000000000000.
    match value:
        case dict():
            return {name: _plain(item) for name, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case float():
            return str(int(value) if value.is_integer() else value)
        case bool() | None:
            return value
        case int():
            return str(value)
    return value
