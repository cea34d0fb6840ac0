"""Counts as bars, for `components/bars.html`."""

from collections.abc import Iterable
from dataclasses import dataclass

SHORTEST = 0.6  # percent, so that one device of 100,000 is visible


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One row: `href` leads to the counted rows, `tone` is a tone of a badge."""

    label: str
    count: int
    href: str = ""
    tone: str = ""


@dataclass(frozen=True, slots=True)
class DrawnBar:
    """A row with its length as a percentage of the longest row."""

    bar: Bar
    share: float


def drawn(bars: Iterable[Bar]) -> list[DrawnBar]:
    """The rows of `components/bars.html`, in the same order. A count of 0 has no bar; every other bar is visible."""
    rows = list(bars)
    most = max((row.count for row in rows), default=0)
    return [DrawnBar(row, round(max(row.count / most * 100, SHORTEST), 1) if row.count else 0) for row in rows]
