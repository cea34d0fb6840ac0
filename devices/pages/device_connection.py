"""The connection of a device that is enrolled over MDM: since when, until when, and how it is woken."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from devices.mdm.setup import LONGEST
from devices.models import Device, DeviceCommand, Enrollment

# A page that asks for news keeps its session alive, so it stops before an idle session would end.
LIVE = timedelta(minutes=30)

UNREACHABLE = (
    "Apple says that this device's push token is no longer valid. It works again when the device comes by itself."
)


@dataclass(frozen=True, slots=True)
class Connection:
    """What the card shows. An enrollment that is over has no certificate and no pushes.

    `waits_until` is when a device in Setup Assistant is let go at the latest; None for one that does not wait there.
    """

    enrolled_by: str
    waits_until: datetime | None
    enrolled_at: datetime | None
    ended_at: datetime | None
    certificate_until: datetime | None
    certificate_expired: bool
    push_due_at: datetime | None
    push_sent_at: datetime | None
    push_problem: str


def connection(device: Device) -> Connection | None:
    """The newest enrollment in words; None for a device that was never enrolled with this server."""
    enrollment = device.enrollments.order_by("-pk").first()
    if enrollment is None:
        return None
    live = enrollment.state in Enrollment.LIVE
    valid = enrollment.certificates.filter(revoked_at=None, superseded_at=None).order_by("-not_after")
    until = valid.values_list("not_after", flat=True).first() if live else None
    waits_since = enrollment.enrolled_at if live and enrollment.awaiting_configuration else None
    return Connection(
        enrolled_by=enrollment.get_kind_display(),
        waits_until=waits_since and waits_since + LONGEST,
        enrolled_at=enrollment.enrolled_at,
        ended_at=enrollment.ended_at,
        certificate_until=until,
        certificate_expired=until is not None and until <= timezone.now(),
        push_due_at=enrollment.push_due_at if live else None,
        push_sent_at=enrollment.push_sent_at if live else None,
        push_problem=UNREACHABLE if enrollment.push_error and live else "",
    )


def are_live(rows: Iterable[DeviceCommand]) -> bool:
    """Whether one of these commands may end soon: it is unfinished, and was sent or delivered a short time ago."""
    now = timezone.now()
    return any(row.status in DeviceCommand.UNFINISHED and now - row.last_pushed < LIVE for row in rows)


def state_of(rows: Iterable[DeviceCommand]) -> str:
    """A short text that changes with every command of these that is sent, delivered, postponed or ended."""
    facts = "".join(f"{row.uuid}{row.status}{row.attempts}{row.unanswered};" for row in rows)
    live = are_live(rows)
    return hashlib.sha256(f"{facts}{live}".encode()).hexdigest()[:16]
