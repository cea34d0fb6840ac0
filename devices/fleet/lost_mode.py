"""Lost mode of iPhones and iPads: what was asked for, and what the device told from there.

The row, the `lost_mode_status` of the device and its record say the same at every commit. All but `cancel` belong in
the transaction of the command that they follow from, with the device locked.
"""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from access.audit.events import Actor, log_event
from access.models import AuditEvent, Tenant
from devices.dates import zulu
from devices.fleet import records
from devices.fleet.targets import device_target
from devices.models import Device, LostMode

PENDING = "pending"
ENABLED = "enabled"
COMPLETED = "completed"
ERROR = "error"


class LostModeRefused(Exception):
    """What was asked of lost mode does not fit its state; the message says why."""


def state(device: Device) -> LostMode:
    """The lost mode that a device is in. Raises LostModeRefused where it is in none."""
    try:
        return device.lost_mode
    except LostMode.DoesNotExist:
        raise LostModeRefused("Device is not in lost mode.") from None


def described(lost_mode: LostMode) -> dict[str, Any]:
    """A lost mode as the API and the device's details show it; moments that have not come are empty texts."""
    return {
        "lost_mode_status": lost_mode.status,
        "enabled_by": lost_mode.enabled_by,
        "enable_status_at": zulu(lost_mode.enable_status_at) or "",
        "lock_screen_message": lost_mode.message,
        "lock_screen_phone_number": lost_mode.phone_number,
        "lock_screen_footnote": lost_mode.footnote,
        "disable_status": lost_mode.disable_status,
        "disabled_by": lost_mode.disabled_by,
        "disable_status_at": zulu(lost_mode.disable_status_at) or "",
        "last_location_status": lost_mode.location_status,
        "last_location_status_at": zulu(lost_mode.location_status_at) or "",
        "last_location": {"latitude": lost_mode.latitude, "longitude": lost_mode.longitude},
        "last_location_at": zulu(lost_mode.location_at) or "",
        "sound_status": lost_mode.sound_status,
        "sound_status_at": zulu(lost_mode.sound_status_at) or "",
    }


def requested(*, device: Device, by: str, message: str, phone_number: str, footnote: str) -> None:
    """The device is to go into lost mode, or to show other words while it is there."""
    LostMode.objects.update_or_create(
        device=device,
        defaults={
            "status": PENDING,
            "enabled_by": by,
            "enable_status_at": timezone.now(),
            "message": message,
            "phone_number": phone_number,
            "footnote": footnote,
            "imported": False,
        },
    )
    # A request to end it that still waits may yet be followed; one that failed is over.
    LostMode.objects.filter(device=device).exclude(disable_status=PENDING).update(
        disable_status="", disabled_by="", disable_status_at=None
    )
    _show(device, PENDING)


def enabled(*, device: Device) -> None:
    """The device has gone into lost mode."""
    _set(device, ENABLED)


def end_requested(*, device: Device, by: str) -> None:
    """The device is to leave lost mode."""
    LostMode.objects.filter(device=device).update(
        disable_status=PENDING, disabled_by=by, disable_status_at=timezone.now(), imported=False
    )


def failed(*, device: Device) -> None:
    """The device has not gone into lost mode."""
    _set(device, ERROR)


def end_failed(*, device: Device) -> None:
    """The device has not left lost mode."""
    _set(device, ERROR)
    LostMode.objects.filter(device=device).update(disable_status=ERROR, disable_status_at=timezone.now())


def ended(*, device: Device) -> None:
    """The device has left lost mode; what was known from there is forgotten."""
    LostMode.objects.filter(device=device).delete()
    _show(device, "")


def note_sound(*, device: Device, status: str) -> None:
    """How the request to play a sound is doing; nothing to note for a device that is not in lost mode."""
    LostMode.objects.filter(device=device).update(sound_status=status, sound_status_at=timezone.now(), imported=False)


def note_location(*, device: Device, status: str, answer: dict[str, Any] | None = None) -> None:
    """How the request for the location is doing. `answer` is the device's, under Apple's keys, once there is one."""
    now = timezone.now()
    changes: dict[str, Any] = {"location_status": status, "location_status_at": now, "imported": False}
    if answer is not None:
        changes["latitude"] = str(answer.get("Latitude", ""))
        changes["longitude"] = str(answer.get("Longitude", ""))
        changes["location_at"] = _moment(answer.get("Timestamp")) or now
    LostMode.objects.filter(device=device).update(**changes)


@transaction.atomic
def cancel(*, tenant: Tenant, device_id: UUID, actor: Actor) -> None:
    """Forget a lost mode that went wrong. Nothing is sent to the device.

    Raises Device.DoesNotExist, and LostModeRefused unless lost mode is in error.
    """
    device = tenant.devices.select_for_update().get(uuid=device_id)
    if state(device).status != ERROR:
        raise LostModeRefused("Lost mode is not in an error state.")
    ended(device=device)
    log_event(
        target=device_target(device),
        actor=actor,
        action=AuditEvent.Action.UPDATE,
        summary="Lost mode cancelled",
        changes={"lost_mode_status": {"old": ERROR, "new": ""}},
    )


def _set(device: Device, status: str) -> None:
    # Not for a device whose lost mode ended meanwhile: it was cancelled, or came from no command of ours.
    if LostMode.objects.filter(device=device).update(status=status, enable_status_at=timezone.now()):
        _show(device, status)


def _show(device: Device, status: str) -> None:
    device.lost_mode_status = status
    device.save(update_fields=["lost_mode_status"])
    records.refresh([device.pk])


def _moment(text: Any) -> datetime | None:
    try:
        moment = parse_datetime(str(text))
    except ValueError:
        return None
    return moment.replace(tzinfo=moment.tzinfo or UTC) if moment else None
