"""The history of the demo fleet: commands, activity, notes, lost mode and secrets."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Any

from django.db import transaction

from access.audit.events import Actor, Target, log_event
from access.models import AuditEvent, Tenant
from devices.commands import COMMANDS
from devices.commands.queue import as_activity
from devices.dates import zulu
from devices.demo.library import fixed_id
from devices.fleet import activity, lost_mode
from devices.fleet.secrets import store_secret
from devices.models import MOBILE, Device, DeviceActivity, DeviceCommand, DeviceNote, DeviceSecret, Platform

ADMINISTRATOR = "Ana Ruiz"
LOST_FAMILIES = (Platform.IPHONE, Platform.IPAD)  # one device of each is in lost mode
# The commands of the history, and how often each is sent relative to the others.
_COMMAND_WEIGHTS = {
    "daily_checkin": 6,
    "update_inventory": 5,
    "send_blankpush": 4,
    "restart_device": 3,
    "set_device_name": 2,
    "renew_mdm_profile": 1,
}
_ERROR = {
    "code": 12021,
    "domain": "MCMDMErrorDomain",
    "localized_description": "The device is busy with another request.",
    "us_english_description": "The device is busy with another request.",
}
_NOTES = (
    "Battery replaced under warranty.",
    "Screen has a scratch at the lower left; the user knows.",
    "Stays at the front desk. Ask there before erasing it.",
    "Lent out until the end of the quarter.",
    "Ordered with 24 GB instead of 16 GB, by agreement with Finance.",
    "User reported slow start-up. Removed an old login item, fine since.",
    "Came back from repair; serial number is unchanged.",
)
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"


@transaction.atomic
def add_history(*, tenant: Tenant, actor: Actor, limit: int) -> None:
    """Add a history to up to `limit` devices that have none. The same fleet always gets the same history."""
    with_history = DeviceActivity.objects.filter(tenant=tenant).values("device")
    devices = list(
        tenant.devices.exclude(pk__in=with_history)
        .select_related("blueprint")
        .defer("record_json")
        .order_by("pk")[:limit]
    )
    if not devices:
        return
    lost_devices = _select_lost(devices)
    histories = [_History(device, lost=device in lost_devices) for device in devices]
    commands = sorted((row for history in histories for row in history.commands), key=lambda row: row.date_requested)
    events = sorted((row for history in histories for row in history.activity), key=lambda row: row.created_at)
    notes = [note for history in histories for note in history.notes]
    DeviceCommand.objects.bulk_create(commands, ignore_conflicts=True)
    DeviceActivity.objects.bulk_create(events)
    DeviceNote.objects.bulk_create(notes, ignore_conflicts=True)
    for device in lost_devices:
        _enable_lost_mode(device)
    for device in devices:
        for kind, value in _secrets(device):
            store_secret(device=device, kind=kind, value=value)
    log_event(
        target=Target.whole(tenant),
        actor=actor,
        action=AuditEvent.Action.CREATE,
        summary="Demo history added",
        metadata={
            "devices": len(devices),
            "commands": len(commands),
            "notes": len(notes),
            "lost": len(lost_devices),
        },
    )


class _History:
    """The rows about one device, not yet saved."""

    def __init__(self, device: Device, *, lost: bool) -> None:
        self.device = device
        self.random = _random(device, "past")
        self.commands: list[DeviceCommand] = []
        self.activity: list[DeviceActivity] = []
        self._add_enrollments()
        if device.last_check_in:
            self._add_commands(device.last_check_in)
            if lost:
                self._add_command("enable_lost_mode", device.last_check_in)
                self._add_command("update_location", device.last_check_in)
        self.notes = list(self._notes())

    def _add_enrollments(self) -> None:
        device = self.device
        automated = self.random.random() < 0.85
        kind = "Automated Device Enrollment" if automated else "Manual Enrollment"
        for at in sorted({device.first_enrollment, device.last_enrollment}):
            if automated and at == device.last_enrollment and self.random.random() < 0.3:
                self._add_event("routing_arrival", at, {}, routing=True)
            details = {"blueprint_name": device.blueprint.name, "enrollment_type": kind}
            self._add_event("enrollment", at + timedelta(seconds=20), details)
        if device.platform == Platform.WINDOWS:
            query = {"csp_name": "DevDetail", "csp_path": "./DevDetail/SwV", "policy_area": None}
            self._add_event("device_csp_query", device.last_enrollment + timedelta(minutes=1), query)

    def _add_commands(self, until: datetime) -> None:
        weights = {
            id: weight for id, weight in _COMMAND_WEIGHTS.items() if self.device.platform in COMMANDS[id].platforms
        }
        span = until - self.device.last_enrollment
        fractions = sorted(self.random.random() for _ in range(self.random.randint(0, 4)))
        for fraction in fractions:
            id = self.random.choices(tuple(weights), tuple(weights.values()))[0]
            self._add_command(id, self.device.last_enrollment + span * fraction)

    def _add_command(self, id: str, at: datetime) -> None:
        device, command = self.device, COMMANDS[id]
        renames = id == "set_device_name"
        body = command.body and command.body.model_validate({"DeviceName": device.name} if renames else {})
        request = command.request(device, body)
        duration = timedelta(seconds=self.random.randint(2, 900))
        fails = not renames and id in _COMMAND_WEIGHTS and self.random.random() < 0.05
        row = DeviceCommand(
            tenant_id=device.tenant_id,
            device=device,
            uuid=fixed_id("command", device.tenant_id, device.uuid, len(self.commands)),
            command=id,
            command_type=command.command_type,
            request_type=request.type,
            payload=request.parameters,
            status=DeviceCommand.Status.FAILED if fails else DeviceCommand.Status.COMPLETED,
            attempts=self.random.choice((1, 1, 1, 2)),
            error_chain=[_ERROR] if fails else [],
            requested_by=ADMINISTRATOR,
            date_requested=at - duration,
            last_pushed=at - duration + timedelta(seconds=1),
            date_completed=at,
        )
        self.commands.append(row)
        action_type = activity.COMMAND_FAILED if fails else activity.COMMAND_COMPLETED
        self._add_event(action_type, at, as_activity(row))
        if renames:
            self._add_event(activity.NAME_CHANGED, at, {"to": device.name, "from": device.model})

    def _notes(self) -> Iterator[DeviceNote]:
        device, random = self.device, self.random
        if random.random() > 0.08:
            return
        for number, content in enumerate(random.sample(_NOTES, random.choice((1, 1, 2)))):
            latest = device.last_check_in or device.last_enrollment
            at = min(latest, device.last_enrollment + timedelta(minutes=random.randint(30, 20_000)))
            at += timedelta(seconds=number)
            yield DeviceNote(
                tenant_id=device.tenant_id,
                device=device,
                uuid=fixed_id("note", device.uuid, number),
                content=content,
                author=ADMINISTRATOR,
                created_at=at,
                updated_at=at,
            )

    def _add_event(self, action_type: str, at: datetime, details: dict[str, Any], *, routing: bool = False) -> None:
        self.activity.append(
            DeviceActivity(
                tenant_id=self.device.tenant_id,
                device=self.device,
                created_at=at,
                action_type=action_type,
                blueprint=None if routing else self.device.blueprint,
                blueprint_routing=routing,
                details=details,
            )
        )


def _select_lost(devices: list[Device]) -> list[Device]:
    candidates = [device for device in devices if device.last_check_in]
    firsts = (next((row for row in candidates if row.platform == family), None) for family in LOST_FAMILIES)
    return [device for device in firsts if device]


def _enable_lost_mode(device: Device) -> None:
    lost_mode.requested(
        device=device,
        by=ADMINISTRATOR,
        message="This device is lost. Please call us.",
        phone_number="+1 555 0100",
        footnote="Accuhive IT",
    )
    lost_mode.enabled(device=device)
    last_seen = zulu(device.last_check_in) if device.last_check_in else ""
    answer = {"Latitude": 38.7223, "Longitude": -9.1393, "Timestamp": last_seen}
    lost_mode.note_location(device=device, status=lost_mode.COMPLETED, answer=answer)
    lost_mode.note_sound(device=device, status=lost_mode.COMPLETED)


def _secrets(device: Device) -> Iterator[tuple[DeviceSecret.Kind, str]]:
    random, kinds = _random(device, "secrets"), DeviceSecret.Kind
    if device.platform == Platform.MAC:
        if device.filevault_enabled:
            yield kinds.FILEVAULT_KEY, _code(random, 4, 4, 4, 4, 4, 4)
        yield kinds.RECOVERY_PASSWORD, _code(random, 6, 6, 6)
    if device.platform == Platform.MAC or device.platform in MOBILE:
        yield kinds.DEVICE_BYPASS_CODE, _code(random, 5, 5, 4, 4, 4, 4)
        if random.random() < 0.1:
            yield kinds.USER_BYPASS_CODE, _code(random, 5, 5, 4, 4, 4, 4)


def _code(random: Random, *lengths: int) -> str:
    return "-".join("".join(random.choices(_LETTERS, k=length)) for length in lengths)


def _random(device: Device, purpose: str) -> Random:
    return Random(f"{purpose} {device.uuid}")  # noqa: S311 - a reproducible history; these secrets are not real
