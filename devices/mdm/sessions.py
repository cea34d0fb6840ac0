"""A connect: the device answers one command and asks for the next, in one transaction under the lock of its row.

Commands are delivered at least once, in their order, and with the same CommandUUID each time. The answer is committed
before the next command leaves: a crash in between repeats one of them and loses neither.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Any

from django.db import transaction
from django.utils import timezone

from access.compiled import Compiled, save_fields
from access.database import Failure, failure_of
from access.models import Tenant
from access.sealing import SecretUnreadable
from devices.commands import EVERY_COMMAND, CannotDeliver, Superfluous, queue
from devices.commands.erase import EraseDevice
from devices.commands.renew_mdm_profile import RenewMdmProfile
from devices.commands.send_blankpush import SendBlankPush
from devices.enrollment import enrollments
from devices.enrollment.profiles import IDENTIFIER
from devices.fleet import records
from devices.fleet.contact import note_contact
from devices.fleet.secrets import reveal_command_secret
from devices.mdm import declarative, rollout, setup
from devices.mdm.identity import Identity
from devices.mdm.messages import Message
from devices.mdm.refusals import MdmRefused
from devices.mdm.renewals import enrollment_of
from devices.models import Device, DeviceCommand, Enrollment

ANSWER = timedelta(minutes=5)  # a device that has not answered by then is woken again
REFUSED = tuple(timedelta(hours=hours) for hours in (0.25, 1, 6, 24))  # until a device is asked again, round by round
LONGEST = timedelta(days=14)  # since the first delivery
CONTACT = timedelta(seconds=60)  # contacts of one session within it are noted once
MOST = 500  # commands that a connect looks at
ERRORS, TEXT = 10, 1000
NO_ANSWER = "The device did not answer."
NOT_PREPARED = "This server could not prepare the command."
NOT_STORED = "This server could not store the answer."

State, Status = Enrollment.State, DeviceCommand.Status
logger = logging.getLogger(__name__)

_DEVICE = Compiled(
    lambda tenant, device: (
        Device.objects.filter(tenant=tenant, pk=device).select_for_update().defer("record_json", "search_text")
    )
)
_ENROLLMENT = Compiled(
    lambda tenant, enrollment: Enrollment.objects.select_for_update().filter(
        tenant=tenant, pk=enrollment, state=State.ENROLLED
    )
)
_WAITING = Compiled(
    lambda tenant, device: (
        DeviceCommand.objects.filter(tenant=tenant, device=device).unfinished().order_by("rank", "id")[:MOST]
    )
)


@dataclass(frozen=True, slots=True)
class Report:
    """What a device says at a connect. `answer` is the message without what belongs to the protocol alone."""

    status: str
    command: str
    errors: list[dict[str, Any]]
    answer: dict[str, Any]

    @classmethod
    def of(cls, message: Message) -> "Report":
        fields = {key: value for key, value in message.items() if key not in _ENVELOPE}
        return cls(
            status=message.text("Status", maximum=30),
            command=message.text("CommandUUID", maximum=36),
            errors=_errors(message),
            answer=fields,
        )


class Kept(Enum):
    """How much of an answer is stored: less than all if the database refuses it, or this program makes a mistake."""

    ALL = auto()
    STATUS = auto()  # whether the device carried the command out; the facts in its answer are dropped
    NOTHING = auto()  # the command has failed


_ENVELOPE = {"Status", "CommandUUID", "UDID", "EnrollmentID", "UserID", "EnrollmentUserID", "ErrorChain", "RequestType"}
KNOWN = {"Idle", "Acknowledged", "Error", "CommandFormatError", "NotNow"}


def connect(identity: Identity, message: Message) -> dict[str, Any] | None:
    """Take a device's answer, and return its next command; None for nothing to do. Raises MdmRefused."""
    enrollment = enrollment_of(identity, message.get("UDID"))
    report = Report.of(message)
    if report.status not in KNOWN:
        raise MdmRefused(f"The status {report.status!r} is unknown.")
    if message.get("UserID") is not None or message.get("EnrollmentUserID") is not None:
        return None  # nothing is sent to users yet
    if enrollment.state == State.EVICTING:
        return _evict(identity.tenant, enrollment, report)
    if enrollment.state != State.ENROLLED or enrollment.device_id is None:
        raise MdmRefused("The device is not enrolled.")
    for kept in (Kept.ALL, Kept.STATUS):
        try:
            return _turn(identity, enrollment, report, kept)
        except Exception as error:
            failure = failure_of(error)
            if isinstance(error, MdmRefused) or failure is Failure.AWAY or report.status == "Idle":
                raise
            # The device would repeat the same answer for ever, and get no other command.
            if failure is Failure.VALUE:
                logger.warning("The database does not take the answer of a device to %s: %s", report.command, error)
            else:
                logger.exception("The answer of a device to %s could not be stored.", report.command)
    return _turn(identity, enrollment, report, Kept.NOTHING)


@transaction.atomic
def _turn(identity: Identity, enrollment: Enrollment, report: Report, kept: Kept) -> dict[str, Any] | None:
    tenant, now = identity.tenant, timezone.now()
    device = _DEVICE.first(tenant=tenant.pk, device=enrollment.device_id or 0)
    here = _ENROLLMENT.first(tenant=tenant.pk, enrollment=enrollment.pk)
    if device is None or here is None:
        raise MdmRefused("The device is not enrolled.")
    device.tenant = tenant
    waiting = _WAITING.all(tenant=tenant.pk, device=device.pk)
    for row in waiting:
        row.device = device
    if report.status == "Idle" or here.session_at is None:
        here.session_at = now
    if report.status == "Idle" or now - here.session_at > CONTACT:
        note_contact(device.pk, now)
    if device.is_missing:
        device.is_missing = False
        device.save(update_fields=["is_missing"])
        records.refresh_locked(device.pk)
    if _take(report, waiting, here, kept):
        here.refused_rounds = 0
    waiting += declarative.tell(device, here)
    waiting = [row for row in waiting if row.status in DeviceCommand.UNFINISHED]
    if not identity.expired:
        waiting += rollout.plan(device, here)
    if here.awaiting_configuration:
        setup.release(device, here, waiting)
    command = _deliver_next(waiting, here, expired=identity.expired)
    # Those that could not be delivered have ended meanwhile.
    left = any(row.status in DeviceCommand.UNFINISHED for row in waiting)
    _set_push(here, report, delivered=command is not None, left=left, now=now)
    return command


def _take(report: Report, waiting: list[DeviceCommand], here: Enrollment, kept: Kept) -> bool:
    """Take the answer to one of the commands. Returns whether a command has ended."""
    # Apple has no request of this name: that the device came is all that it was for.
    blank = [row for row in waiting if row.command == SendBlankPush.id]
    for row in blank:
        queue.take_answer(row, {})
    if report.status == "Idle":
        return bool(blank)
    found = [row for row in waiting if str(row.uuid).upper() == report.command.upper()]
    if not found:
        return bool(blank)  # a command that has ended: the device repeats its answer
    row = found[0]
    match report.status:
        case "NotNow":
            queue.take_refusal(row, session=here.session_at)
            return bool(blank)
        case _ if kept is Kept.NOTHING or (kept is Kept.STATUS and not _carried_out(row, report)):
            queue.give_up(row, NOT_STORED)
        case "Acknowledged":
            waiting += queue.take_answer(row, report.answer if kept is Kept.ALL else {})
            if EVERY_COMMAND[row.command].tells_facts and not row.same_answer:
                here.refresh_from_db(fields=["planned"])  # the new facts may decide what the device is to have
            if row.command == EraseDevice.id and row.status == Status.COMPLETED:
                _erased(row.device, waiting)
        case "CommandFormatError":
            logger.critical("A device says that the command %s has a wrong form.", row.request_type)
            waiting += queue.take_error(
                row, report.errors or [queue.own_error("The device says that the command is malformed.")]
            )
        case _:
            waiting += queue.take_error(row, report.errors)
    return True


def _carried_out(row: DeviceCommand, report: Report) -> bool:
    return report.status == "Acknowledged" and not EVERY_COMMAND[row.command].refusal(report.answer)


def _erased(device: Device, waiting: list[DeviceCommand]) -> None:
    for row in waiting:
        if row.status in DeviceCommand.UNFINISHED:
            queue.give_up(row, "The device was erased.")


def _deliver_next(waiting: list[DeviceCommand], here: Enrollment, *, expired: bool) -> dict[str, Any] | None:
    """The next command, as the device receives it. A command that cannot be delivered is ended, and the next one goes.

    A command that the device has refused in this session waits for the next one. One that it does not answer comes
    after the others, so that it blocks none of them.
    """
    order = sorted(waiting, key=lambda row: (row.status == Status.NOT_NOW, row.unanswered >= 3, row.rank, row.pk))
    for row in order:
        command = EVERY_COMMAND[row.command]
        if expired and row.command != RenewMdmProfile.id:
            continue
        if row.refused_session is not None and row.refused_session == here.session_at:
            continue
        overdue = row.first_delivered is not None and timezone.now() - row.first_delivered > LONGEST
        if row.unanswered >= command.most_deliveries or overdue:
            queue.give_up(row, NO_ANSWER)
            continue
        try:
            secret = reveal_command_secret(device=row.device, command_uuid=row.uuid) if command.secret_key else None
            request = command.delivered(row, secret)
        except Superfluous:
            queue.drop(row)
            continue
        except CannotDeliver as reason:
            queue.give_up(row, str(reason))
            continue
        except SecretUnreadable:
            continue  # it is in the log, and an operator can bring the key back
        except Exception as error:
            if failure_of(error) is not None:
                raise
            logger.exception("The command %s could not be prepared.", row.request_type)
            queue.give_up(row, NOT_PREPARED)
            continue
        queue.take_delivery(row)
        return {"CommandUUID": str(row.uuid).upper(), "Command": request}
    return None


def _set_push(here: Enrollment, report: Report, *, delivered: bool, left: bool, now: datetime) -> None:
    here.last_status, here.push_attempts = report.status, 0
    if delivered:
        here.push_due_at = now + ANSWER
    elif left:  # the device refused what waits, or its certificate has expired
        here.push_due_at = now + REFUSED[min(here.refused_rounds, len(REFUSED) - 1)]
        here.refused_rounds += 1
    else:
        here.push_due_at, here.refused_rounds = None, 0
    save_fields(here, "session_at", "last_status", "push_attempts", "push_due_at", "refused_rounds")


@transaction.atomic
def _evict(tenant: Tenant, enrollment: Enrollment, report: Report) -> dict[str, Any] | None:
    """A device that was deleted here is told to remove its enrollment profile, and nothing else."""
    here = Enrollment.objects.select_for_update().get(tenant=tenant, pk=enrollment.pk)
    uuid = f"EVICT-{here.pk}"
    if report.status in {"Acknowledged", "Error"} and report.command == uuid:
        enrollments.end(here, state=State.EVICTED)
        return None
    here.push_due_at = timezone.now() + REFUSED[-1]
    here.save(update_fields=["push_due_at"])
    if report.status != "Idle":
        return None
    return {
        "CommandUUID": uuid,
        "Command": {"RequestType": "RemoveProfile", "Identifier": IDENTIFIER.format(host=tenant.mdm_host)},
    }


def _errors(message: Message) -> list[dict[str, Any]]:
    chain = message.get("ErrorChain")
    return [
        {
            "code": error.get("ErrorCode") if isinstance(error.get("ErrorCode"), int) else 0,
            "domain": _text(error.get("ErrorDomain")),
            "localized_description": _text(error.get("LocalizedDescription")),
            "us_english_description": _text(error.get("USEnglishDescription")),
        }
        for error in (chain if isinstance(chain, list) else [])[:ERRORS]
        if isinstance(error, dict)
    ]


def _text(value: object) -> str:
    return value[:TEXT] if isinstance(value, str) else ""
