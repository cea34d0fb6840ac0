"""Files of an import as a stream of rows, each with the line on which it begins.

The first characters of a file decide what it holds, never its name: `[` begins a JSON array, `{` JSON objects (one a
line, or written over several lines), anything else is CSV with a header, above which titles may stand.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from devices.imports.json_values import JsonValues, Line, json_lines
from devices.imports.reports import Report

START = 256 * 1024  # characters that are looked at before the file is read


class FileError(Exception):
    """A file of which nothing can be read; the message names it and says why."""


class ImportFile:
    """A file to import, of which `position` of `size` bytes have been read so far. Raises FileError.

    `unknown_columns` are the titles of columns in a report that are not imported.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.position = 0
        try:
            self.size = path.stat().st_size
            with self._opened() as file:
                self._start = file.read(START)
        except OSError as error:
            raise FileError(f"{path}: {error.strerror}") from None
        if "\0" in self._start[:4]:
            raise FileError(f"{path}: not UTF-8 text")
        if not self._start.strip():
            raise FileError(f"{path}: the file is empty")
        self._report = None if self._start.lstrip()[0] in "[{" else self._read_header()
        self.unknown_columns = self._report.unknown_columns if self._report else []

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

    def _read_header(self) -> Report:
        try:
            return Report(self._start)
        except ValueError:
            reason = "neither JSON nor a CSV with a column Serial Number or Device ID"
        raise FileError(f"{self.path}: {reason}")

    def _lines(self, file: TextIO) -> Iterator[Line]:
        if self._report:
            for _ in range(self._report.header_lines):
                file.readline()
            return self._report.rows(file)
        is_array = self._start.lstrip()[0] == "["
        if is_array or not _one_a_line(self._start):
            return JsonValues(file.read, array=is_array).values()
        return json_lines(file)


def _one_a_line(start: str) -> bool:
    lines = [line for line in start.split("\n") if line.strip()][:2]
    try:
        json.loads(lines[0])
    except (ValueError, RecursionError):
        # A first line that is broken, or longer than what was read: the second tells. Written over several lines, it
        # would begin with a key.
        return len(lines) > 1 and lines[1].startswith("{")
    return True
