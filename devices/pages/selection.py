"""The rows that a person selected in a list: the ticked rows, or all rows that the list's filters find.

The selection is in the query of a URL, with the filters of its list, so that a dialog about it has a URL too.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django import forms
from django.db.models import Model, QuerySet
from django.http import Http404
from django.urls import reverse

from access.pages.guards import PageRequest
from access.roles import Capability, may
from devices.models import Device, LibraryItem
from devices.pages.forms.devices import DeviceFilter
from devices.pages.forms.library import LibraryFilter
from devices.pages.forms.users import UserFilter

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


def selected_devices(request: PageRequest) -> Selection[Device]:
    """The selected devices, or those of the selected users if the URL has `from=users`."""
    tenant = request.tenant
    if request.GET.get("from") != "users":
        device_filters = DeviceFilter(request.GET, tenant=tenant)
        return _selection(
            request, device_filters, device_filters.apply, tenant.devices.order_by("name", "pk"), "devices"
        )
    filters = UserFilter(request.GET, tenant=tenant)
    people = _selection(request, filters, filters.apply, tenant.users.order_by("name", "pk"), "users")
    devices = tenant.devices.filter(user__in=people.targets.order_by().values("pk")).order_by("name", "pk")
    return Selection(devices, f"Devices of users: {people.words}", people.query, people.back)


def selected_items(request: PageRequest) -> Selection[LibraryItem]:
    items, filters = request.tenant.library_items, LibraryFilter(request.GET, tenant=request.tenant)
    return _selection(request, filters, filters.apply, items.order_by("name", "pk"), "library")


def _selection[T: Model](
    request: PageRequest, filters: forms.Form, matches: Callable[[], QuerySet[T]], rows: QuerySet[T], list_name: str
) -> Selection[T]:
    back, query = reverse(list_name), request.GET.urlencode()
    if request.GET.get("all"):
        return Selection(matches(), f"All that match ({words_of(filters)})", query, back)
    ids = _ids(request)
    ticked = rows.filter(uuid__in=ids)
    if ticked.count() != len(ids):  # ids of another tenant count as deleted
        raise Http404
    return Selection(ticked, "Selected rows", query, back)


def _ids(request: PageRequest) -> set[UUID]:
    try:
        ids = {UUID(text) for text in request.GET.getlist("id")}
    except ValueError:
        raise Http404 from None
    if len(ids) > MOST_TICKED:
        raise Http404
    return ids


def words_of(filters: forms.Form) -> str:
    """The active filters in words."""
    words = []
    for name, value in filters.cleaned_data.items():
        if value and name != "sort":
            field: Any = filters.fields[name]
            label = "Search" if name == "q" else filters[name].label
            words.append(
                f"{label}: {dict(field.choices).get(value, value) if name != 'q' and _named(field) else value}"
            )
    return ", ".join(words) or "no filter"


def _named(field: forms.Field) -> bool:
    """Whether the field has a label for each value. For a ModelChoiceField the object is its own label."""
    return isinstance(field, forms.ChoiceField) and not isinstance(field, forms.ModelChoiceField)
