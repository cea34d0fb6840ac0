"""Reminders of an end: which one is due, and that each is sent once."""

from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone


def last_due(ends_at: datetime, now: datetime, days: Collection[int]) -> int | None:
    """The last of these numbers of days before the end that has come."""
    return min((each for each in days if ends_at <= now + timedelta(days=each)), default=None)


def remind[Row: Any](
    rows: QuerySet[Row], *, ends: str, days: Collection[int], send: Callable[[Row, int], None]
) -> None:
    """Call `send` with each row of an active tenant that has a reminder due, and with its number of days.

    `ends` names the column with the end of a row. A second run does nothing: each reminder is noted in `reminded_days`,
    together with what `send` stores.
    """
    now = timezone.now()
    near = rows.filter(
        Q(reminded_days=None) | Q(reminded_days__gt=min(days)),
        tenant__active=True,
        **{f"{ends}__gt": now, f"{ends}__lte": now + timedelta(days=max(days))},
    )
    for pk in list(near.order_by(ends, "pk").values_list("pk", flat=True)):
        with transaction.atomic():
            # Under the lock it is looked for again, because it may have been renewed, revoked or reminded of meanwhile.
            row = near.select_for_update(of=("self",)).select_related("tenant").filter(pk=pk).first()
            due = last_due(getattr(row, ends), now, days) if row else None
            if row is None or due is None or (row.reminded_days is not None and row.reminded_days <= due):
                continue
            row.reminded_days = due
            row.save(update_fields=["reminded_days"])
            send(row, due)
