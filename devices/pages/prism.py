"""Prism: the reports of all devices, with a page for each category, filters, counts as bars and exports as CSV."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from access.pages.bars import Bar, DrawnBar, drawn
from access.pages.dialogs import Dialog, saved, show
from access.pages.guards import PageRequest, requires
from access.pages.responses import form_data
from access.pages.sorting import Heading
from access.roles import Capability
from devices.models.prism.categories import CATEGORIES
from devices.models.prism.columns import Category, Column
from devices.pages.forms.prism import AddForm, PrismFilter
from devices.pages.listing import PER_PAGE, page_number
from devices.prism.columns import columns_of, sort_column
from devices.prism.counts import value_counts
from devices.prism.exports import link_of, request_export
from devices.prism.search import FAMILIES, TooManyToSort, as_row

BARS = 6
NEWEST_EXPORTS = 50
LOOKS = {"date": "moment", "boolean": "short", "integer": "short"}


@dataclass(frozen=True, slots=True)
class Cell:
    """A value in words; `moment` is set for a date. `only` is the URL of the rows with this value."""

    label: str
    text: str
    moment: datetime | None = None
    only: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    label: str
    bars: list[DrawnBar]


@dataclass(frozen=True, slots=True)
class RowsPage:
    """One page of rows, with the attributes of Django's Page that `components/pager.html` reads."""

    object_list: list[dict[str, Any]]
    number: int
    count: int

    @property
    def paginator(self) -> "RowsPage":
        return self

    @property
    def num_pages(self) -> int:
        return max(-(-self.count // PER_PAGE), 1)

    @property
    def has_next(self) -> bool:
        return self.number < self.num_pages

    @property
    def has_previous(self) -> bool:
        return self.number > 1

    @property
    def next_page_number(self) -> int:
        return self.number + 1

    @property
    def previous_page_number(self) -> int:
        return self.number - 1

    @property
    def start_index(self) -> int:
        return (self.number - 1) * PER_PAGE + 1

    @property
    def end_index(self) -> int:
        return (self.number - 1) * PER_PAGE + len(self.object_list)


@requires(Capability.VIEW)
@require_GET
def index(request: PageRequest) -> HttpResponse:
    counts = dict(request.tenant.prism_totals.values_list("category", "row_count"))
    rows = [{"category": category, "count": counts.get(name, 0)} for name, category in CATEGORIES.items()]
    return render(request, "devices/prism/index.html", {"rows": rows})


@requires(Capability.VIEW)
@require_GET
def category_page(request: PageRequest, category: str) -> HttpResponse:
    declared = _category(category)
    filters = PrismFilter.of(request.GET, tenant=request.tenant, category=declared)
    adding = "column" in request.GET
    form = AddForm(request.GET if adding else None, category=declared)
    if adding and filters.add(form):
        return redirect(f"{request.path}?{filters.query}")
    page, error = _rows(filters, request.GET.get("page"))
    context = {
        "category": declared,
        "filters": filters,
        "form": form,
        "error": filters.error or error,
        "charts": _charts(request, filters),
        "charts_of_all": filters.narrowing and not filters.search().conditions.only_contents,
        "headings": [_heading(filters, column) for column in _shown(declared)],
        "page": page,
        "query": filters.query,
        "families": [name for name, family in FAMILIES.items() if family in declared.families],
        "blueprints": request.tenant.blueprints.order_by("name", "pk"),
    }
    return render(request, "devices/prism/category.html", context, status=422 if form.errors else 200)


@requires(Capability.VIEW)
@require_http_methods(["GET", "POST"])
def export(request: PageRequest, category: str) -> HttpResponse:
    declared = _category(category)
    filters = PrismFilter.of(request.GET, tenant=request.tenant, category=declared)
    form = forms.Form(form_data(request))
    back = f"{reverse('prism-category', args=[category])}?{filters.query}"
    if form.is_valid():
        request_export(
            tenant=request.tenant,
            category=category,
            actor=request.actor,
            filter=filters.tests,
            blueprint_ids=[filters.blueprint.uuid] if filters.blueprint else (),
            device_families=[filters.family] if filters.family else (),
        )
        return saved(request, reverse("prism-exports"), "exports-changed", "The file is being made.")
    rows = filters.search().total
    dialog = Dialog(
        f"Export {declared.label}",
        "Export",
        back,
        about="A CSV file with all columns is made in the background. It can be downloaded for seven days.",
        facts={"Rows": f"{rows:,}", "Filter": filters.words or "None"},
    )
    return show(request, dialog, form)


@requires(Capability.VIEW)
@require_GET
def exports(request: PageRequest) -> HttpResponse:
    newest = list(
        request.tenant.exports.select_related("tenant", "file").order_by("-created_at", "-pk")[:NEWEST_EXPORTS]
    )
    rows = [
        {"export": each, "label": _label(each.category), "link": link_of(each, origin=request.tenant.api_origin)}
        for each in newest
    ]
    waiting = any(each.status == each.Status.PENDING for each in newest)
    template = "devices/prism/exports.html#rows" if request.htmx else "devices/prism/exports.html"
    return render(request, template, {"rows": rows, "waiting": waiting})


def _category(name: str) -> Category:
    if name not in CATEGORIES:
        raise Http404
    return CATEGORIES[name]


def _label(category: str) -> str:
    return CATEGORIES[category].label if category in CATEGORIES else category


def _shown(category: Category) -> list[Column]:
    known = columns_of(category.name)
    return [known[name] for name in ("device__name", *category.shown, "last_collected_at")]


def _rows(filters: PrismFilter, number: object) -> tuple[RowsPage, str]:
    """The page, and the reason if it is not in the requested order."""
    search, error = filters.search(), ""
    page = min(page_number(number), max(-(-search.total // PER_PAGE), 1))
    offset = (page - 1) * PER_PAGE
    try:
        if filters.sort:
            column = sort_column(filters.category.name, filters.sort)
            pks = search.sorted_at(column, offset, PER_PAGE, descending=filters.sort.startswith("-"))
        else:
            pks = search.at(offset, PER_PAGE)
    except TooManyToSort as refusal:
        pks, error = search.at(offset, PER_PAGE), " ".join(refusal.messages)
    columns = _shown(filters.category)
    rows = [as_row(filters.category, fields) for fields in search.fields(pks)]
    cells = [{"device": row["device_id"], "cells": [_cell(filters, column, row) for column in columns]} for row in rows]
    return RowsPage(cells, page, search.total), error


def _cell(filters: PrismFilter, column: Column, row: dict[str, Any]) -> Cell:
    value = row[column.key]
    if column.kind == "date":
        return Cell(column.label, "", datetime.fromisoformat(value) if value else None)
    return Cell(column.label, _text(value), only="" if column.key == "device__name" else filters.only(column, value))


def _text(value: Any) -> str:
    if value is None:
        return ""
    return {True: "Yes", False: "No"}[value] if isinstance(value, bool) else str(value)


def _heading(filters: PrismFilter, column: Column) -> tuple[Heading, str]:
    """The heading of a column, and the CSS class for its width."""
    directions = {column.key: "ascending", f"-{column.key}": "descending"}
    heading = Heading(column.label, filters.sorted_by(column), directions.get(filters.sort, ""))
    return heading, LOOKS.get(column.kind, "")


def _charts(request: PageRequest, filters: PrismFilter) -> list[Chart]:
    """The charts of the filtered rows if the filter tests only contents; otherwise those of the whole category."""
    known = columns_of(filters.category.name)
    conditions = filters.search().conditions
    charts = []
    for column in (known[name] for name in filters.category.charts):
        counts = value_counts(request.tenant, filters.category, column, BARS, conditions)
        bars = [
            Bar(
                label=_text(value) or "None",
                count=count,
                href=f"?{only}" if (only := filters.only(column, value)) else "",
            )
            for value, count in counts
        ]
        if bars:
            charts.append(Chart(column.label, drawn(bars)))
    return charts
