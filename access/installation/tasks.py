"""Background tasks, as operators look after them."""

import uuid

from django.db import transaction

from access.audit.events import Actor, Target, log_event
from access.models import AuditEvent
from access.tasks import repeats
from access.tasks.leases import Row


@transaction.atomic
def run_again(*, task_id: uuid.UUID, actor: Actor) -> Row:
    """Send a failed task back to the queue, with all its attempts. The event is in the trail of the installation.

    Raises ValidationError for a task that has not failed: of two people who ask at once, the second one gets that.
    """
    row = repeats.repeat(task_id)
    log_event(
        target=Target(None, "task", row.pk, row.task_path),
        actor=actor,
        action=AuditEvent.Action.UPDATE,
        summary="Failed task run again",
    )
    return row
