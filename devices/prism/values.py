"""Convert the reports of devices and of other tenants to values of a category's columns."""

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

import orjson

from devices.models.prism.categories import CATEGORIES
from devices.models.prism.columns import Category, Column
from devices.text import has_null_character, is_storable

WIDEST = 2**63  # an integer column has smaller values
BETWEEN = "\x1f"  # separates the parts of a key
EMPTY = {"text": "", "boolean": False, "integer": 0, "number": 0.0, "json": {}}

type Reader = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Values:
    """A reported row: the fields of its content, the fields of the row itself, and its reported dates."""

    key: str
    digest: str
    content: dict[str, Any]
    own: dict[str, Any]
    created_at: datetime | None
    updated_at: datetime | None
    collected_at: datetime | None


def values_of(category: Category, reported: Mapping[str, Any], number: int = 0) -> Values:
    """The stored form of a reported row. A missing value, or one of a wrong type, becomes the column's empty value.

    `number` distinguishes rows with the same natural key: it is the number of such rows earlier in the report.
    """
    fields = _fields(category.name)
    content = _read(fields.content, reported)
    extra = {key: value for key in fields.unseen if (value := _storable(reported.get(key))) is not None}
    if extra:
        content["extra"] = extra
    key = _key(category, content) + (f"{BETWEEN}{number + 1}" if number else "")
    text = orjson.dumps([key, content], option=orjson.OPT_SORT_KEYS)
    return Values(
        key=key,
        digest=hashlib.sha256(text).hexdigest(),
        content=content,
        own=_read(fields.own, reported),
        created_at=_date(reported.get("created_at")),
        updated_at=_date(reported.get("last_changed_at")) or _date(reported.get("updated_at")),
        collected_at=_date(reported.get("last_collected_at")),
    )


type _Readers = tuple[tuple[str, Reader, Any], ...]  # key, reader and empty value of each column


@dataclass(frozen=True, slots=True)
class _Fields:
    content: _Readers
    own: _Readers
    unseen: tuple[str, ...]


@cache  # by the name: the hash of a category is that of all its columns
def _fields(name: str) -> _Fields:
    category = CATEGORIES[name]
    unseen = tuple(column.key for column in category.own if column.kind == "unseen" and column.place == "content")
    return _Fields(_readers(category.stored("content")), _readers(category.stored("row")), unseen)


def _readers(columns: Iterable[Column]) -> _Readers:
    return tuple((each.key, _READERS[each.kind], None if each.null else EMPTY.get(each.kind)) for each in columns)


def _key(category: Category, content: Mapping[str, Any]) -> str:
    parts = [str(content[name] or "") for name in category.natural_key]
    if category.any_of:
        return next((part for part in parts if part), "")
    return BETWEEN.join(parts)


def _read(readers: _Readers, reported: Mapping[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, read, empty in readers:
        value = reported.get(key)
        found = None if value is None else read(value)
        values[key] = empty if found is None else found
    return values


def _text(value: Any) -> str | None:
    if isinstance(value, str):
        if is_storable(value):
            return value
        return value.replace("\0", "").encode("utf-8", "replace").decode()  # without lone surrogates
    if isinstance(value, bool | int | float):
        return str(value)
    return None


def _boolean(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}.get(str(value).lower())


def _integer(value: Any) -> int | None:
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if -WIDEST <= number < WIDEST else None


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _date(value: Any) -> datetime | None:
    if value is None:
        return None
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return None


def _json(value: Any) -> Any:
    return _storable(value) if isinstance(value, dict | list) else None


def _storable(value: Any) -> Any:
    try:
        orjson.dumps(value)  # refuses lone surrogates, too deep nesting and numbers beyond 64 bits
        return None if has_null_character(value) else value
    except (TypeError, RecursionError):
        return None


_READERS: dict[str, Reader] = {
    "text": _text,
    "boolean": _boolean,
    "integer": _integer,
    "number": _number,
    "date": _date,
    "json": _json,
}
