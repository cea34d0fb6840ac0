"""Device reports: CSV with a header, as rows with the keys of the device record."""

import csv
import re
from collections.abc import Iterator
from typing import Any

from devices.fleet.facts import FACTS
from devices.imports.errors import UnreadableRow

# The headers of a report, without case, blanks and punctuation, and the key of the record that each stands for. A fact
# of several columns has one header for each of them.
_HEADERS_OF = {fact.key: fact.headers for fact in FACTS if len(fact.paths) == 1} | {
    "user_id": ("userid", "assigneduserid"),
    "user_name": ("user", "assigneduser", "assignedusername", "fullname"),
    "user_email": ("email", "emailaddress", "assigneduseremail"),
}
_HEADERS = {header: key for key, headers in _HEADERS_OF.items() for header in (key.replace("_", ""), *headers)}


class Report:
    """A report whose first line is `header`. `unknown_columns` has the titles of columns that are not imported."""

    def __init__(self, header: str) -> None:
        self._delimiter = max(",;\t", key=header.count)
        titles = next(csv.reader([header], delimiter=self._delimiter), [])
        self._keys = [_HEADERS.get(re.sub(r"[\W_]", "", title.casefold())) for title in titles]
        self.unknown_columns = [
            title.strip() for title, key in zip(titles, self._keys, strict=True) if key is None and title.strip()
        ]

    @property
    def names_devices(self) -> bool:
        """Whether the report has a column by which a device is found."""
        return not {"device_id", "serial_number"}.isdisjoint(self._keys)

    def rows(self, lines: Iterator[str]) -> Iterator[tuple[int, object]]:
        """(line number, row) for each of the lines after the header."""
        reader = csv.reader(lines, delimiter=self._delimiter)
        while True:
            line = reader.line_num + 2  # the header is line 1
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


def _record(keys: list[str | None], cells: list[str]) -> dict[str, Any]:
    """A line of a report as a device record. Empty cells are left out, except for an unassigned user."""
    record: dict[str, Any] = {key: cell for key, cell in zip(keys, cells, strict=False) if key and cell.strip()}
    if any(key and key.startswith("user_") for key in keys):
        user = {part: record.pop(f"user_{part}", "") for part in ("id", "name", "email")}
        record["user"] = user if any(user.values()) else None
    if "tags" in record:
        record["tags"] = re.split(r"[,;]", record["tags"])
    return record
