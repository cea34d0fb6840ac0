"""The task that carries out a bulk action, one group of devices in each transaction.

The result of a device is stored in the transaction of its change, and each group is taken from the queued devices.
So a task that was killed continues after the last commit, and no device is changed twice, however often the task runs.
"""

import logging
import time
from datetime import timedelta
from typing import Any

from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db import transaction
from django.utils import timezone

from access.audit.events import Actor
from access.database import Failure, allow_long_statements, failure_of
from access.people.confirmation import NotAllowedAnyMore, lasting_actor
from access.refusals import Refusal
from access.tasks.backend import task
from devices.bulk.bodies import body_of
from devices.bulk.changes import AddTag, AssignBlueprint, AssignUser, Change, RemoveTag, SendCommand, Skipped, Stored
from devices.bulk.item_changes import AssignItem, RemoveItem
from devices.models import BulkAction, BulkResult

# Devices in one transaction. Other changes of the tenant wait for it, because it locks the head of the audit trail.
GROUP = 25
# Seconds between two groups. A writer that waits for SQLite's lock tries ten times a second. Without a pause between
# two transactions it would rarely find the lock free.
PAUSE = 0.12
TURN = 10.0  # seconds after which the task lets other tasks run
SILENCE = timedelta(hours=1)  # an action without progress for so long has lost its task
STAY = timedelta(days=90)
OLD = 20  # actions that are deleted in one transaction
CHANGES: dict[str, type[Change[Any]]] = {
    change.kind: change
    for change in (SendCommand, AddTag, RemoveTag, AssignBlueprint, AssignUser, AssignItem, RemoveItem)
}
Status = BulkResult.Status

logger = logging.getLogger(__name__)


@task(retries=4)
def run_bulk_action(action_id: int) -> None:
    """Carry out the action. Harmless when it runs twice, also at the same time."""
    start = time.monotonic()
    while run_group(action_id):
        if time.monotonic() - start > TURN:
            run_bulk_action.enqueue(action_id)
            return
        time.sleep(PAUSE)


@task()
def tend_bulk_actions() -> None:
    """Give a new task to actions that lost theirs, and delete old actions. Harmless when it runs twice."""
    now = timezone.now()
    for pk in BulkAction.objects.filter(ended_at=None, moved_at__lt=now - SILENCE).values_list("pk", flat=True):
        run_bulk_action.enqueue(pk)
    old = BulkAction.objects.filter(ended_at__lt=now - STAY).order_by("pk")
    while pks := list(old.values_list("pk", flat=True)[:OLD]):
        BulkAction.objects.filter(pk__in=pks).delete()


@transaction.atomic
def run_group(action_id: int) -> bool:
    """Change the next devices of the action. Returns whether there may be more."""
    # The lock makes a second worker wait. It then finds the results of this one.
    found = BulkAction.objects.select_for_update(of=("self",)).select_related("tenant", "administrator")
    action = found.filter(pk=action_id, ended_at=None).first()
    if action is None:
        return False
    try:
        change = CHANGES[action.kind].restore(action.tenant, Stored(action.parameters, body_of(action)))
    except ObjectDoesNotExist:
        end(action, Status.FAILED, "The tag, Blueprint or command does not exist any more.")
        return False
    if action.administrator is None:
        end(action, Status.SKIPPED, f"{action.requested_by} may not do this any more.")
        return False
    actor = lasting_actor(administrator=action.administrator, tenant=action.tenant, capability=change.capability)
    rows = list(action.results.filter(status=Status.QUEUED).order_by("pk")[:GROUP])
    targets = change.lock([row.target_uuid for row in rows])
    try:
        actor.confirm()
        for row in rows:
            row.status, row.reason = _carry_out(change, targets.get(row.target_uuid), actor)
    except NotAllowedAnyMore as refusal:
        _store(action, rows)
        end(action, Status.SKIPPED, str(refusal))
        return False
    _store(action, rows)
    if len(rows) < GROUP:
        end(action, Status.SKIPPED, "")
    return len(rows) == GROUP


def end(action: BulkAction, status: BulkResult.Status, reason: str) -> None:
    """End the action, which the caller has locked. Targets that are still queued get this status."""
    allow_long_statements()  # the next one updates the results of all queued targets
    number = action.results.filter(status=Status.QUEUED).update(status=status, reason=reason[:500])
    _count(action, status, number)
    action.ended_at = action.moved_at = timezone.now()
    action.key_number = action.ciphertext = None
    action.save(update_fields=["ended_at", "moved_at", "key_number", "ciphertext", *COUNTERS])


def _carry_out(change: Change[Any], target: Any, actor: Actor) -> tuple[BulkResult.Status, str]:
    """Make the change to one device, and return its result. Raises NotAllowedAnyMore, and errors that need a retry."""
    if target is None:
        return Status.SKIPPED, "It was deleted."
    try:
        with transaction.atomic():  # a failed change is rolled back for its device alone
            change.apply(target, actor)
    except NotAllowedAnyMore:
        raise
    except (Skipped, Refusal) as refusal:
        if isinstance(refusal, Refusal) and refusal.status >= 500:
            raise
        return Status.SKIPPED, str(refusal)[:500]
    except ValidationError as error:
        return Status.FAILED, " ".join(error.messages)[:500]
    except Exception as error:
        if failure_of(error) is Failure.AWAY:
            raise
        logger.exception("A bulk action failed for %s.", target.uuid)
        return Status.FAILED, "An error on the server; it is in the log."
    return Status.DONE, ""


COUNTERS = ("done", "skipped", "failed")


def _store(action: BulkAction, rows: list[BulkResult]) -> None:
    ended = [row for row in rows if row.status != Status.QUEUED]
    BulkResult.objects.bulk_update(ended, ["status", "reason"])
    for row in ended:
        _count(action, Status(row.status), 1)
    action.moved_at = timezone.now()
    action.save(update_fields=["moved_at", *COUNTERS])


def _count(action: BulkAction, status: BulkResult.Status, number: int) -> None:
    setattr(action, status.value, getattr(action, status.value) + number)
