"""Deletion in batches: rows of each registered kind that are older than its setting allows, and audit events."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Count, Min
from django.utils import timezone

from access.audit.chain import BrokenTrail, trail_name
from access.audit.events import Actor, Target, log_event
from access.audit.removal import old_events, remove_old
from access.maintenance.engines import Progress
from access.maintenance.keys import counting
from access.models import AuditEvent, Tenant
from access.retention import Kind, delete_old, kinds
from access.tasks.backend import task

AUDIT = "IRU_KEEP_AUDIT"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Old:
    """The old rows of one kind. `days` is the setting: None for ever; `oldest` is the date of the oldest row."""

    name: str
    setting: str
    days: int | None
    rows: int = 0
    oldest: datetime | None = None


@dataclass(frozen=True, slots=True)
class Purged:
    """The deleted rows of each kind. `broken` has a sentence about each audit trail that was left as it is."""

    done: list[Old]
    broken: list[str]


class Purge:
    """What is old at the moment at which this is made, and its deletion."""

    def __init__(self) -> None:
        self._now = timezone.now()
        self._trails: list[Tenant | None] = []
        self._broken: list[str] = []
        self._deletions: dict[str, Callable[[Callable[[int], None]], int]] = {}
        self.found = [*map(self._find, kinds), self._find_events()]

    def run(self, *, actor: Actor, progress: Progress) -> Purged:
        """Delete what is old.

        The trail of the installation says before what is going to be deleted, and afterwards what was: a run that was
        killed in between is seen there too. It may be run again, and goes on.
        """
        found = [each for each in self.found if each.rows]
        if not found:
            return Purged([], [])
        self._actor = actor
        _log("Purge started", found, actor)
        done = [replace(each, rows=self._delete(each, progress)) for each in found]
        _log("Purge finished", done, actor)
        return Purged(done, self._broken)

    def _find(self, kind: Kind) -> Old:
        found = Old(kind.name, kind.setting, kind.days)
        if (old := kind.old(self._now)) is None:
            return found
        with counting():
            facts = old.order_by().aggregate(rows=Count("pk"), oldest=Min(kind.age))
        self._deletions[kind.name] = lambda progress: delete_old(kind, now=self._now, progress=progress)
        return replace(found, **facts)

    def _find_events(self) -> Old:
        found = Old("audit events", AUDIT, settings.IRU_KEEP[AUDIT] or None)
        if found.days is None:
            return found
        before, dates = self._now - timedelta(days=found.days), []
        for trail in _all_trails():
            number, oldest = old_events(trail, before)
            if oldest:
                self._trails.append(trail)
                dates.append((number, oldest))
        self._deletions[found.name] = partial(self._remove_events, before)
        rows, oldest = sum(number for number, _ in dates), min((date for _, date in dates), default=None)
        return replace(found, rows=rows, oldest=oldest)

    def _remove_events(self, before: datetime, progress: Callable[[int], None]) -> int:
        total = 0
        for trail in self._trails:
            base = total
            try:
                for removed in remove_old(tenant=trail, before=before, actor=self._actor):
                    total = base + removed
                    progress(total)
            except BrokenTrail as fault:
                self._broken.append(f"{trail_name(trail)}: {fault}")
                logger.critical("Audit events of %s are not removed: %s", trail_name(trail), fault)
            except IntegrityError:
                logger.warning("Audit events of %s are being removed by another purge.", trail_name(trail))
        return total

    def _delete(self, old: Old, progress: Progress) -> int:
        name = old.name[:1].upper() + old.name[1:]
        return self._deletions[old.name](lambda done: progress(name, done, old.rows))


@task()
def purge_daily() -> None:
    """Delete what is old, if IRU_PURGE_DAILY says so. Harmless when it runs twice, or is killed during the run."""
    if settings.IRU_PURGE_DAILY:
        Purge().run(actor=Actor.command("worker"), progress=_say_nothing)


def _say_nothing(step: str, done: int, total: int) -> None:
    """The progress of a worker, which has no terminal."""


def _all_trails() -> Iterator[Tenant | None]:
    yield from Tenant.objects.order_by("pk")
    yield None


@transaction.atomic
def _log(summary: str, found: list[Old], actor: Actor) -> None:
    log_event(
        target=Target(None, "installation", "", trail_name(None)),
        actor=actor,
        action=AuditEvent.Action.DELETE,
        summary=summary,
        metadata={"rows": {each.name: each.rows for each in found}, "days": {each.name: each.days for each in found}},
    )
