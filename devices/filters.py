"""The `filter` of the API's lists: JSON with conditions on columns, translated to conditions of a query.

    {"name": {"like": ["Safari"]}, "updated_at": {"gte": "2026-09-03T04:00:00Z"}}

All columns and all operators must match; inside `or`, one operator must match. `in` and `not_in` compare exactly.
`like` and `not_like` search for any, or none, of their texts, and ignore case. Each list declares its columns: the
filter's names are looked up there, so no text of the caller becomes part of a statement.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import reduce
from math import isfinite
from operator import or_
from typing import Any
from uuid import UUID

import orjson
from django.core.exceptions import ValidationError
from django.db.models import Q

from devices.text import has_null_character

MOST_VALUES = 500  # in one filter; SQLite limits the depth of an expression to 1000
LONGEST_VALUE = 1000  # characters
LONGEST_QUOTE = 60  # characters of the caller's text in an answer
COMPARISONS = ("lt", "lte", "gt", "gte")
LISTS = ("in", "not_in")
PATTERNS = ("like", "not_like")


# What a filter is, for the descriptions of parameters.
FILTER_FORM = (
    'JSON with conditions on columns, all of which must match: {"column": {"operator": value}}. Texts take in, not_in, '
    "like, not_like and is_null; dates and numbers lt, lte, gt, gte, or, in, not_in and is_null; ids in, not_in and "
    "is_null; booleans eq and is_null. The in and not_in compare exactly; like and not_like search and ignore case."
)


class FilterError(ValidationError):
    """A filter cannot be applied. The message names the column or the operator."""


class Kind(StrEnum):
    """The type of a column's values, which determines its operators."""

    TEXT = "text"
    BOOLEAN = "true or false"
    DATE = "a date"
    NUMBER = "a number"
    UUID = "an id"


OPERATORS: dict[Kind, tuple[str, ...]] = {
    Kind.TEXT: (*LISTS, *PATTERNS, "is_null"),
    Kind.BOOLEAN: ("eq", "is_null"),
    Kind.DATE: (*COMPARISONS, "or", *LISTS, "is_null"),
    Kind.NUMBER: (*COMPARISONS, "or", *LISTS, "is_null"),
    Kind.UUID: (*LISTS, "is_null"),
}
_LOOKUPS = {"eq": "exact", "in": "in", "like": "icontains", "is_null": "isnull"} | {name: name for name in COMPARISONS}


@dataclass(frozen=True, slots=True)
class Column:
    """The column for a name in a filter. `path` is the ORM path of its field from the filtered rows."""

    kind: Kind
    path: str

    def where(self, lookup: str, value: object) -> Q:
        """The rows whose value passes one lookup of the ORM. A column of another table overrides this."""
        return Q(**{f"{self.path}__{lookup}": value})


@dataclass(frozen=True, slots=True)
class Comparison:
    """One operator of one column, with its value in Python's type. The value of `or` is a tuple of comparisons."""

    column: str
    operator: str
    value: Any


def read_filter(text: str | bytes, columns: Mapping[str, Column]) -> list[Comparison]:
    """The comparisons in the text of a query parameter. Raises FilterError."""
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise FilterError(f"filter is not JSON: {error}.") from None
    return comparisons_of(document, columns)


def comparisons_of(document: object, columns: Mapping[str, Column]) -> list[Comparison]:
    """The comparisons in a decoded filter. Raises FilterError."""
    if not isinstance(document, dict):
        raise FilterError("filter is not a JSON object.")
    comparisons = [test for name, operators in document.items() for test in _of_column(name, operators, columns)]
    if sum(len(test.value) if isinstance(test.value, list | tuple) else 1 for test in comparisons) > MOST_VALUES:
        raise FilterError(f"filter has more than {MOST_VALUES} values.")
    return comparisons


def condition(comparisons: Iterable[Comparison], columns: Mapping[str, Column]) -> Q:
    """The condition that all comparisons are true for a row."""
    found = Q()
    for test in comparisons:
        found &= _condition(test, columns[test.column])
    return found


def _condition(test: Comparison, column: Column) -> Q:
    match test.operator:
        case "or":
            return reduce(or_, (_condition(part, column) for part in test.value))
        case "like":
            return _any(column.where("icontains", text) for text in test.value)
        case "not_like" | "not_in":
            return ~_condition(Comparison(test.column, test.operator.removeprefix("not_"), test.value), column)
    return column.where(_LOOKUPS[test.operator], test.value)


def _any(conditions: Iterable[Q]) -> Q:
    return reduce(or_, conditions, Q(pk__in=()))  # without conditions, no row


def _of_column(name: str, operators: object, columns: Mapping[str, Column]) -> Iterator[Comparison]:
    column = columns.get(name)
    if column is None:
        raise FilterError(f"filter has the unknown column {_quoted(name)}.")
    if not isinstance(operators, dict):
        raise FilterError(f"filter: the test of the column {_quoted(name)} is not an object of operators.")
    if operators.keys() >= set(LISTS):
        raise FilterError(f"filter: the column {_quoted(name)} has both in and not_in.")
    for operator, value in operators.items():
        yield _test(name, column.kind, operator, value, OPERATORS[column.kind])


def _test(name: str, kind: Kind, operator: str, value: object, allowed: Iterable[str]) -> Comparison:
    if operator not in allowed:
        raise FilterError(
            f"filter: the column {_quoted(name)} does not take the operator {_quoted(operator)}. "
            f"It takes {', '.join(allowed)}."
        )
    try:
        return Comparison(name, operator, _value(name, kind, operator, value))
    except (TypeError, ValueError, OverflowError):
        expected = _EXPECTED.get(operator, str(kind))
        raise FilterError(
            f"filter: the operator {_quoted(operator)} of the column {_quoted(name)} takes {expected}."
        ) from None


_EXPECTED = dict.fromkeys((*LISTS, *PATTERNS), "a list of values") | {
    "eq": "true or false",
    "is_null": "true or false",
    "or": "an object of comparisons",
}


def _value(name: str, kind: Kind, operator: str, value: object) -> object:
    """The value in Python's type. Raises TypeError, ValueError or OverflowError."""
    if operator in {"eq", "is_null"}:
        return _boolean(value)
    if operator == "or":
        if not isinstance(value, dict) or not value:
            raise ValueError(value)
        return tuple(_test(name, kind, part, each, COMPARISONS) for part, each in value.items())
    read = _READERS[Kind.TEXT if operator in PATTERNS else kind]
    if operator in COMPARISONS:
        return read(value)
    if not isinstance(value, list):
        raise TypeError(value)
    return [each for each in map(read, value) if each is not None]


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(value)
    return value


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > LONGEST_VALUE or has_null_character(value):
        raise ValueError(value)
    return value


def _date(value: object) -> datetime:
    moment = datetime.fromisoformat(_text(value))
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def _number(value: object) -> float:
    number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else float("nan")
    if not isfinite(number):
        raise ValueError(value)
    return number


def _uuid(value: object) -> UUID | None:
    """The UUID; None for a text that is not one, which no row has."""
    text = _text(value)
    try:
        return UUID(text)
    except ValueError:
        return None


_READERS: dict[Kind, Callable[[object], object]] = {
    Kind.TEXT: _text,
    Kind.BOOLEAN: _boolean,
    Kind.DATE: _date,
    Kind.NUMBER: _number,
    Kind.UUID: _uuid,
}


def _quoted(text: str) -> str:
    return f'"{text if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]}…"}"'
