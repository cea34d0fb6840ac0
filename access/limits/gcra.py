"""The arithmetic of the limits: the generic cell rate algorithm (GCRA), for two windows at once.

Each window has one number: the moment at which all its permits will be back. A permit taken moves that moment away by
the time that one permit needs to come back. No permit is left when the moment is a whole window away.
"""

from dataclasses import dataclass
from math import ceil, floor

SECOND, HOUR = 1.0, 3600.0  # the windows, in seconds
# A moment further away than that was written before the clock was set back, and counts as no permit taken.
BEYOND = 1.0
ROUNDING = 1e-6  # of a permit
SHARES = 4  # a process takes at most a quarter of the permits that are left, so that others find some


@dataclass(frozen=True, slots=True)
class Limits:
    """The calls of a tenant: so many a second, and so many an hour."""

    per_second: int
    per_hour: int


@dataclass(frozen=True, slots=True)
class Grant:
    """`permits` were taken at `now`, 0 where none was left. The other two are the moments of the windows after that."""

    permits: int
    now: float
    second_full: float
    hour_full: float


def grant(limits: Limits, wanted: int, paid: int, *, now: float, second_full: float, hour_full: float) -> Grant:
    """Take up to `wanted` permits, of which `paid` were taken from the hour before. `stores.TAKE` is this in SQL."""
    second, hour = away(second_full, now, SECOND), away(hour_full, now, HOUR)
    of_second = _share(left(limits.per_second, second, SECOND))
    of_hour = paid + _share(left(limits.per_hour, hour, HOUR))
    permits = min(wanted, of_second, of_hour)
    return Grant(
        permits,
        now,
        now + second + permits * SECOND / limits.per_second,
        now + hour + max(permits - paid, 0) * HOUR / limits.per_hour,
    )


class Permits:
    """The permits of one window that a process has taken and not spent.

    They come back to the row one by one, the last of a group at the moment of the group. From then on others may have
    them, so they are good for nothing here.
    """

    def __init__(self, quota: int, window: float) -> None:
        self._rate = quota / window
        self._groups: list[tuple[int, float]] = []  # (permits, moment), in the order of the moments

    def add(self, permits: int, full: float) -> None:
        if permits:
            self._groups.append((permits, full))

    def count(self, now: float) -> int:
        """How many are good at this moment."""
        groups = self._groups
        while groups:
            permits, full = groups[0]
            if (good := ceil((full - now) * self._rate)) > 0:
                if good < permits:
                    groups[0] = (good, full)
                return sum([permits for permits, _ in groups]) if len(groups) > 1 else groups[0][0]
            del groups[0]
        return 0

    def spend(self) -> None:
        """Spend one of those that `count` has found."""
        permits, full = self._groups[0]
        if permits > 1:
            self._groups[0] = (permits - 1, full)
        else:
            del self._groups[0]

    def clear(self) -> None:
        self._groups.clear()


def away(full: float, now: float, window: float) -> float:
    """Seconds until all permits are back."""
    return 0.0 if full > now + window + BEYOND else min(max(full - now, 0.0), window)


def left(quota: int, seconds: float, window: float) -> int:
    """The permits that are left when all are back in so many seconds."""
    return floor((window - seconds) * quota / window + ROUNDING)


def free(quota: int, full: float, now: float, window: float) -> int:
    """The permits that are in the row now."""
    return left(quota, away(full, now, window), window)


def _share(free: int) -> int:
    return (free + SHARES - 1) // SHARES
