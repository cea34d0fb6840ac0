"""The chain of audit events: each carries a MAC over itself and the MAC before it.

Each tenant has a trail with a chain of its own; so has the installation, whose events have no tenant.
"""

import hashlib
import hmac
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import orjson

from access.keyrings import audit_keyring
from access.models import AuditEvent, AuditHead, Tenant

FIRST_KEY = 1  # of an event without a number
LOGGED_DIGITS = 16  # hexadecimal digits of a MAC in the log; all 64 would look like a token to the log's filter

_MADE_ANEW = "event {} is not the one that its head was made by: the trail was made anew, or the head was changed."


class BrokenTrail(Exception):
    """The audit trail was changed. The message names the first broken event."""


def chain_mac(previous: str, event: AuditEvent, content: bytes | None = None) -> str:
    """Hexadecimal HMAC-SHA-256 over the event and the `mac` before it, under the key that the event names.

    Raises BrokenTrail if that key is not configured. `content` is `content_of(event)`, for a caller that has made it
    before.
    """
    key = dict(audit_keyring()).get(key_of(event))
    if key is None:
        raise BrokenTrail(
            f"event {event.sequence} cannot be verified: IRU_AUDIT_KEYS lacks its key, number {key_of(event)}."
        )
    place = [previous, event.ulid, event.tenant_id, event.sequence, _moment(event.occurred_at)]
    # One JSON list of both.
    message = orjson.dumps(place)[:-1] + b"," + (content or content_of(event))[1:]
    return hmac.new(key, message, hashlib.sha256).hexdigest()


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


def follow(tenant: Tenant | None) -> Iterator[tuple[int, str, int]]:
    """The number, the MAC and the key's number of each event of a trail, in order.

    Raises BrokenTrail at the first that is wrong. Numbers of keys never fall: somebody who has only an old key can add
    no event after the first one under a newer key.
    """
    previous, sequence, key = "", 0, 0
    for event in AuditEvent.objects.filter(tenant=tenant).order_by("sequence").iterator(chunk_size=2000):
        if event.sequence != sequence + 1:
            raise BrokenTrail(f"event {sequence + 1} is missing.")
        if key_of(event) < key:
            raise BrokenTrail(f"event {event.sequence} ({event.ulid}) is under key {key_of(event)}, after key {key}.")
        if not hmac.compare_digest(event.mac.encode(), chain_mac(previous, event).encode()):
            raise BrokenTrail(f"event {event.sequence} ({event.ulid}) is not what was recorded.")
        previous, sequence, key = event.mac, event.sequence, key_of(event)
        yield sequence, previous, key


def trail_name(tenant: Tenant | None) -> str:
    """The name of a trail in the log and in what `verify_audit` prints."""
    return tenant.subdomain if tenant else "the installation"


def verify(tenant: Tenant | None, *, logged_head: tuple[int, str] | None = None) -> tuple[int, str]:
    """Follow the chain of a tenant, or of the installation, up to its head; returns the number of its events and the
    last MAC.

    `logged_head` is an earlier head from the log, its sequence and the beginning of its MAC, which the chain must still
    contain. Raises BrokenTrail.
    """
    # The head is read first: events that are added meanwhile come after it, and must continue the chain all the same.
    head = AuditHead.objects.filter(tenant=tenant).first()
    wanted = {each[0] for each in (head and (head.sequence, head.mac), logged_head) if each}
    macs, keys, sequence, mac = {0: ""}, {0: head.key_number if head else None}, 0, ""
    for sequence, mac, key in follow(tenant):
        if sequence in wanted:
            macs[sequence], keys[sequence] = mac, key
    if head is None:
        raise BrokenTrail("the head is missing.")
    if (end := max(wanted)) > sequence:
        raise BrokenTrail(f"events {sequence + 1} to {end} are missing at the end.")
    if macs[head.sequence] != head.mac or (keys[head.sequence] or FIRST_KEY) != key_of(head):
        raise BrokenTrail(_MADE_ANEW.format(head.sequence))
    if logged_head and not macs[logged_head[0]].startswith(logged_head[1]):
        raise BrokenTrail(_MADE_ANEW.format(logged_head[0]))
    # An event and its head are committed together, so a later look at the head finds no older one than the last event.
    if (now := AuditHead.objects.filter(tenant=tenant).first()) is None or now.sequence < sequence:
        raise BrokenTrail(f"the head is at event {head.sequence}, but the trail goes on to event {sequence}.")
    return sequence, mac


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
