"""Counts as bars, for `components/bars.html`."""

from collections.abc import Iterable
from dataclasses import dataclass

SHORTEST = 0.6  # percent: so that one device of 100,000 is seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One row: `href` leads to the rows that were counted, `tone` is one of a badge's."""

    label: str
    count: int
    href: str = ""
    tone: str = ""


@dataclass(frozen=True, slots=True)
class DrawnBar:
    """A row with its length in percent of the longest one."""

    bar: Bar
    share: float


def drawn(bars: Iterable[Bar]) -> list[DrawnBar]:
    """The rows of `components/bars.html`, in their order. A count of 0 has no bar, and every other one is visible."""
    rows = list(bars)
    most = max((row.count for row in rows), default=0)
    return [DrawnBar(row, round(max(row.count / most * 100, SHORTEST), 1) if row.count else 0) for row in rows]
