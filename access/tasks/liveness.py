"""Whether a worker runs, as its traces in the database say."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from access.models import Schedule, TaskLease
from access.models.tasks import LEASE
from access.tasks.schedules import last_enqueued

# A worker that runs no task moves each schedule on when it is due. The shortest interval is a minute.
SILENCE = timedelta(minutes=3)


@dataclass(frozen=True, slots=True)
class Workers:
    """`running` tasks now. `seen`: when a worker last did something. `due`: since when a schedule waits, if it does."""

    running: int
    seen: datetime | None
    due: datetime | None
    alive: bool


def workers() -> Workers:
    """A worker is alive if it runs a task, or has enqueued every periodic task that was due."""
    now = timezone.now()
    ends = [until for until in TaskLease.objects.values_list("until", flat=True) if until > now]
    schedules = list(Schedule.objects.all())
    due = min((schedule.next for schedule in schedules), default=None)
    moments = [last_enqueued(schedule) for schedule in schedules] + [until - LEASE for until in ends]
    return Workers(
        running=len(ends),
        seen=max((moment for moment in moments if moment is not None and moment <= now), default=None),
        due=due if due is not None and due < now else None,
        alive=bool(ends) or (due is not None and due >= now - SILENCE),
    )
