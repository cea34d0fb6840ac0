"""Claiming a task, keeping it while it runs, and taking it from a worker that is lost.

A claim and its lease are one transaction. While the task runs, a thread extends the lease; a worker that is killed,
frozen or cut off from the database no longer does. A lease that ran out sends its task back to the queue, and with the
lease goes the right to store a result: a worker that comes back late changes nothing.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import copy_context
from datetime import timedelta
from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.db import Error, connection, transaction
from django.db.models.functions import Now
from django.tasks import DEFAULT_TASK_BACKEND_ALIAS, TaskResultStatus
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from access.database import retried
from access.models import TaskLease
from access.models.tasks import LEASE

EXTENSION = 5.0  # seconds between two extensions: two of them may fail
MAX_ATTEMPTS = 5  # of a task whose workers were lost
LONGEST_DELAY = timedelta(hours=1)

logger = logging.getLogger(__name__)

type Row = DBTaskResult[..., Any]


class WorkerLost(Exception):
    """A task's worker was killed, frozen or cut off in the middle, so the progress of the task is unknown."""


class LeaseLost(Exception):
    """The result comes too late: the task was taken from this worker in the meantime."""


def claim(worker: str) -> Row | None:
    """The next task, running under a lease of `worker`; None where no task is due."""
    due = DBTaskResult.objects.ready().filter(backend_name=DEFAULT_TASK_BACKEND_ALIAS)
    if not due.exists():  # so that a worker with nothing to do never takes SQLite's write lock
        return None

    @transaction.atomic
    def take() -> Row | None:
        row: Row | None = due.get_locked()
        if row is not None:
            row.claim(worker)
            TaskLease.objects.create(task=row, worker=worker, until=Now() + LEASE)
        return row

    return retried(take)


@contextmanager
def extended(row: Row, worker: str, every: float = EXTENSION) -> Iterator[None]:
    """Inside, a thread extends the lease. A task that is done sooner than the first extension costs no query."""
    done = threading.Event()
    # In the context of the task, so that the lines of the thread have its id.
    arguments = (_extend, row, worker, every, done)
    thread = threading.Thread(target=copy_context().run, args=arguments, name="task-lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def succeed(row: Row, worker: str, value: object) -> None:
    """Store the result. Raises LeaseLost."""
    with transaction.atomic():
        _release(row, worker)
        row.set_successful(value)


def fail(row: Row, worker: str, error: Exception) -> None:
    """Store the error, and send the task back to the queue if it allows another attempt. Raises LeaseLost."""
    with transaction.atomic():
        _release(row, worker)
        _repeat_or_fail(row, error, attempts=_retries(row) + 1)


def give_back(row: Row, worker: str) -> None:
    """Send the task back to the queue as if this attempt had not been made: the worker stops. Raises LeaseLost."""
    row.worker_ids = row.worker_ids[:-1]  # a task must not fail because its worker was restarted five times
    with transaction.atomic():
        _release(row, worker)
        _repeat(row, delay=timedelta())


def reap() -> int:
    """Take every task whose lease ran out from its worker. Returns their number.

    The task goes back to the queue, later each time, and fails after its fifth attempt. Any worker may call this.
    """
    expired = TaskLease.objects.expired()
    if not expired.exists():
        return 0
    with transaction.atomic():
        leases = list(expired.select_for_update(skip_locked=True, of=("self",)).select_related("task"))
        for lease in leases:
            row = lease.task
            error = WorkerLost(f"{lease.worker} stopped in the middle of attempt {len(row.worker_ids)}.")
            logger.warning("Task id=%s path=%s is taken from its worker. %s", row.pk, row.task_path, error)
            _repeat_or_fail(row, error, attempts=max(MAX_ATTEMPTS, _retries(row) + 1))
            lease.delete()
    return len(leases)


def delay_before(attempt: int) -> timedelta:
    """How long a task waits before its next attempt: 1, 4, 16, 64 seconds, and so on up to an hour."""
    return min(timedelta(seconds=4 ** min(attempt - 1, 10)), LONGEST_DELAY)


def _extend(row: Row, worker: str, every: float, done: threading.Event) -> None:
    try:
        while not done.wait(every):
            try:
                if not TaskLease.objects.filter(task_id=row.pk, worker=worker).extend():
                    logger.warning("Task %s was taken from this worker; its result will be dropped.", row.task_path)
                    return
            except Error:
                logger.warning("The lease of task %s could not be extended.", row.task_path, exc_info=True)
                connection.close()
    finally:
        connection.close()  # each thread has a connection of its own


def _release(row: Row, worker: str) -> None:
    deleted, _ = TaskLease.objects.filter(task_id=row.pk, worker=worker).delete()
    if not deleted:
        raise LeaseLost(f"Task {row.task_path} was taken from this worker; its result is dropped.")


def _repeat_or_fail(row: Row, error: Exception, *, attempts: int) -> None:
    row.set_failed(error)
    attempt = len(row.worker_ids)
    if attempt < attempts:
        _repeat(row, delay=delay_before(attempt))


def _repeat(row: Row, *, delay: timedelta) -> None:
    row.status, row.finished_at, row.run_after = TaskResultStatus.READY, None, timezone.now() + delay
    row.save(update_fields=["status", "finished_at", "run_after", "worker_ids"])


def _retries(row: Row) -> int:
    try:
        return getattr(row.task, "retries", 0)
    except (ImportError, SuspiciousOperation):
        return MAX_ATTEMPTS - 1  # during an upgrade, a worker of the other version may know this task
