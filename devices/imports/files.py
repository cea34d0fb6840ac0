"""Files of an import as a stream of rows, each with the line on which it begins.

What a file holds is told by its first characters, never by its name: `[` begins a JSON array, `{` JSON objects (one a
line, or written over several lines), anything else is CSV with a header.
"""

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO

from devices.fleet.facts import FACTS
from devices.imports.errors import UnreadableRow

CHUNK = 256 * 1024  # characters
LARGEST = 32 * 1024 * 1024  # characters of one JSON value; nothing a device says about itself comes near


class FileError(Exception):
    """A file of which nothing can be read; the message names it and says why."""


type Line = tuple[int, object]


class ImportFile:
    """A file to import, of which `position` of `size` bytes have been read so far. Raises FileError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.position = 0
        try:
            self.size = path.stat().st_size
            with self._opened() as file:
                self._start = file.read(CHUNK)
        except OSError as error:
            raise FileError(f"{path}: {error.strerror}") from None
        if "\0" in self._start[:4]:
            raise FileError(f"{path}: not UTF-8 text")
        if not self._start.strip():
            raise FileError(f"{path}: the file is empty")

    def rows(self) -> Iterator[tuple[str, object]]:
        """("FILE:LINE", row) for each row; a row is what stands there, or `UnreadableRow`. Raises FileError."""
        try:
            with self._opened() as file:
                for line, row in self._lines(file):
                    self.position = file.buffer.tell()
                    yield f"{self.path}:{line}", row
        except OSError as error:
            raise FileError(f"{self.path}: {error.strerror}") from None

    def _opened(self) -> TextIO:
        # Bytes that are no UTF-8 become lone surrogates, so that only the row they are in is lost.
        return self.path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")

    def _lines(self, file: TextIO) -> Iterator[Line]:
        match self._start.lstrip()[0]:
            case "[":
                return _JsonValues(file.read, array=True).values()
            case "{" if not _one_a_line(self._start):
                return _JsonValues(file.read, array=False).values()
            case "{":
                return _json_lines(file)
        return _csv_rows(self.path, file)


def _one_a_line(start: str) -> bool:
    lines = [line for line in start.split("\n") if line.strip()][:2]
    try:
        json.loads(lines[0])
    except (ValueError, RecursionError):
        # A first line that is broken, or longer than what was read: the second tells. Written over several lines, it
        # would begin with a key.
        return len(lines) > 1 and lines[1].startswith("{")
    return True


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_decoder = json.JSONDecoder(parse_constant=_constant)


def _json_lines(lines: Iterable[str]) -> Iterator[Line]:
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield number, _decoded(line)


def _decoded(text: str) -> object:
    try:
        return _decoder.decode(text)
    except json.JSONDecodeError as error:
        return UnreadableRow(f"broken JSON: {error.msg} (column {error.colno})")
    except ValueError as error:
        return UnreadableRow(f"broken JSON: {error}")
    except RecursionError:
        return UnreadableRow("broken JSON: nested too deeply")


class _JsonValues:
    """JSON values of an array, or one after the other, out of a buffer that holds little more than one at a time."""

    def __init__(self, read: Callable[[int], str], *, array: bool) -> None:
        self.buffer = ""
        self.at = 0
        self.line = 1
        self.array = array
        self._read = read
        self._ended = False

    def values(self) -> Iterator[Line]:
        if self.array:
            self._skip(r"\s*\[")
        while True:
            self._skip(r"[\s,]*" if self.array else r"\s*")
            if self.at >= len(self.buffer) or (self.array and self.buffer[self.at] == "]"):
                if self.array and self.at >= len(self.buffer):
                    yield self.line, UnreadableRow("the file ends inside the array")
                return
            line, value = self.line, self._value()
            yield line, value
            if isinstance(value, UnreadableRow) and not self._next_like():
                yield self.line, UnreadableRow("the rest of the file cannot be read")
                return

    def _value(self) -> object:
        while True:
            try:
                value, end = _decoder.raw_decode(self.buffer, self.at)
            except json.JSONDecodeError as error:
                if self._may_go_on(error) and self._more():
                    continue
                return UnreadableRow(f"broken JSON: {error.msg} (line {self.line + self._newlines(error.pos)})")
            except ValueError as error:
                return UnreadableRow(f"broken JSON: {error}")
            except RecursionError:
                return UnreadableRow("broken JSON: nested too deeply")
            if end == len(self.buffer) and self._more():
                continue  # a number may go on in the next chunk
            self._advance(end)
            return value

    def _may_go_on(self, error: json.JSONDecodeError) -> bool:
        """Whether the error may be only that the value continues beyond the buffer."""
        cut = error.msg.startswith("Unterminated string") or error.pos >= len(self.buffer) - 16
        return cut and len(self.buffer) - self.at < LARGEST

    def _next_like(self) -> bool:
        """Go to the next line that begins an object in the same column as the broken one. False where none does."""
        indentation = self.buffer[self.buffer.rfind("\n", 0, self.at) + 1 : self.at]
        if indentation.strip():
            return False
        pattern = re.compile(r"\n" + re.escape(indentation) + r"(?=\{)")
        while (found := pattern.search(self.buffer, self.at)) is None:
            # Keep a tail in which the looked-for may have begun.
            self._advance(max(self.at, len(self.buffer) - len(indentation) - 2))
            if not self._more():
                return False
        self._advance(found.end())
        return True

    def _skip(self, pattern: str) -> None:
        compiled = re.compile(pattern)
        while True:
            if found := compiled.match(self.buffer, self.at):
                self._advance(found.end())
            if self.at < len(self.buffer) or not self._more():
                return

    def _advance(self, to: int) -> None:
        self.line += self._newlines(to)
        self.at = to

    def _newlines(self, to: int) -> int:
        return self.buffer.count("\n", self.at, to)

    def _more(self) -> bool:
        """Read on. What was passed is let go, except its last line, which `_next_like` looks at."""
        if self._ended:
            return False
        keep = self.buffer.rfind("\n", 0, self.at) + 1
        if self.at - keep > CHUNK:
            keep = self.at
        # Twice as much as is waiting: a long value is then decoded a few times, not once per chunk.
        chunk = self._read(max(CHUNK, len(self.buffer) - self.at))
        self.buffer = self.buffer[keep:] + chunk
        self.at -= keep
        self._ended = not chunk
        return bool(chunk)


# The headers of a report, without case, blanks and punctuation, and the key of the record that each stands for. A fact
# of several columns has one header for each of them.
_HEADERS_OF = {fact.key: fact.headers for fact in FACTS if len(fact.paths) == 1} | {
    "user_id": ("userid", "assigneduserid"),
    "user_name": ("user", "assigneduser", "assignedusername", "fullname"),
    "user_email": ("email", "emailaddress", "assigneduseremail"),
}
_HEADERS = {header: key for key, headers in _HEADERS_OF.items() for header in (key.replace("_", ""), *headers)}


def _csv_rows(path: Path, lines: Iterator[str]) -> Iterator[Line]:
    header = next(lines, "")
    delimiter = max(",;\t", key=header.count)
    keys = [
        _HEADERS.get(re.sub(r"[\W_]", "", title.casefold()))
        for title in next(csv.reader([header], delimiter=delimiter), [])
    ]
    if not {"device_id", "serial_number"} & set(keys):
        raise FileError(f"{path}: neither JSON nor a CSV with a column Serial Number or Device ID")
    reader = csv.reader(lines, delimiter=delimiter)
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
        if len(cells) > len(keys):
            yield line, UnreadableRow(f"{len(cells)} cells under {len(keys)} headers")
            continue
        yield line, _record(keys, cells)


def _record(keys: list[str | None], cells: list[str]) -> dict[str, Any]:
    """A line of a report as a device record. An empty cell says nothing, except that nobody is assigned."""
    record: dict[str, Any] = {key: cell for key, cell in zip(keys, cells, strict=False) if key and cell.strip()}
    if any(key and key.startswith("user_") for key in keys):
        user = {part: record.pop(f"user_{part}", "") for part in ("id", "name", "email")}
        record["user"] = user if any(user.values()) else None
    if "tags" in record:
        record["tags"] = re.split(r"[,;]", record["tags"])
    return record
