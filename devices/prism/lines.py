"""The rows of a search as lines of CSV, for exports of millions of rows.

Many rows have the same device or the same content. So the cells of a report and of a content are written once and
reused for all following rows: a row then costs little more than joining a few texts.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import batched, groupby
from typing import Any, Literal

from access.csv import cells_of, whole
from devices.models import PrismReport
from devices.models.prism.columns import Column
from devices.models.prism.tables import CONTENTS
from devices.prism.columns import columns_of
from devices.prism.search import Search, conversion

MOST_HELD = 20_000  # contents in memory, and the same number of reports
CHUNK = 2000  # keys in a query

type Table = Literal["report", "content", "row"]
type Fields = Sequence[Any]
type Cells = tuple[str, ...]


def pages(search: Search, names: Sequence[str], size: int) -> Iterator[list[str]]:
    """The lines of all matching rows, `size` at a time, in the order of a walk. `names` names the columns."""
    known = columns_of(search.category.name)
    columns = [known[name] for name in names]
    reports, contents, own = (_Part(table, columns) for table in ("report", "content", "row"))
    order = [table for table, _ in groupby(map(_table, columns))]
    held_reports = _Held(reports, PrismReport.objects.filter(tenant=search.tenant))
    held_contents = _Held(contents, CONTENTS[search.category.name].objects.filter(tenant=search.tenant))
    for rows in search.pages(size, own.fields):
        report_cells = held_reports.of({row[2] for row in rows})
        content_cells = held_contents.of({row[3] for row in rows})
        lines = []
        for _, _, report, content, *fields in rows:
            if report in report_cells and content in content_cells:  # otherwise they were deleted a moment ago
                cells = {
                    "report": iter(report_cells[report]),
                    "content": iter(content_cells[content]),
                    "row": iter(own.cells(fields)),
                }
                lines.append(whole(",".join([next(cells[table]) for table in order])))
        yield lines


class _Part:
    """The columns with values from one table, grouped into the pieces that are adjacent in a line."""

    def __init__(self, table: Table, columns: Iterable[Column]) -> None:
        pieces = [list(piece) for name, piece in groupby(columns, key=_table) if name == table]
        prefix = "" if table == "row" else f"{table}__"
        paths = (_path(column) for piece in pieces for column in piece if column.place != "nowhere")
        self.fields = list(dict.fromkeys(path.removeprefix(prefix) for path in paths))
        self._pieces = [[self._value(column, prefix) for column in piece] for piece in pieces]

    def cells(self, fields: Fields) -> Cells:
        return tuple(cells_of([value(fields) for value in piece]) for piece in self._pieces)

    def _value(self, column: Column, prefix: str) -> Callable[[Fields], Any]:
        if column.place == "nowhere":
            return _nothing
        index = self.fields.index(_path(column).removeprefix(prefix))
        if column.kind == "unseen":
            return lambda fields: fields[index].get(column.key)
        if convert := conversion(column):
            return lambda fields: convert(fields[index])
        return lambda fields: fields[index]


class _Held:
    """The cells of recently read reports or contents, by primary key."""

    def __init__(self, part: _Part, rows: Any) -> None:
        self._part, self._rows = part, rows
        self._cells: dict[int, Cells] = {}

    def of(self, keys: set[int]) -> Mapping[int, Cells]:
        if len(self._cells) > MOST_HELD:
            self._cells.clear()
        for part in batched(sorted(keys - self._cells.keys()), CHUNK, strict=False):
            for pk, *fields in self._rows.filter(pk__in=part).values_list("pk", *self._part.fields):
                self._cells[pk] = self._part.cells(fields)
        return self._cells


def _nothing(_fields: Fields) -> None:
    return None


def _table(column: Column) -> Table:
    if column.place in {"content", "row"}:
        return "content" if column.place == "content" else "row"
    return "report"  # also for a column with the place nowhere, because its cells are empty anyway


def _path(column: Column) -> str:
    return "content__extra" if column.kind == "unseen" else column.field
