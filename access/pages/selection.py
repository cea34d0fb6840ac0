"""The rows that a person selected in a list: the ticked rows, or all rows that the list's filters find.

The selection is in the query of a URL, with the filters of its list, so that a dialog about it has a URL too.
"""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Model, QuerySet
from django.http import Http404
from django.urls import reverse

from access.pages.forms.filters import ListFilter
from access.pages.guards import PageRequest
from access.roles import Capability, may

MOST_TICKED = 500  # ids in a URL; a page of a list has fewer rows


@dataclass(frozen=True, slots=True)
class Selection[T: Model]:
    """Selected rows. `words` describes the selection, `query` is the selection in a URL, `back` is the list's URL."""

    targets: QuerySet[T]
    words: str
    query: str
    back: str


def marks(request: PageRequest, capability: Capability) -> dict[str, bool]:
    """The context of a list in which people with the capability can select rows."""
    selectable = may(request.user, capability)
    return {"selectable": selectable, "all_selected": selectable and request.GET.get("select") == "all"}


def selection_of[T: Model](
    request: PageRequest,
    filters: ListFilter,
    matches: Callable[[], QuerySet[T]],
    rows: QuerySet[T],
    list_name: str,
    *,
    key: str = "uuid",
) -> Selection[T]:
    """The selection in the request's URL: of `rows` those with the ticked ids, or all that `matches` returns.

    `key` is the field with the ids. Raises Http404 for an id of no row, and for ids that are none.
    """
    back, query = reverse(list_name), request.GET.urlencode()
    if request.GET.get("all"):
        return Selection(matches(), f"All that match ({filters.words or 'no filter'})", query, back)
    return Selection(ticked(request, rows, key=key), "Selected rows", query, back)


def ticked[T: Model](request: PageRequest, rows: QuerySet[T], *, key: str = "uuid") -> QuerySet[T]:
    """Those of `rows` with the ticked ids. Raises Http404 for an id of none of them, and for ids that are none."""
    ids = _ids(request)
    found = rows.filter(**{f"{key}__in": ids})
    if found.count() != len(ids):  # ids of another tenant count as deleted
        raise Http404
    return found


def _ids(request: PageRequest) -> set[UUID]:
    try:
        ids = {UUID(text) for text in request.GET.getlist("id")}
    except ValueError:
        raise Http404 from None
    if len(ids) > MOST_TICKED:
        raise Http404
    return ids
