"""Tables of figures, for a terminal and for a document."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

MET, MISSED = "met", "missed"


@dataclass(slots=True)
class Table:
    title: str
    heads: Sequence[str]
    about: str = ""
    rows: list[Sequence[str]] = field(default_factory=list)

    def text(self) -> str:
        """With columns of equal width."""
        lines = [self.heads, *self.rows]
        widths = [max(len(line[place]) for line in lines) for place in range(len(self.heads))]
        shown = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
        return "\n".join(["", self.title, *(line.rstrip() for line in shown)])

    def markdown(self) -> str:
        rule = "|".join("---" for _ in self.heads)
        lines = [f"| {' | '.join(line)} |" for line in (self.heads, *self.rows)]
        return "\n".join(
            [f"## {self.title}", "", *([self.about, ""] if self.about else []), lines[0], f"|{rule}|", *lines[1:]]
        )


def summary(tables: Sequence[Table]) -> Table:
    """How many goals of each table are met."""
    found = Table("Goals", ("table", "met", "missed"))
    for table in tables:
        cells = [cell for row in table.rows for cell in row]
        met, missed = (sum(cell.endswith(word) for cell in cells) for word in (f": {MET}", f": {MISSED}"))
        if met or missed:
            found.rows.append((table.title, str(met), str(missed)))
    return found


def spread(values: Sequence[float]) -> str:
    """The median, and the lowest and the highest value: `4.1 (3.9 to 4.4)`."""
    return f"{short(median(values))} ({short(min(values))} to {short(max(values))})"


def short(value: float) -> str:
    """Three digits that count, and all of a larger number."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def against(value: float, goal: float | None, *, least: bool) -> str:
    """Whether a value reaches its goal, which is the least or the most that it may be."""
    if goal is None:
        return "-"
    reached = value >= goal if least else value <= goal
    return f"{'≥' if least else '≤'} {goal:g}: {MET if reached else MISSED}"
