"""What devices do with what they were sent. Only a list of the device itself makes an item a success.

The device is locked by the caller in every function here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from devices.library.desired.statuses import Statuses
from devices.library.desired.ways import Way, planned_way_of
from devices.models import Device, DeviceItem

State = DeviceItem.State
# After the device took an item, until its list is asked for again; then once an hour as long as there is patience.
LOOKS = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15))
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOT_FETCHED = "The device was told of it, and has not fetched it."
NOT_SHOWN = "The device took it, and its list does not show it."
STILL_SHOWN = "The device took the removal, and its list still shows it."
REPORTED = ("shown", "state", "attempts", "next_at", "error")
TEXT = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """An item in a list of the device. `version` is the one that it has, "" if it has none; None if the list does not
    say which.

    `undecided`: another list says it. `failure` says why the device gave up. For an item on its way, `status` is that
    of the API, if the list knows more than the way, and `words` are for people.
    """

    version: str | None
    undecided: bool = False
    failure: str = ""
    status: str = ""
    words: str = ""


UNKNOWN = Sighting(version=None)


def to_install(device: Device, subject: str) -> DeviceItem | None:
    """The row of an item that is being delivered, with its item and contents; None if the device is not to get it."""
    row = _row(device, subject)
    if row is None or row.item is None or not row.wanted or row.state in {State.DONE, State.UNFIT}:
        return None
    # The contents may be newer than the plan: this is the version that the device gets.
    row.sent, row.sent_at = row.item.version, None
    row.save(update_fields=["sent", "sent_at"])
    return row


def to_remove(device: Device, subject: str) -> DeviceItem | None:
    """The row of an item that the device is told to remove; None if it is to keep it."""
    row = _row(device, subject)
    return None if row is None or row.wanted or row.state == State.UNFIT else row


def taken(device: Device, subject: str, *, installed: bool) -> None:
    """The device says that it has carried the command out."""
    row = _row(device, subject)
    # If another version, or none, is wanted meanwhile, the next command is still missing.
    if row is None or bool(row.wanted) != installed or (installed and row.sent != row.wanted):
        return
    way = planned_way_of(row)
    row.state, row.sent_at, row.error = State.SENT, timezone.now(), ""
    row.next_at = next_look(row.sent_at, way) if way.patience else None
    row.save(update_fields=["state", "sent_at", "next_at", "error"])
    if installed:
        statuses = Statuses(device)
        statuses.goes(row.item_id, way, way.sent)
        statuses.store()


def refused(device: Device, subject: str, errors: list[dict[str, Any]], *, installing: bool) -> None:
    """The device, or this server, did not carry the command out."""
    row = _row(device, subject)
    if row is None or bool(row.wanted) != installing or row.state == State.DONE:
        return
    statuses = Statuses(device)
    _fail(row, text_of(errors), statuses)
    row.save(update_fields=REPORTED)
    statuses.store()


def shown(device: Device, way: Way, see: Callable[[DeviceItem], Sighting], *related: str) -> bool:
    """Compare with a list of the device: `see` finds an item there. `related` is what it reads of the row.

    Returns whether a command to the device is missing: see `orders`.
    """
    statuses, now = Statuses(device), timezone.now()
    changed, gone, missing = [], [], False
    rows = device.items.filter(type=way.type, **{"declared__gt" if way.declared else "declared": 0})
    rows = rows.exclude(state=State.UNFIT)
    for row in rows.select_related(*related) if related else rows:
        sighting = see(row)
        before = _cells(row)
        if sighting.version is not None:
            row.shown = sighting.version
        if not row.wanted and sighting.version == "":
            gone.append(row.pk)
            statuses.drop(row.item_id)
            continue
        if row.wanted and row.shown == row.wanted and sighting.version is not None:
            row.state, row.attempts, row.next_at, row.error = State.DONE, 0, None, ""
            if before != _cells(row):
                statuses.report(row.item_id, way.done)
        elif row.state == State.SENT:
            look(row, sighting, statuses, now)
        elif row.state == State.DONE and sighting.version is not None:  # somebody removed or replaced it on the device
            row.state = State.WAITING
            statuses.waits(row.item_id, way.changing)
        missing = missing or row.state == State.WAITING or (row.next_at is not None and row.next_at <= now)
        if before != _cells(row):
            changed.append(row)
    if gone:
        device.items.filter(pk__in=gone).delete()
    if changed:
        DeviceItem.objects.bulk_update(changed, REPORTED)
    statuses.store()
    return missing


def next_look(sent_at: datetime, way: Way) -> datetime:
    """When the device is asked again for what it took: a few times soon, then hourly, and daily without patience.

    A device that reports on the item by itself is asked hourly from the beginning.
    """
    now, end = timezone.now(), sent_at + way.patience
    if now >= end:
        return now + DAY  # the device has not answered, which would have ended it
    moments = [sent_at + look for look in LOOKS] if way.asks else []
    hourly = sent_at + HOUR * ((now - sent_at) // HOUR + 1)
    return min(*(moment for moment in moments if moment > now), hourly, end)


def text_of(errors: list[dict[str, Any]]) -> str:
    """The errors of a device in one text, the outermost first."""
    texts = [
        f"{error.get('localized_description') or error.get('us_english_description') or 'Error'}"
        + (f" ({error.get('domain')} {error.get('code')})" if error.get("domain") != "iru" else "")
        for error in errors
    ]
    return "\n".join(texts)[:TEXT] or "The device gives no reason."


def look(row: DeviceItem, sighting: Sighting, statuses: Statuses, now: datetime) -> None:
    """The device took the item, or its removal, and its list does not prove that it was carried out."""
    way = planned_way_of(row)
    if sighting.failure and row.wanted:
        _fail(row, sighting.failure, statuses)
    elif not sighting.undecided and (row.sent_at is None or now >= row.sent_at + way.patience):
        reason = STILL_SHOWN if not row.wanted else NOT_SHOWN if row.sent else NOT_FETCHED
        _fail(row, f"{reason} {sighting.words}".strip(), statuses)
    else:
        row.next_at = next_look(row.sent_at or now, way)
        if row.wanted and row.error != sighting.words:
            row.error = sighting.words
            statuses.goes(row.item_id, way, sighting.status or way.sent, sighting.words)


def _fail(row: DeviceItem, reason: str, statuses: Statuses) -> None:
    way = planned_way_of(row)
    row.state, row.error = State.FAILED, reason
    row.next_at = timezone.now() + way.again[row.attempts] if row.attempts < len(way.again) else None
    row.attempts = min(row.attempts + 1, 32767)
    statuses.report(row.item_id, way.failed, reason)


def _row(device: Device, subject: str) -> DeviceItem | None:
    return device.items.select_related("item").filter(item_uuid=subject).first()


def _cells(row: DeviceItem) -> tuple[Any, ...]:
    return tuple(getattr(row, name) for name in REPORTED)
