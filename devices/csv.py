"""Rows as CSV: UTF-8, a header row, quoted as RFC 4180 says, and harmless to a spreadsheet."""

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import orjson

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a text that begins with one of these would be computed
END = "\r\n"


def csv_chunks(header: Iterable[str], pages: Iterable[Iterable[str]]) -> Iterator[bytes]:
    """The text in pieces: the header with the first one, then a piece for each page of lines."""
    text = line(header)
    for page in pages:
        yield (text + "".join(page)).encode()
        text = ""
    if text:
        yield text.encode()


def line(cells: Iterable[Any]) -> str:
    return whole(cells_of(cells))


def whole(cells: str) -> str:
    """The line of these cells. One empty cell alone would be an empty line, which readers skip."""
    return f"{cells or '""'}{END}"


def cells_of(values: Iterable[Any]) -> str:
    """Some cells of a line, with commas between them."""
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerow(("", *map(cell, values)))
    return buffer.getvalue()[1 : -len(END)]  # without the first cell, which is there because one alone is quoted


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
