"""Lost mode of iPhones and iPads: the request, the progress of the device, its location and its sound.

At every commit the LostMode row, the device's `lost_mode_status` and its record have the same status. All functions
that change something, except `cancel`, run in the transaction of the command that causes the change, with the device
locked.
"""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from access.audit.events import Actor, log_event
from access.models import AuditEvent, Tenant
from access.refusals import Refusal
from devices.dates import zulu
from devices.fleet import records
from devices.fleet.targets import device_target
from devices.models import Device, LostMode

PENDING = "pending"
ENABLED = "enabled"
COMPLETED = "completed"
ERROR = "error"
_REQUEST_TIMES = ("enable_status_at", "disable_status_at")
_REQUEST_FIELDS = (
    "status",
    "enabled_by",
    "message",
    "phone_number",
    "footnote",
    "disable_status",
    "disabled_by",
    *_REQUEST_TIMES,
    "imported",
)  # changed by `requested`


class LostModeRefused(Refusal):
    """A request that does not fit the state of lost mode. The public API answers the message in a list."""

    def body(self) -> list[str]:
        return [str(self)]


def get_lost_mode(device: Device) -> LostMode:
    """Return the lost mode of a device. Raises LostModeRefused if the device is not in lost mode."""
    try:
        return device.lost_mode
    except LostMode.DoesNotExist:
        raise LostModeRefused("Device is not in lost mode.") from None


def could_not_enable(device: Device) -> bool:
    """Whether the device refused to go into lost mode. If it refused to leave it, it still is in lost mode."""
    lost_mode = getattr(device, "lost_mode", None)
    return device.lost_mode_status == ERROR and (lost_mode is None or lost_mode.disable_status != ERROR)


def lost_mode_fields(lost_mode: LostMode) -> dict[str, Any]:
    """Return the fields of a lost mode under their API names, as JSON values. Times that are not known are ""."""
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
    """Save a request to enable lost mode, or to change the texts on the lock screen."""
    before = LostMode.objects.filter(device=device).values(*_REQUEST_FIELDS).first()
    LostMode.objects.update_or_create(
        device=device,
        defaults={
            "before_request": before and {name: _as_text(value) for name, value in before.items()},
            "status": PENDING,
            "enabled_by": by,
            "enable_status_at": timezone.now(),
            "message": message,
            "phone_number": phone_number,
            "footnote": footnote,
            "imported": False,
        },
    )
    # A pending request to disable lost mode can still succeed. A failed one is over: remove it.
    LostMode.objects.filter(device=device).exclude(disable_status=PENDING).update(
        disable_status="", disabled_by="", disable_status_at=None
    )
    _set_device_status(device, PENDING)


def enabled(*, device: Device) -> None:
    """Mark lost mode as enabled: the device has confirmed it."""
    _set_status(device, ENABLED)


def end_requested(*, device: Device, by: str) -> None:
    """Save a request to disable lost mode."""
    LostMode.objects.filter(device=device).update(
        disable_status=PENDING, disabled_by=by, disable_status_at=timezone.now(), imported=False
    )


def failed(*, device: Device) -> None:
    """Mark lost mode as failed: the device could not enable it."""
    _set_status(device, ERROR)


def end_failed(*, device: Device) -> None:
    """Mark lost mode as failed: the device could not disable it."""
    _set_status(device, ERROR)
    LostMode.objects.filter(device=device).update(disable_status=ERROR, disable_status_at=timezone.now())


def ended(*, device: Device) -> None:
    """End lost mode: the device has left it. The LostMode row, with its texts and location, is deleted."""
    LostMode.objects.filter(device=device).delete()
    _set_device_status(device, "")


def request_cancelled(*, device: Device) -> None:
    """Undo `requested`: the request never reached the device."""
    lost_mode = LostMode.objects.filter(device=device).first()
    if lost_mode is None:
        return
    before = lost_mode.before_request
    if before is None:
        ended(device=device)
        return
    times = {name: before[name] and parse_datetime(before[name]) for name in _REQUEST_TIMES}
    LostMode.objects.filter(device=device).update(**before | times, before_request=None)
    _set_device_status(device, before["status"])


def end_cancelled(*, device: Device) -> None:
    """Undo `end_requested`: the request never reached the device."""
    LostMode.objects.filter(device=device).update(disable_status="", disabled_by="", disable_status_at=None)


def note_sound(*, device: Device, status: str) -> None:
    """Save the status of a request to play a sound. Does nothing if the device is not in lost mode."""
    LostMode.objects.filter(device=device).update(sound_status=status, sound_status_at=timezone.now(), imported=False)


def note_location(*, device: Device, status: str, answer: dict[str, Any] | None = None) -> None:
    """Save the status of a request for the location, and the location once the device has sent it.

    `answer` is the device's answer, with Apple's keys. Does nothing if the device is not in lost mode.
    """
    now = timezone.now()
    changes: dict[str, Any] = {"location_status": status, "location_status_at": now, "imported": False}
    if answer is not None:
        changes["latitude"] = _degrees(answer.get("Latitude"))
        changes["longitude"] = _degrees(answer.get("Longitude"))
        changes["location_at"] = _parse_time(answer.get("Timestamp")) or now
    LostMode.objects.filter(device=device).update(**changes)


@transaction.atomic
def cancel(*, tenant: Tenant, device_id: UUID, actor: Actor) -> None:
    """Delete a lost mode that is in an error state. No command is sent to the device.

    Raises Device.DoesNotExist, and LostModeRefused if lost mode is not in an error state.
    """
    device = tenant.devices.select_for_update().get(uuid=device_id)
    if get_lost_mode(device).status != ERROR:
        raise LostModeRefused("Lost mode is not in an error state.")
    ended(device=device)
    log_event(
        target=device_target(device),
        actor=actor,
        action=AuditEvent.Action.UPDATE,
        summary="Lost mode cancelled",
        changes={"lost_mode_status": {"old": ERROR, "new": ""}},
    )


def _as_text(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _set_status(device: Device, status: str) -> None:
    # There is no row if lost mode was cancelled before the device answered, or was not enabled from here.
    if LostMode.objects.filter(device=device).update(status=status, enable_status_at=timezone.now()):
        _set_device_status(device, status)


def _set_device_status(device: Device, status: str) -> None:
    device.lost_mode_status = status
    device.save(update_fields=["lost_mode_status"])
    records.refresh_locked(device.pk)


def _degrees(value: Any) -> str:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return str(value) if is_number and abs(value) <= 180 else ""


def _parse_time(value: Any) -> datetime | None:
    try:
        time = parse_datetime(str(value))
    except ValueError:
        return None
    # In UTC, a moment at either end may be in a year that Python does not have.
    return time.replace(tzinfo=time.tzinfo or UTC) if time and 1 < time.year < 9999 else None
