"""Sorting of a list by the headings of its columns, and by a field of its filters where a narrow page has none."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db.models import F, Func


@dataclass(frozen=True, slots=True)
class Heading:
    """The head of a column that sorts: `query` is that of the page sorted by it, `direction` a value of aria-sort."""

    label: str
    query: str
    direction: str = ""


@dataclass(frozen=True, slots=True)
class Sort:
    """A column that a list can be sorted by: its heading, and the words for both directions in a menu.

    `order` has the terms of `order_by`, ascending and descending. `descending_first`: the first click sorts descending.
    """

    heading: str
    ascending: str
    descending: str
    order: tuple[Any, Any]
    descending_first: bool = False


def by_column(heading: str, column: str | Func, *, descending_first: bool = False) -> Sort:
    """A sort by a column of text that has no NULL, or by an expression that has an index."""
    term = F(column) if isinstance(column, str) else column
    return Sort(heading, heading, f"{heading}, from Z", (term.asc(), term.desc()), descending_first)


def by_number(heading: str, column: str, lowest: str, highest: str) -> Sort:
    """A sort by a number or a moment without NULL, the highest first at the first click."""
    return Sort(heading, lowest, highest, (F(column).asc(), F(column).desc()), descending_first=True)


def by_last_time(heading: str, column: str, oldest: str, newest: str) -> Sort:
    """A sort by the moment of the last event. Rows without any count as the oldest, on every database."""
    order = (F(column).asc(nulls_first=True), F(column).desc(nulls_last=True))
    return Sort(heading, oldest, newest, order, descending_first=True)


def sort_choices(sorts: Mapping[str, Sort], default: str, label: str = "") -> list[tuple[str, str]]:
    """The choices of a `sort` field. The empty one is the order that the list has by itself.

    It is called `label`, or as the sort `default`, which is the same order.
    """
    choices = []
    for key, sort in sorts.items():
        choices += [(key, sort.ascending), (f"-{key}", sort.descending)]
    if label:
        return [("", label), *choices]
    return [("", dict(choices)[default]), *choices]


def order_of(sorts: Mapping[str, Sort], chosen: str) -> Any:
    sort = sorts[chosen.removeprefix("-")]
    return sort.order[chosen.startswith("-")]


def headings(sorts: Mapping[str, Sort], active: Mapping[str, str], default: str = "") -> dict[str, Heading]:
    """The headings by their keys. `active` are the parameters of the page's address, with the chosen `sort`.

    `default` is the sort that the order of the list by itself amounts to, if there is one.
    """
    now = active.get("sort", default)
    return {key: _heading(key, sort, now, active) for key, sort in sorts.items()}


def _heading(key: str, sort: Sort, now: str, active: Mapping[str, str]) -> Heading:
    direction = {key: "ascending", f"-{key}": "descending"}.get(now, "")
    ascending = now == f"-{key}" if direction else not sort.descending_first
    query = urlencode({**active, "sort": key if ascending else f"-{key}"})
    return Heading(sort.heading, query, direction)
