"""Rows as CSV: UTF-8, a header row, quoted as RFC 4180 says, and harmless to a spreadsheet."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import orjson

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a text that begins with one of these would be computed


def csv_chunks(header: Sequence[str], pages: Iterable[Iterable[Sequence[Any]]]) -> Iterator[bytes]:
    """The text in pieces: the header with the first one, then a piece for each page."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(header)
    for page in pages:
        writer.writerows([cell(value) for value in row] for row in page)
        yield buffer.getvalue().encode()
        buffer.seek(0)
        buffer.truncate()
    if rest := buffer.getvalue():
        yield rest.encode()


def cell(value: Any) -> Any:
    """A value of a row as the text of a cell. Only texts can be formulas: a number stays one."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, dict | list):
        return orjson.dumps(value).decode()
    if isinstance(value, str) and value.startswith(FORMULA):
        return f"'{value}"
    return value
