"""The lines of the table that the run ends with."""

from dataclasses import dataclass

from tests.faults.load import Call, Status, statuses


@dataclass(frozen=True, slots=True)
class Line:
    fault: str
    database: str
    requests: str
    answers: str
    slowest: str
    lost: str
    recovery: str
    note: str = ""

    def cells(self) -> list[str]:
        return [getattr(self, name) for name in HEADS]


HEADS = {
    "fault": "fault",
    "database": "database",
    "requests": "requests",
    "answers": "answers",
    "slowest": "slowest",
    "lost": "acknowledged/lost",
    "recovery": "recovery",
    "note": "",
}
lines: list[Line] = []  # of this run


def add(
    fault: str,
    database: str,
    calls: list[Call],
    *,
    acknowledged: int | None = None,
    lost: int = 0,
    recovery: float | None = None,
    note: str = "",
) -> Line:
    line = Line(
        fault,
        database,
        str(len(calls)),
        answers(statuses(calls)),
        f"{max((call.end - call.start for call in calls), default=0):.1f} s",
        "-" if acknowledged is None else f"{acknowledged}/{lost}",
        "-" if recovery is None else f"{recovery:.1f} s",
        note,
    )
    lines.append(line)
    return line


def without(fault: str, database: str, reason: str) -> None:
    """A line for a fault that this database or this machine cannot have."""
    lines.append(Line(fault, database, "-", "-", "-", "-", "-", reason))


def answers(found: dict[Status, int]) -> str:
    return "  ".join(f"{number}x{status}" for status, number in found.items())


def text() -> list[str]:
    rows = [list(HEADS.values()), *(line.cells() for line in lines)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADS))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
