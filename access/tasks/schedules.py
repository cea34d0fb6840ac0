"""Tasks that are enqueued again and again: declared with `register_schedule`, by each app when it is ready."""

import logging
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import transaction
from django.tasks import Task
from django.utils import timezone

from access.models import Schedule

logger = logging.getLogger(__name__)


class Periodic(NamedTuple):
    task: Task[[], Any]
    every: timedelta


_schedules: dict[str, Periodic] = {}


def register_schedule(name: str, task: Task[[], Any], *, every: timedelta) -> None:
    """Have the workers enqueue `task` once in each interval. The first run is due when the first worker starts.

    `name` is stored: it stays the same when the task or the interval changes. Like every task this one runs at least
    once; intervals in which no worker ran are made up for by one run.
    """
    if name in _schedules:
        raise ValueError(f"There are two schedules with the name {name!r}.")
    _schedules[name] = Periodic(task, every)


def store_missing() -> None:
    """Give each schedule that is new in this version its row."""
    now = timezone.now()
    Schedule.objects.bulk_create([Schedule(name=name, next=now) for name in _schedules], ignore_conflicts=True)


def last_enqueued(row: Schedule) -> datetime | None:
    """When a worker enqueued the task for the last time; None for a schedule of another version.

    A schedule that no worker has reached yet was due at its first moment, one interval later.
    """
    periodic = _schedules.get(row.name)
    return row.next - periodic.every if periodic else None


def enqueue_due() -> int:
    """Enqueue each task that is due, once, however many workers ask at the same moment. Returns their number."""
    due = Schedule.objects.filter(name__in=list(_schedules), next__lte=timezone.now())
    if not due.exists():
        return 0
    with transaction.atomic():
        rows = list(due.select_for_update(skip_locked=True))
        for row in rows:
            periodic = _schedules[row.name]
            intervals = (timezone.now() - row.next) // periodic.every + 1
            row.next += intervals * periodic.every
            row.save(update_fields=["next"])
            periodic.task.enqueue()
    return len(rows)
