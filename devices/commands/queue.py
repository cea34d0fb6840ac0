"""The queue of commands: people and integrations send commands to it, and devices take them from it."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from access.audit.events import Actor, log_event
from access.models import AuditEvent, Tenant
from devices.commands import COMMANDS, Command, CommandRefused
from devices.dates import zulu
from devices.fleet import activity
from devices.fleet.secrets import delete_secret, store_secret
from devices.fleet.targets import device_target
from devices.models import Device, DeviceCommand, DeviceSecret

CANCELLED = {
    "code": 0,
    "domain": "iru",
    "localized_description": "The command was cancelled before the device received it.",
    "us_english_description": "The command was cancelled before the device received it.",
}
NOT_ALLOWED = "Command is not allowed for current device"
Status = DeviceCommand.Status


@dataclass(frozen=True, slots=True)
class SentCommand:
    """A command that waits in the queue, and the PIN that will unlock the Mac. The PIN is nowhere else in clear."""

    command: DeviceCommand
    pin: str | None = field(repr=False)


@transaction.atomic
def send_command[B](*, tenant: Tenant, device_id: UUID, command: Command[B], body: B, actor: Actor) -> SentCommand:
    """Put a command into the queue of a device.

    Raises Device.DoesNotExist; CommandRefused for a device whose platform or state does not take the command, or that
    has the same command waiting; and ValidationError for a body that this device does not take.
    """
    device = tenant.devices.select_for_update().get(uuid=device_id)
    if device.platform not in command.platforms:
        raise CommandRefused(NOT_ALLOWED)
    if waiting := waiting_command(device, command):
        raise CommandRefused(command.already_running, waiting=waiting)
    command.check(device)
    request = command.request(device, body)
    now = timezone.now()
    row = DeviceCommand(
        tenant=tenant,
        device=device,
        command=command.id,
        command_type=command.command_type,
        request_type=request.type,
        payload=request.parameters,
        requested_by=actor.name,
        date_requested=now,
        last_pushed=now,
    )
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        raise CommandRefused(command.already_running, waiting=waiting_command(device, command)) from None
    if request.secret is not None:
        store_secret(device=device, kind=DeviceSecret.Kind.COMMAND_SECRET, value=request.secret, subject=str(row.uuid))
    command.on_sent(row, request)
    log_event(
        target=device_target(device, "commands"),
        actor=actor,
        action=AuditEvent.Action.CREATE,
        summary=f"Command sent: {command.title_of(row)}",
        metadata={
            "command": command.id,
            "uuid": str(row.uuid),
            "request_type": row.request_type,
            "payload": row.payload,
        },
    )
    return SentCommand(row, request.secret if command.reveals_pin else None)


@transaction.atomic
def deliver(*, command: DeviceCommand) -> DeviceCommand:
    """The command is being delivered to the device.

    This function and the next four raise DeviceCommand.DoesNotExist for a command that has ended.
    """
    row = _unfinished(command)
    row.status = Status.RUNNING
    row.attempts += 1
    row.last_pushed = timezone.now()
    row.save(update_fields=["status", "attempts", "last_pushed"])
    return row


@transaction.atomic
def not_now(*, command: DeviceCommand) -> DeviceCommand:
    """The device has postponed the command, and will ask for it again."""
    row = _unfinished(command)
    row.status = Status.NOT_NOW
    row.save(update_fields=["status"])
    return row


@transaction.atomic
def acknowledge(*, command: DeviceCommand, metadata: dict[str, Any] | None = None) -> DeviceCommand:
    """The device has carried out the command. `metadata` is its answer. The effects of the command are stored here."""
    row = _unfinished(command)
    row.metadata = metadata or {}
    _end(row, Status.COMPLETED, activity.COMMAND_COMPLETED)
    COMMANDS[row.command].on_completed(row)
    return row


@transaction.atomic
def fail(*, command: DeviceCommand, error_chain: list[dict[str, Any]]) -> DeviceCommand:
    """The device has refused the command.

    The outermost error comes first. Errors have `code`, `domain`, `localized_description`, `us_english_description`.
    """
    row = _unfinished(command)
    row.error_chain = error_chain
    _end(row, Status.FAILED, activity.COMMAND_FAILED)
    COMMANDS[row.command].on_failed(row)
    return row


@transaction.atomic
def cancel_command(*, tenant: Tenant, device_id: UUID, command_uuid: UUID, actor: Actor) -> DeviceCommand:
    """Take a command out of the queue of a device that has not received it. The device never receives it then.

    Raises Device.DoesNotExist, DeviceCommand.DoesNotExist, and CommandRefused for a command that was delivered before
    or has ended.
    """
    device = tenant.devices.select_for_update().get(uuid=device_id)
    row = device.commands.select_for_update().exclude(command="").get(uuid=command_uuid)
    if row.status not in DeviceCommand.UNFINISHED:
        raise CommandRefused("This command has ended already.")
    if not row.cancellable:
        raise CommandRefused("The device has received this command already.")
    row.device = device
    _close(row, Status.CANCELLED)
    COMMANDS[row.command].on_cancelled(row)
    log_event(
        target=device_target(device, "commands"),
        actor=actor,
        action=AuditEvent.Action.DELETE,
        summary=f"Command cancelled: {COMMANDS[row.command].title_of(row)}",
        metadata={"command": row.command, "uuid": str(row.uuid), "requested_by": row.requested_by},
    )
    return row


def waiting_command(device: Device, command: Command[Any]) -> DeviceCommand | None:
    """The same command in the queue of the device, not carried out yet."""
    return device.commands.unfinished().filter(command=command.id).first()


def described(command: DeviceCommand) -> dict[str, Any]:
    """A command as the list of its device's commands shows it, in JSON values.

    The public API has no cancelled commands: here they are failed ones, with an error that says so.
    """
    cancelled = command.status == Status.CANCELLED
    return {
        "uuid": str(command.uuid),
        "error_chain": [CANCELLED] if cancelled else command.error_chain,
        "command_type": command.command_type,
        "request_type": command.request_type,
        "metadata": command.metadata,
        "request_requires_network_tether": command.requires_network_tether,
        "user": None,  # commands to a device do not belong to one of its users
        "status": int(Status.FAILED if cancelled else command.status),
        "attempts": command.attempts,
        "date_requested": zulu(command.date_requested),
        "date_completed": zulu(command.date_completed),
        "last_pushed": zulu(command.last_pushed),
        "priority": command.priority,
    }


def as_activity(command: DeviceCommand) -> dict[str, Any]:
    """The details of a command that has ended, for the activity of its device."""
    no_user = {"username": None, "profile_name": None, "profile_uuid": None, "is_silent": False}
    return described(command) | no_user


def _unfinished(command: DeviceCommand) -> DeviceCommand:
    # Locks the device first, like send_command, so that two transactions never wait for each other.
    device = command.tenant.devices.select_for_update().get(pk=command.device_id)
    row = device.commands.unfinished().select_for_update().get(pk=command.pk)
    row.device = device
    return row


def _end(row: DeviceCommand, status: DeviceCommand.Status, action_type: str) -> None:
    _close(row, status)
    activity.log(device=row.device, action_type=action_type, details=as_activity(row), at=row.date_completed)


def _close(row: DeviceCommand, status: DeviceCommand.Status) -> None:
    row.status = status
    row.date_completed = timezone.now()
    row.save(update_fields=["status", "date_completed", "metadata", "error_chain"])
    delete_secret(device=row.device, kind=DeviceSecret.Kind.COMMAND_SECRET, subject=str(row.uuid))
