"""How long rows are kept: kinds of rows that grow old, each with a setting in days, and their deletion in batches.

A room declares its kinds with `register`. Its periodic task deletes them, or `manage.py purge` does.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Model, QuerySet
from django.utils import timezone

BATCH = 1000  # rows that one transaction deletes, or looks at

type Rows = QuerySet[Any]


def _just_delete(rows: Rows) -> None:
    rows.delete()


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Rows of one table that nothing needs any more once they are old."""

    name: str  # as operators read it, in the plural
    setting: str  # the setting with the days; without one, rows are old as soon as they are in `rows`
    rows: Callable[[datetime], Rows]  # those from before that moment
    age: str  # the field with their date
    indexed: bool  # whether an index begins with that field; without one the table is walked by its primary key
    delete: Callable[[Rows], None] = _just_delete  # called inside a transaction with one batch

    @property
    def days(self) -> int | None:
        """For how many days rows are kept; None for ever."""
        return (settings.IRU_KEEP[self.setting] or None) if self.setting else 0

    def old(self, now: datetime) -> Rows | None:
        """The rows that are old by now; None if they are kept for ever."""
        return None if self.days is None else self.rows(now - timedelta(days=self.days))


kinds: list[Kind] = []


def register(kind: Kind) -> Kind:
    """Have `manage.py purge` delete the old rows of this kind too."""
    kinds.append(kind)
    return kind


def delete_old(
    kind: Kind, *, now: datetime | None = None, batch: int = BATCH, progress: Callable[[int], None] | None = None
) -> int:
    """Delete the rows of a kind that are old. Returns their number.

    Each batch is committed, so that other changes wait only for one, and a run that was killed loses nothing: the next
    one goes on. `progress` is called after each batch with the number of rows that are deleted so far.
    """
    old = kind.old(now or timezone.now())
    if old is None:
        return 0
    number = 0
    for rows in (_oldest if kind.indexed else _walked)(old, kind.age, batch):
        with transaction.atomic():
            found = rows.count()
            if found:
                kind.delete(rows)
        number += found
        if progress:
            progress(number)
    return number


def _oldest(old: Rows, age: str, batch: int) -> Iterator[Rows]:
    while pks := list(old.order_by(age, "pk").values_list("pk", flat=True)[:batch]):
        # The date is tested again: a task may just have been sent back to the queue.
        yield old.filter(pk__in=pks)


def _walked(old: Rows, age: str, batch: int) -> Iterator[Rows]:
    model: type[Model] = old.model
    every = model._default_manager.order_by("pk")
    after = every
    while pks := list(after.values_list("pk", flat=True)[:batch]):
        yield old.filter(pk__gte=pks[0], pk__lte=pks[-1])
        after = every.filter(pk__gt=pks[-1])
