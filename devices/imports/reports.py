"""Device reports: CSV with a header, as rows with the keys of the device record."""

import ast
import csv
import re
from collections.abc import Iterator
from io import StringIO
from itertools import islice
from typing import Any

from devices.fleet.facts import FACTS
from devices.imports.errors import UnreadableRow

HEADER_LINES = 20  # lines at the start of a file among which the header is looked for: titles may stand above it

# The headers of a report, without case, blanks and punctuation, and the key of the record that each stands for. A fact
# of several columns has one header for each of them.
_HEADERS_OF = {fact.key: fact.headers for fact in FACTS if len(fact.paths) == 1} | {
    "user_id": ("userid", "assigneduserid"),
    "user_name": ("user", "assigneduser", "assignedusername", "fullname"),
    "user_email": ("email", "emailaddress", "assigneduseremail"),
    "user_is_archived": (),
}
_HEADERS = {header: key for key, headers in _HEADERS_OF.items() for header in (key.replace("_", ""), *headers)}
_USER_PARTS = ("id", "name", "email", "is_archived")
# Reports that flatten a list have a column for each of its places: tags_1, tags_2.
_NUMBERED_TAGS = re.compile(r"tags?\d+")


class Report:
    """A report whose header is among the first lines of `start`. Raises ValueError if there is none.

    `unknown_columns` has the titles of columns that are not imported, `header_lines` the number of lines that the
    header and the lines above it take.
    """

    def __init__(self, start: str) -> None:
        lines = list(islice(StringIO(start, newline=""), HEADER_LINES))
        for above in range(len(lines)):
            self._delimiter = max(",;\t", key=lines[above].count)
            reader = csv.reader(lines[above:], delimiter=self._delimiter)
            try:
                titles = next(reader, [])
            except csv.Error:
                continue
            self._keys = [_key(title) for title in titles]
            # A report needs a column by which a device is found.
            if not {"device_id", "serial_number"}.isdisjoint(self._keys):
                break
        else:
            raise ValueError("no header")
        self.header_lines = above + reader.line_num
        self.unknown_columns = [
            " ".join(title.split()) for title, key in zip(titles, self._keys, strict=True) if not key and title.strip()
        ]

    def rows(self, lines: Iterator[str]) -> Iterator[tuple[int, object]]:
        """(line number, row) for each of the lines after the header."""
        reader = csv.reader(lines, delimiter=self._delimiter)
        while True:
            line = self.header_lines + reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield line, UnreadableRow(f"broken CSV: {error}")
                continue
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) > len(self._keys):
                yield line, UnreadableRow(f"{len(cells)} cells under {len(self._keys)} headers")
                continue
            yield line, _record(self._keys, cells)


def _key(title: str) -> str | None:
    """The key of the record that a column with this title stands for."""
    header = re.sub(r"[\W_]", "", title.casefold())
    return "tags" if _NUMBERED_TAGS.fullmatch(header) else _HEADERS.get(header)


def _record(keys: list[str | None], cells: list[str]) -> dict[str, Any]:
    """A line of a report as a device record. Empty cells are left out, except for an unassigned user."""
    filled = [(key, cell) for key, cell in zip(keys, cells, strict=False) if key and cell.strip()]
    record: dict[str, Any] = dict(filled)
    if any(key and key.startswith("user_") for key in keys):
        record["user"] = _user({part: record.pop(f"user_{part}", "") for part in _USER_PARTS})
    if "tags" in record:
        record["tags"] = [tag for key, cell in filled if key == "tags" for tag in _tags(cell)]
    return record


def _user(parts: dict[str, str]) -> dict[str, Any] | None:
    """The assigned user; one cell may hold the whole object as Python writes it."""
    whole = _literal(parts["name"])
    if isinstance(whole, dict):
        return whole
    return parts if parts["id"] or parts["name"] or parts["email"] else None


def _tags(cell: str) -> list[Any]:
    """The tags in a cell: a list as Python and JSON write it, or names with `,` or `;` between them."""
    tags = _literal(cell)
    return tags if isinstance(tags, list) else re.split(r"[,;]", cell)


def _literal(cell: str) -> Any:
    """The list or object that a cell holds as Python's csv module writes one; None for every other cell."""
    if not cell.lstrip().startswith(("[", "{")):
        return None
    try:
        return ast.literal_eval(cell.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
