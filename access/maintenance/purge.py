"""Deletion of what is older than its setting: rows of every registered kind, in batches."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Min
from django.utils import timezone

from access.audit.chain import trail_name
from access.audit.events import Actor, Target, log_event
from access.maintenance.engines import Progress
from access.maintenance.keys import counting
from access.models import AuditEvent
from access.retention import Kind, delete_old, kinds
from access.tasks.backend import task


@dataclass(frozen=True, slots=True)
class Old:
    """What is old in one kind of rows. `days` is the setting: None for ever; `oldest` is the date of the oldest row."""

    name: str
    setting: str
    days: int | None
    rows: int = 0
    oldest: datetime | None = None
    kind: Kind | None = None


def find_old() -> Iterator[Old]:
    """What a purge would delete now, of each kind."""
    now = timezone.now()
    for kind in kinds:
        found = Old(kind.name, kind.setting, kind.days, kind=kind)
        if (old := kind.old(now)) is not None:
            with counting():
                facts = old.order_by().aggregate(rows=Count("pk"), oldest=Min(kind.age))
            found = replace(found, **facts)
        yield found


def purge(found: list[Old], *, actor: Actor, progress: Progress) -> list[Old]:
    """Delete what is old. Returns what was deleted of each kind that had something.

    The trail of the installation says before what is going to be deleted, and afterwards what was: a run that was
    killed in between is seen there too. It may be run again, and goes on.
    """
    found = [each for each in found if each.rows]
    if not found:
        return []
    _log("Purge started", found, actor)
    done = [replace(each, rows=_delete(each, progress)) for each in found]
    _log("Purge finished", done, actor)
    return done


@task()
def purge_daily() -> None:
    """Delete what is old, if IRU_PURGE_DAILY says so. Harmless when it runs twice, or is killed during the run."""
    if settings.IRU_PURGE_DAILY:
        purge(list(find_old()), actor=Actor.command("worker"), progress=_say_nothing)


def _say_nothing(step: str, done: int, total: int) -> None:
    """The progress of a worker, which has no terminal."""


def _delete(old: Old, progress: Progress) -> int:
    if old.kind is None:
        return 0
    return delete_old(old.kind, progress=lambda done: progress(old.name.capitalize(), done, old.rows))


@transaction.atomic
def _log(summary: str, found: list[Old], actor: Actor) -> None:
    log_event(
        target=Target(None, "installation", "", trail_name(None)),
        actor=actor,
        action=AuditEvent.Action.DELETE,
        summary=summary,
        metadata={"rows": {each.name: each.rows for each in found}, "days": {each.name: each.days for each in found}},
    )
