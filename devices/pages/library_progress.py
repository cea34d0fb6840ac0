"""Library items on devices, as people read them: the status of each, what the device said, and what happens next."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.utils import timezone

from devices.enrollment.enrollments import enrollment_of
from devices.library import statuses
from devices.library.desired.ways import WAYS
from devices.models import Device, DeviceItem, Enrollment, LibraryItem
from devices.pages.device_connection import LIVE

State = DeviceItem.State
WAITING = {"PENDING", "CHANGE_PENDING", "DOWNLOADING", "INSTALLING"}  # statuses of the API
NOT_ENROLLED = "Not enrolled with this server"
CONNECTS = "Waits until the device connects"
BY_ITSELF = "Waits until the device connects by itself: Apple no longer takes its push token."
WOKEN = "Waits until the device connects. It is woken"
REMOVED = "Is removed when the device connects"
TOLD = "The device was told of it, and has not fetched it yet."
TAKEN = "The device took it. Its own list says next whether it is there."
TAKEN_OFF = "The device took the removal. Its own list says next whether it is gone."
AGAIN = "Tried again"
NO_MORE = "Not tried again before the item changes"
NOT_SENT = "Not sent to this device"
DELETED = "Deleted item"


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """So many devices have an item in one status."""

    status: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """An item on a device. `item` is None for a deleted one that the device still has to remove; `type` is that of it.

    `next` says what happens next, and `next_at` when, if that is known. `message` is all that the device said.
    """

    item: LibraryItem | None
    device: Device
    item_uuid: UUID
    title: str
    type: str
    status: str
    reported_at: datetime | None
    message: str
    next: str
    next_at: datetime | None
    failed: bool
    on_its_way: bool


def lines_of_device(device: Device) -> list[Line]:
    """The items that the device's Blueprint gives it or that it reported, then those that it still has to remove."""
    enrollment = enrollment_of(device)
    wanted = {row.item_uuid: row for row in device.items.select_related("item")}
    lines = [line(row, wanted.pop(row.item.uuid, None), enrollment) for row in statuses.rows_of_device(device)]
    return lines + [_removal(device, row, enrollment) for row in wanted.values()]


def lines_of_item(item: LibraryItem, rows: list[statuses.Row]) -> list[Line]:
    """The same for some of the devices of an item."""
    devices = [row.device.pk for row in rows]
    wanted = {row.device_id: row for row in item.device_items.filter(device__in=devices)}
    enrolled = {
        row.device_id: row
        for row in item.tenant.enrollments.filter(device__in=devices, state=Enrollment.State.ENROLLED).only(
            "device", "push_error", "push_due_at"
        )
    }
    return [line(row, wanted.get(row.device.pk), enrolled.get(row.device.pk)) for row in rows]


def line(row: statuses.Row, wanted: DeviceItem | None, enrollment: Enrollment | None) -> Line:
    reported = row.reported
    said = (reported.log or reported.last_audit_log or reported.control_log or "") if reported else ""
    waiting = row.status.upper() in WAITING
    next, next_at = _next(wanted, enrollment, waiting=waiting)
    return Line(
        item=row.item,
        device=row.device,
        item_uuid=row.item.uuid,
        title=row.item.name,
        type=row.item.type,
        status=row.status,
        reported_at=reported.reported_at if reported else None,
        message=(wanted.error if wanted else "") or said,
        next=next,
        next_at=next_at,
        failed=wanted is not None and wanted.state == State.FAILED and not waiting,
        on_its_way=_on_its_way(wanted, enrollment, waiting=waiting),
    )


def is_live(lines: Iterable[Line], device: Device) -> bool:
    """Whether one of these may change soon: it is on its way, and the device came, was woken or is to be, about now."""
    enrollment = enrollment_of(device)
    if enrollment is None or not any(each.on_its_way for each in lines):
        return False
    moments = (device.last_check_in, enrollment.push_sent_at, enrollment.push_due_at)
    return any(moment is not None and abs(timezone.now() - moment) < LIVE for moment in moments)


def state_of(lines: Iterable[Line], *, live: bool) -> str:
    """A short text that changes with everything that the lines show."""
    facts = "".join(f"{each.item_uuid}{each.status}{each.reported_at}{each.next}{each.message};" for each in lines)
    return hashlib.sha256(f"{facts}{live}".encode()).hexdigest()[:16]


def shares(counts: dict[str, int]) -> list[Share]:
    """The most frequent status first."""
    order = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    return [Share(status=status, count=count) for status, count in order]


def _removal(device: Device, row: DeviceItem, enrollment: Enrollment | None) -> Line:
    """An item that no list of the API names any more, and that the device may still have."""
    way = WAYS.get(row.type)
    next, next_at = _next(row, enrollment, waiting=False)
    failed = row.state == State.FAILED
    return Line(
        item=row.item,
        device=device,
        item_uuid=row.item_uuid,
        title=row.item.name if row.item else DELETED,
        type=row.type,
        status=way.failed if way and failed else way.changing if way else "PENDING",
        reported_at=None,
        message=row.error,
        next=next,
        next_at=next_at,
        failed=failed,
        on_its_way=_on_its_way(row, enrollment, waiting=False),
    )


def _on_its_way(row: DeviceItem | None, enrollment: Enrollment | None, *, waiting: bool) -> bool:
    if enrollment is None:
        return False
    return waiting if row is None else row.state in {State.WAITING, State.SENT} or _is_out_of_date(row, waiting=waiting)


def _is_out_of_date(row: DeviceItem, *, waiting: bool) -> bool:
    """Whether the item has changed since the device was compared with it. Its status says so before its row does."""
    return waiting and row.state in {State.DONE, State.FAILED}


def _next(row: DeviceItem | None, enrollment: Enrollment | None, *, waiting: bool) -> tuple[str, datetime | None]:
    """What happens next, and when, if that is known. `waiting`: the device has not reported on the item."""
    if enrollment is None:
        return (NOT_ENROLLED if waiting else ""), None
    if row is None or _is_out_of_date(row, waiting=waiting):
        return _connects(enrollment) if waiting else ("", None)
    match row.state:
        case State.SENT if row.declared and not row.sent:
            return TOLD, None
        case State.SENT:
            return (TAKEN if row.wanted else TAKEN_OFF), None
        case State.WAITING:
            return _connects(enrollment) if row.wanted else (REMOVED, None)
        case State.FAILED:
            if row.next_at is None:
                return NO_MORE, None
            return (AGAIN, row.next_at) if row.next_at > timezone.now() else _connects(enrollment)
        case State.UNFIT:
            return NOT_SENT, None
    return "", None


def _connects(enrollment: Enrollment) -> tuple[str, datetime | None]:
    if enrollment.push_error:
        return BY_ITSELF, None
    if enrollment.push_due_at and enrollment.push_due_at > timezone.now():
        return WOKEN, enrollment.push_due_at
    return CONNECTS, None
