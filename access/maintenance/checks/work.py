"""Background work and backups: whether they go on."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.tasks import TaskResultStatus
from django.utils import timezone
from django.utils.timesince import timesince
from django_tasks_db.models import DBTaskResult

from access.maintenance.doctor import Finding, error, ok, register, warning
from access.maintenance.keys import counting
from access.models import Backup
from access.tasks.liveness import workers

WAITS_LONG, WAITS_TOO_LONG = timedelta(minutes=5), timedelta(hours=1)
FAILED_LATELY = timedelta(days=7)
BACKUP_OLD = timedelta(hours=36)  # a daily one that was late


@register("worker")
def check_worker() -> Iterator[Finding]:
    found = workers()
    if found.alive:
        yield ok(f"A worker runs; {found.running} tasks are under way.")
    elif found.due is None:
        yield error("None has ever run.", "Start `manage.py worker`: no mail is sent without one.")
    else:
        yield error(f"None has run for {_since(found.due)}.", "Start `manage.py worker`, and look at its log.")


@register("tasks")
def check_tasks() -> Iterator[Finding]:
    now = timezone.now()
    with counting():
        waiting = DBTaskResult.objects.ready().order_by()
        oldest = waiting.order_by("enqueued_at").first()
        number = waiting.count()
        failed = DBTaskResult.objects.filter(status=TaskResultStatus.FAILED, finished_at__gte=now - FAILED_LATELY)
        last = failed.order_by("-finished_at").first()
        failures = failed.count()
    if oldest is not None:
        since = _due_at(oldest, now)
        text = f"{number} wait, the oldest for {_since(since)}: {oldest.task_path}."
        if since < now - WAITS_TOO_LONG:
            yield error(text, "Start more workers, and look at their log.")
        elif since < now - WAITS_LONG:
            yield warning(text, "Start more workers, if it stays like this.")
        else:
            yield ok(text)
    else:
        yield ok("None waits.")
    if last is not None:
        yield warning(
            f"{failures} failed within a week, the last one {_since(last.finished_at)} ago: {last.task_path}, "
            f"{last.exception_class_path}.",
            "Django admin shows why, under Tasks.",
        )


@register("backup")
def check_backup() -> Iterator[Finding]:
    advice = "Run `manage.py backup` from a timer each day, and copy the file to another machine."
    last = Backup.objects.order_by("-finished_at").first()
    if last is None:
        yield warning("There is none that this database knows of.", advice)
    elif last.finished_at < timezone.now() - BACKUP_OLD:
        yield warning(f"The last one was made {_since(last.finished_at)} ago: {last.path}.", advice)
    else:
        yield ok(f"The last one was made {_since(last.finished_at)} ago: {last.path}.")


def _due_at(row: "DBTaskResult[..., object]", now: datetime) -> datetime:
    """Since when the task could have run: a task without a delay has a date in the far future."""
    enqueued_at: datetime = row.enqueued_at
    return max(enqueued_at, row.run_after) if row.run_after <= now else enqueued_at


def _since(moment: datetime) -> str:
    return timesince(moment, depth=1).replace("\xa0", " ")
