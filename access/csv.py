"""Rows as CSV: UTF-8, a header row, quotes as in RFC 4180, and no text that a spreadsheet takes for a formula."""

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import orjson

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would compute a text that begins with one of these
END = "\r\n"


def csv_chunks(header: Iterable[str], pages: Iterable[Iterable[str]]) -> Iterator[bytes]:
    """The text in pieces, one for each page of lines. The first piece also has the header."""
    text = line(header)
    for page in pages:
        yield (text + "".join(page)).encode()
        text = ""
    if text:
        yield text.encode()


def line(cells: Iterable[Any]) -> str:
    return whole(cells_of(cells))


def whole(cells: str) -> str:
    """The line of these cells. A single empty cell is quoted, because readers skip an empty line."""
    return f"{cells or '""'}{END}"


def cells_of(values: Iterable[Any]) -> str:
    """Cells of a line, with commas between them."""
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerow(("", *map(cell, values)))
    return buffer.getvalue()[1 : -len(END)]  # without the first cell, which prevents quotes around a single empty one


def cell(value: Any) -> Any:
    """A value of a row as a cell. Only a text can be a formula, so a number stays a number."""
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
