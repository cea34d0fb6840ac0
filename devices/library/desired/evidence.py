"""What devices do with what they were sent. Only a list of the device itself makes an item a success.

The device is locked by the caller in every function here.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.utils import timezone

from devices.library.desired.statuses import Statuses
from devices.library.desired.ways import WAYS, Way
from devices.models import Device, DeviceItem

State = DeviceItem.State
AGAIN = tuple(timedelta(hours=hours) for hours in (1, 6, 24))  # after a failure; then only a new version is tried
NOT_SHOWN = "The device took it, and its list does not show it."
STILL_SHOWN = "The device took the removal, and its list still shows it."
REPORTED = ("shown", "state", "attempts", "next_at", "error")
TEXT = 1000


def to_install(device: Device, subject: str) -> DeviceItem | None:
    """The row of an item that is being delivered, with its item and contents; None if the device is not to get it."""
    row = _row(device, subject)
    if row is None or row.item is None or not row.wanted or row.state in {State.DONE, State.UNFIT}:
        return None
    # The contents may be newer than the plan: this is the version that the device gets.
    row.sent = row.item.version
    row.save(update_fields=["sent"])
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
    row.state = State.SENT
    row.save(update_fields=["state"])
    if installed:
        statuses = Statuses(device)
        statuses.waits(row.item_id, WAYS[row.type].sent)
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


def shown(device: Device, way: Way, versions: Mapping[str, str]) -> bool:
    """Compare with a list of the device: the version of each item that it has, by the name of the item there.

    Returns whether a command to the device is missing: see `orders`.
    """
    statuses = Statuses(device)
    changed, gone, missing = [], [], False
    for row in device.items.filter(type=way.type).exclude(state=State.UNFIT):
        there = versions.get(row.identifier, "")
        before = _cells(row)
        row.shown = there
        if not row.wanted and not there:
            gone.append(row.pk)
            statuses.drop(row.item_id)
            continue
        if row.wanted and there == row.wanted:
            row.state, row.attempts, row.next_at, row.error = State.DONE, 0, None, ""
            if before != _cells(row):
                statuses.report(row.item_id, way.done)
        elif row.state == State.SENT:
            _fail(row, NOT_SHOWN if row.wanted else STILL_SHOWN, statuses)
        elif row.state == State.DONE:  # somebody removed or replaced it on the device
            row.state = State.WAITING
            statuses.waits(row.item_id, way.changing)
        missing = missing or row.state == State.WAITING or (row.next_at is not None and row.next_at <= timezone.now())
        if before != _cells(row):
            changed.append(row)
    if gone:
        device.items.filter(pk__in=gone).delete()
    if changed:
        DeviceItem.objects.bulk_update(changed, REPORTED)
    statuses.store()
    return missing


def text_of(errors: list[dict[str, Any]]) -> str:
    """The errors of a device in one text, the outermost first."""
    texts = [
        f"{error.get('localized_description') or error.get('us_english_description') or 'Error'}"
        + (f" ({error.get('domain')} {error.get('code')})" if error.get("domain") != "iru" else "")
        for error in errors
    ]
    return "\n".join(texts)[:TEXT] or "The device gives no reason."


def _fail(row: DeviceItem, reason: str, statuses: Statuses) -> None:
    row.state, row.error = State.FAILED, reason
    row.next_at = timezone.now() + AGAIN[row.attempts] if row.attempts < len(AGAIN) else None
    row.attempts = min(row.attempts + 1, 32767)
    statuses.report(row.item_id, WAYS[row.type].failed, reason)


def _row(device: Device, subject: str) -> DeviceItem | None:
    return device.items.select_related("item").filter(item_uuid=subject).first()


def _cells(row: DeviceItem) -> tuple[Any, ...]:
    return tuple(getattr(row, name) for name in REPORTED)
