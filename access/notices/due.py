"""Which reminder of an end is due."""

from collections.abc import Iterable
from datetime import datetime, timedelta


def last_due(ends_at: datetime, now: datetime, days: Iterable[int]) -> int | None:
    """The last of these numbers of days before the end that has come."""
    return min((each for each in days if ends_at <= now + timedelta(days=each)), default=None)
