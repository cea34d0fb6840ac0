"""Prism, the reports of all devices: a list for each category, declared in a loop, and a count."""

from uuid import UUID

from django.core.exceptions import ValidationError
from django.http import HttpResponse

from devices.api.identity import ApiRequest
from devices.api.rendering import json_response
from devices.api.routing import Router
from devices.api.schemas.prism import CategoryCount, CountQuery, ExportIn, ExportOut, PrismPage, PrismQuery, row_model
from devices.api.sections import PRISM
from devices.filters import read_filter
from devices.models.prism.categories import CATEGORIES
from devices.models.prism.columns import Category
from devices.prism.categories import category_named, count_of
from devices.prism.columns import filter_columns, sort_column
from devices.prism.cursors import Cursor, read_cursor
from devices.prism.exports import request_export
from devices.prism.search import Position, Row, Search, as_row, find

router = Router(PRISM)


def _declare(category: Category) -> None:
    @router.operation(
        "GET",
        f"/prism/{category.name}",
        id=f"prism_{category.name}",
        label=category.label,
        about=f"Get {category.about}",
        response=PrismPage[row_model(category)],  # type: ignore[misc]
    )
    def read(request: ApiRequest, query: PrismQuery) -> HttpResponse:
        comparisons = read_filter(query.filter, filter_columns(category.name)) if query.filter else ()
        search = find(
            tenant=request.tenant,
            category=category,
            comparisons=comparisons,
            blueprint_ids=query.blueprint_ids,
            families=query.device_families,
        )
        walks = "cursor" in request.GET
        answer = _walked(search, query) if walks else _page(search, query)
        return json_response(answer)


for _category in CATEGORIES.values():
    _declare(_category)


@router.operation(
    "GET",
    "/prism/count",
    id="prism_count",
    label="Count",
    about="Get the number of rows of a category",
    response=CategoryCount,
)
def prism_count(request: ApiRequest, query: CountQuery) -> CategoryCount:
    return CategoryCount(count=count_of(request.tenant, category_named(query.category)), approximate=False)


@router.operation(
    "POST",
    "/prism/export",
    id="prism_request_export",
    label="Request category export",
    about="Have a category written as a CSV file",
    response=ExportOut,
    creates=True,
)
def prism_request_export(request: ApiRequest, body: ExportIn) -> ExportOut:
    export = request_export(tenant=request.tenant, actor=request.actor, **body.model_dump())
    return ExportOut.of(export, origin=_origin(request))


@router.operation(
    "GET",
    "/prism/export/{export_id}",
    id="prism_get_export",
    label="Get category export",
    about="Get the state of an export, and the address of its file",
    response=ExportOut,
)
def prism_get_export(request: ApiRequest, export_id: UUID) -> ExportOut:
    export = request.tenant.exports.select_related("tenant", "file").get(uuid=export_id)
    return ExportOut.of(export, origin=_origin(request))


def _origin(request: ApiRequest) -> str:
    return request.build_absolute_uri("/").rstrip("/")


def _walked(search: Search, query: PrismQuery) -> Row:
    if query.offset:
        raise ValidationError("cursor and offset cannot be used together.")
    cursor = read_cursor(query.cursor) if query.cursor else None
    total = cursor.total if cursor else search.total
    pks = search.after(cursor.position if cursor else None, query.limit + 1)
    return _answer(search, query, pks, total=total, offset=None, walks=True)


def _page(search: Search, query: PrismQuery) -> Row:
    total, limit = search.total, query.limit + 1
    if query.sort_by:
        column = sort_column(search.category.name, query.sort_by)
        pks = search.sorted_at(column, query.offset, limit, descending=query.sort_by.startswith("-"))
    else:
        pks = search.at(query.offset, limit)
    return _answer(search, query, pks, total=total, offset=query.offset, walks=not query.sort_by)


def _answer(search: Search, query: PrismQuery, pks: list[int], *, total: int, offset: int | None, walks: bool) -> Row:
    """`pks` has one key more than the page if more rows follow."""
    rows = search.fields(pks[: query.limit])
    more = walks and len(pks) > query.limit and rows
    return {
        "offset": offset,
        "limit": query.limit,
        "total": total,
        "data": [as_row(search.category, row) for row in rows],
        "cursor": str(Cursor(Position(rows[-1][1], rows[-1][0]), total)) if more else None,
    }
