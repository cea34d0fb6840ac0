"""The public API's ways of cutting a list into pages. Links are absolute, on the host that was called."""

import base64
import binascii
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import urlencode

from django.core.exceptions import ValidationError
from django.db import connections
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.utils.encoding import iri_to_uri
from pydantic import BaseModel, BeforeValidator, Field

from access.keys_first import keys_first, whole_rows
from devices.api import errors
from devices.api.rendering import origin_of
from devices.inputs import PAGE_SIZE, Limit, Offset, Query, page_number

LONGEST_POSITION = 80  # characters: a moment and a UUID, or the widest integer, with their prefix
BETWEEN = "|"  # the columns of a position


class LimitOffset(Query):
    limit: Limit = PAGE_SIZE
    offset: Offset = 0


class Page[R](BaseModel):
    """One page of a list, and the addresses of its neighbours."""

    count: int
    next: str | None
    previous: str | None
    results: list[R]


class CursorPage[R](BaseModel):
    """One page of a list that is walked by following `next`; it has no count."""

    next: str | None
    previous: str | None
    results: list[R]


class NumberedPage[R](BaseModel):
    """One page of a list with numbered pages. It has no link to the next page."""

    page: int
    size: int
    total: int
    results: list[R]


def link(request: HttpRequest, **replaced: int | str | None) -> str:
    """The called address with these parameters replaced, or left out where None."""
    parameters = [(name, value) for name, values in request.GET.lists() if name not in replaced for value in values]
    query = urlencode([*parameters, *((name, value) for name, value in replaced.items() if value is not None)])
    return origin_of(request) + iri_to_uri(request.path) + (f"?{query}" if query else "")


def page_links(request: HttpRequest, query: LimitOffset, count: int) -> tuple[str | None, str | None]:
    """Links to the next and the previous page of `count` rows; the first page's link leaves `offset` out."""
    following = query.offset + query.limit
    preceding = query.offset - query.limit
    return (
        link(request, limit=query.limit, offset=following) if following < count else None,
        link(request, limit=query.limit, offset=preceding if preceding > 0 else None) if query.offset > 0 else None,
    )


# Of lists that are bare arrays, and of what a device reported as one.
LIST_HEADERS = {
    "X-Total-Count": "How many rows there are on all pages.",
    "X-Total-Pages": "How many pages there are.",
    "Link": 'The next and the previous page: <…>; rel="next", <…>; rel="prev". <None> where there is no such page.',
}


def list_headers(
    count: int, limit: int | None = None, links: tuple[str | None, str | None] = (None, None)
) -> dict[str, str]:
    """LIST_HEADERS of `count` rows in pages of `limit`, or on a single one."""
    # Python's None between the brackets is what the public API writes.
    return {
        "X-Total-Count": str(count),
        "X-Total-Pages": str(-(-count // (limit or count or 1))),
        "Link": f'<{links[0]}>; rel="next", <{links[1]}>; rel="prev"',
    }


def paginate[M: Model, R](
    request: HttpRequest, rows: QuerySet[M], query: LimitOffset, result: Callable[[M], R], *, wide: bool = False
) -> Page[R]:
    """One page of `rows`, which must be in a total order. `wide` rows of a long list are found by their keys first."""
    count = rows.order_by().count()
    next_link, previous_link = page_links(request, query, count)
    start, stop = query.offset, min(query.offset + query.limit, count)
    found: Iterable[M] = []
    if start < stop:
        found = keys_first(rows, start, stop) if wide else rows[start:stop]
    return Page(count=count, next=next_link, previous=previous_link, results=[result(row) for row in found])


class PageNumber(LimitOffset):
    """A page by its number, or by `limit` and `offset`. An invalid number means a page past the end."""

    page: Annotated[int | None, BeforeValidator(page_number), Field(ge=1)] = Field(
        default=None, description="The number of the page, of `limit` rows each; a page past the end answers 404."
    )

    @property
    def by_number(self) -> bool:
        return self.page is not None or not {"limit", "offset"} & self.model_fields_set


def numbered_page[M: Model, R](
    request: HttpRequest, rows: QuerySet[M], query: PageNumber, result: Callable[[M], R]
) -> Page[R]:
    """One page of `rows`, which must be in a total order, with links in the style of the request.

    Raises the 404 for a page that does not exist. The first page always exists.
    """
    if not query.by_number:
        return paginate(request, rows, query, result)
    number, count = query.page or 1, rows.order_by().count()
    last = max(-(-count // query.limit), 1)
    if number > last:
        raise errors.ApiError(404, {"detail": "Invalid page."})
    start = (number - 1) * query.limit
    return Page(
        count=count,
        next=link(request, page=number + 1) if number < last else None,
        previous=link(request, page=number - 1 if number > 2 else None) if number > 1 else None,
        results=[result(row) for row in rows[start : start + query.limit]] if count else [],
    )


def single_page[M: Model, R](rows: Iterable[M], result: Callable[[M], R]) -> Page[R]:
    """Every row on a single page."""
    results = [result(row) for row in rows]
    return Page(count=len(results), next=None, previous=None, results=results)


def cursor_page[M: Model, R](
    request: HttpRequest,
    rows: QuerySet[M],
    *,
    size: int,
    cursor: str | None,
    result: Callable[[M], R],
    order: Sequence[str] = ("id",),
    descending: bool = False,
) -> CursorPage[R]:
    """The `size` rows after, or before, the position that an opaque cursor names.

    `order` names the columns that sort the rows; no two rows have the same values in all of them. Raises the 400 for a
    cursor that this API did not make.
    """
    found, following, preceding = keyset(rows, size=size, cursor=cursor, order=order, descending=descending)
    return CursorPage(
        next=link(request, cursor=following) if following else None,
        previous=link(request, cursor=preceding) if preceding else None,
        results=[result(row) for row in found],
    )


def keyset[M: Model](
    rows: QuerySet[M],
    *,
    size: int,
    cursor: str | None,
    order: Sequence[str] = ("id",),
    descending: bool = False,
    parameter: str = "cursor",
    parts: Sequence[Q] = (),
) -> tuple[list[M], str | None, str | None]:
    """The rows of a page, as in `cursor_page`, and the cursors of the next and the previous page.

    `parts` are for rows that have no index in this order, where those that match each of the parts have one. Every row
    matches exactly one part, and `order` ends with the primary key.
    """
    fields = [rows.model._meta.get_field(name) for name in order]
    position, backwards = _read_cursor(fields, cursor, parameter) if cursor else (None, False)
    reverse = descending != backwards
    rows = rows.order_by(*(f"-{name}" if reverse else name for name in order))
    if position is not None:
        rows = _beyond(rows, dict(zip(order, position, strict=True)), "lt" if reverse else "gt")
    if parts:
        keys = _first_keys(rows, size + 1, order, parts, reverse=reverse)
        # A row that is deleted in between does not end the list.
        more, found = len(keys) > size, whole_rows(rows.order_by(), keys[:size])
    else:
        found = list(rows[: size + 1])
        more, found = len(found) > size, found[:size]
    if backwards:
        found.reverse()
    has_next = bool(found) and (more or backwards)
    has_previous = bool(found) and (more if backwards else position is not None)
    return (
        found,
        _cursor("p=", fields, found[-1]) if has_next else None,
        _cursor("r=1&p=", fields, found[0]) if has_previous else None,
    )


def _first_keys(
    rows: QuerySet[Any], count: int, order: Sequence[str], parts: Iterable[Q], *, reverse: bool
) -> list[Any]:
    """The primary keys of the first rows of all parts. One statement finds them, because a row may change its part."""
    selects = [rows.filter(part).values_list(*order)[:count].query for part in parts]
    compiled = [query.get_compiler(using=rows.db, elide_empty=False).as_sql() for query in selects]
    # Django makes no UNION of SELECTs with a LIMIT on SQLite, which takes them in parentheses.
    union = " UNION ALL ".join(f"SELECT * FROM ({select}) part" for select, _ in compiled)  # noqa: S608 - Django's SQL
    with connections[rows.db].cursor() as cursor:
        cursor.execute(union, [value for _, values in compiled for value in values])
        found = cursor.fetchall()
    return [key[-1] for key in sorted(found, reverse=reverse)[:count]]


def _beyond[M: Model](rows: QuerySet[M], position: dict[str, Any], lookup: str) -> QuerySet[M]:
    """The rows on the far side of `position`, compared column by column."""
    *leading, last = position
    beyond = Q(**{f"{last}__{lookup}": position[last]})
    for name in reversed(leading):
        beyond = Q(**{f"{name}__{lookup}": position[name]}) | Q(**{name: position[name]}) & beyond
    # The plain bound of the first column says nothing more; a database finds the place in an index by it.
    first = next(iter(position))
    return rows.filter(beyond, **{f"{first}__{lookup}e": position[first]})


def _cursor(prefix: str, fields: Iterable[Any], row: Model) -> str:
    return base64.b64encode(f"{prefix}{BETWEEN.join(field.value_to_string(row) for field in fields)}".encode()).decode()


def _read_cursor(fields: Iterable[Any], cursor: str, parameter: str) -> tuple[list[Any], bool]:
    try:
        text = base64.b64decode(cursor, validate=True).decode("ascii")
        backwards = text.startswith("r=1&")
        position = text.removeprefix("r=1&")
        if not position.startswith("p=") or len(position) > LONGEST_POSITION:
            raise ValueError(position)
        parts = position.removeprefix("p=").split(BETWEEN)
        return [_value(field, part) for field, part in zip(fields, parts, strict=True)], backwards
    except (binascii.Error, UnicodeDecodeError, ValueError, OverflowError, ValidationError):
        raise errors.invalid(parameter, "Invalid cursor.") from None


def _value(field: Any, text: str) -> Any:
    value = field.to_python(text)
    field.run_validators(value)
    return value.astimezone(UTC) if isinstance(value, datetime) else value
