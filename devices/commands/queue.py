"""The queue of commands: people and integrations send commands to it, and devices take them from it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from access.audit.events import Actor, log_event
from access.compiled import save_fields
from access.models import AuditEvent, Tenant
from devices.commands import EVERY_COMMAND, Command, CommandRefused, QueuedCommand
from devices.dates import zulu
from devices.enrollment.enrollments import wake
from devices.fleet import activity
from devices.fleet.secrets import delete_secret, store_secret
from devices.fleet.targets import device_target
from devices.models import Device, DeviceCommand, DeviceSecret, Order

CANCELLED = "The command was cancelled before the device received it."
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
        rank=command.rank,
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
    wake([device.pk])
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


def enqueue(*, device: Device, orders: Iterable[Order]) -> list[DeviceCommand]:
    """Put commands of this server into the queue of the locked device. Returns them without those that wait already.

    What the same command answered before is forgotten: an inventory every day would otherwise fill the table. It wakes
    nothing, because many are enqueued while the device is connected.
    """
    wanted = [order for order in dict.fromkeys(orders) if device.platform in EVERY_COMMAND[order.command].platforms]
    if not wanted:
        return []
    same = device.commands.filter(
        command__in={order.command for order in wanted}, subject__in={order.subject for order in wanted}
    )
    waiting, ended = set(), []
    for pk, status, *order in same.values_list("pk", "status", "command", "subject"):
        if status in DeviceCommand.UNFINISHED:
            waiting.add(Order(*order))
        elif Order(*order) in wanted:
            ended.append(pk)
    fresh = [_own(device, order) for order in wanted if order not in waiting]
    if ended and fresh:
        device.commands.filter(pk__in=ended).delete()
    return DeviceCommand.objects.bulk_create(fresh)


def _own(device: Device, order: Order) -> DeviceCommand:
    command: QueuedCommand[Any] = EVERY_COMMAND[order.command]
    request, now = command.request(device, None), timezone.now()
    return DeviceCommand(
        tenant_id=device.tenant_id,
        device=device,
        command=command.id,
        subject=order.subject,
        command_type=command.command_type,
        request_type=request.type,
        payload=request.parameters,
        rank=command.rank,
        date_requested=now,
        last_pushed=now,
    )


@transaction.atomic
def deliver(*, command: DeviceCommand) -> DeviceCommand:
    """The command is being delivered to the device.

    This function and the next three raise DeviceCommand.DoesNotExist for a command that has ended. Those that begin
    with `take_` do the same with a row that the caller has read, after it has locked the device.
    """
    row = _unfinished(command)
    take_delivery(row)
    return row


@transaction.atomic
def not_now(*, command: DeviceCommand) -> DeviceCommand:
    """The device has postponed the command, and will ask for it again."""
    row = _unfinished(command)
    take_refusal(row, session=None)
    return row


@transaction.atomic
def acknowledge(*, command: DeviceCommand, metadata: dict[str, Any] | None = None) -> DeviceCommand:
    """The device has carried out the command. `metadata` is its answer. The effects of the command are stored here."""
    row = _unfinished(command)
    take_answer(row, metadata or {})
    return row


@transaction.atomic
def fail(*, command: DeviceCommand, error_chain: list[dict[str, Any]]) -> DeviceCommand:
    """The device has refused the command.

    The outermost error comes first. Errors have `code`, `domain`, `localized_description`, `us_english_description`.
    """
    row = _unfinished(command)
    take_error(row, error_chain)
    return row


def take_delivery(row: DeviceCommand) -> None:
    row.status = Status.RUNNING
    row.attempts += 1
    row.unanswered += 1
    row.last_pushed = timezone.now()
    row.first_delivered = row.first_delivered or row.last_pushed
    save_fields(row, "status", "attempts", "unanswered", "last_pushed", "first_delivered")


def take_refusal(row: DeviceCommand, *, session: datetime | None) -> None:
    """`session` is that of the device: the command is offered again in the next one."""
    row.status, row.refused_session, row.unanswered = Status.NOT_NOW, session, 0
    save_fields(row, "status", "refused_session", "unanswered")


def take_answer(row: DeviceCommand, answer: dict[str, Any]) -> list[DeviceCommand]:
    """Returns the commands that the answer has led to, which are in the queue now."""
    command = EVERY_COMMAND[row.command]
    if errors := command.refusal(answer):
        return take_error(row, errors)
    row.metadata = command.take_answer(row, answer)
    _end(row, Status.COMPLETED, activity.COMMAND_COMPLETED)
    command.on_completed(row)
    return enqueue(device=row.device, orders=command.followed_by(row))


def take_error(row: DeviceCommand, error_chain: list[dict[str, Any]]) -> list[DeviceCommand]:
    """Returns the commands that the error has led to, which are in the queue now."""
    _fail(row, error_chain)
    return enqueue(device=row.device, orders=EVERY_COMMAND[row.command].followed_on_failure(row))


def give_up(row: DeviceCommand, reason: str) -> None:
    """End a command of a locked device that was not carried out, and say why."""
    _fail(row, [own_error(reason)])


def drop(row: DeviceCommand) -> None:
    """Forget a command of this server that the locked device does not need any more."""
    row.delete()
    row.status = Status.CANCELLED


def abandon(device: Device, reason: str) -> None:
    """End every unfinished command of a locked device: it has left, was erased, or is enrolled anew."""
    for row in device.commands.unfinished().order_by("pk"):
        row.device = device
        give_up(row, reason)


def own_error(text: str) -> dict[str, Any]:
    """An error of this server in the form of those that a device answers."""
    return {"code": 0, "domain": "iru", "localized_description": text, "us_english_description": text}


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
    EVERY_COMMAND[row.command].on_cancelled(row)
    log_event(
        target=device_target(device, "commands"),
        actor=actor,
        action=AuditEvent.Action.DELETE,
        summary=f"Command cancelled: {EVERY_COMMAND[row.command].title_of(row)}",
        metadata={"command": row.command, "uuid": str(row.uuid), "requested_by": row.requested_by},
    )
    return row


def waiting_command(device: Device, command: QueuedCommand[Any]) -> DeviceCommand | None:
    """The same command in the queue of the device, not carried out yet."""
    return device.commands.unfinished().filter(command=command.id).first()


def described(command: DeviceCommand) -> dict[str, Any]:
    """A command as the list of its device's commands shows it, in JSON values.

    The public API has no cancelled commands: here they are failed ones, with an error that says so.
    """
    cancelled = command.status == Status.CANCELLED
    return {
        "uuid": str(command.uuid),
        "error_chain": [own_error(CANCELLED)] if cancelled else command.error_chain,
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


def _fail(row: DeviceCommand, error_chain: list[dict[str, Any]]) -> None:
    row.error_chain = error_chain
    _end(row, Status.FAILED, activity.COMMAND_FAILED)
    EVERY_COMMAND[row.command].on_failed(row)


def _end(row: DeviceCommand, status: DeviceCommand.Status, action_type: str) -> None:
    _close(row, status)
    if EVERY_COMMAND[row.command].in_activity:
        activity.log(device=row.device, action_type=action_type, details=as_activity(row), at=row.date_completed)


def _close(row: DeviceCommand, status: DeviceCommand.Status) -> None:
    row.status = status
    row.date_completed = timezone.now()
    row.unanswered = 0
    save_fields(row, "status", "date_completed", "metadata", "error_chain", "unanswered")
    if EVERY_COMMAND[row.command].secret_key:
        delete_secret(device=row.device, kind=DeviceSecret.Kind.COMMAND_SECRET, subject=str(row.uuid))
