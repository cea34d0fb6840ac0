"""Running a failed task again, because a person asks for it."""

import uuid

from django.core.exceptions import ValidationError
from django.tasks import TaskResultStatus
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from access.tasks.backend import wake_worker
from access.tasks.leases import Row


def repeat(task_id: uuid.UUID) -> Row:
    """Send a failed task back to the queue, as if it had not been tried yet. One statement decides, so it is sent once.

    Belongs inside a transaction. Raises ValidationError for a task that has not failed.
    """
    found = DBTaskResult.objects.filter(pk=task_id, status=TaskResultStatus.FAILED)
    sent = found.update(
        status=TaskResultStatus.READY, run_after=timezone.now(), started_at=None, finished_at=None, worker_ids=[]
    )
    row: Row | None = DBTaskResult.objects.filter(pk=task_id).first()
    if row is None:
        raise ValidationError("This task is deleted.")
    if not sent:
        raise ValidationError("Only a failed task is run again.")
    wake_worker()
    return row
