from datetime import datetime
from functools import cache
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field, create_model, field_validator

from devices.dates import with_offset
from devices.filters import FILTER_FORM
from devices.inputs import PAGE_SIZE, ROWS, Body, Listed, Offset, Query, page_size
from devices.models import PrismExport
from devices.models.prism.columns import Category, Column
from devices.prism.exports import link_of, path_of

DEFAULT_SIZE = 25
LONGEST_FILTER = 20_000  # characters

type Family = Literal["Mac", "iPhone", "iPad", "tvOS"]

_TYPES: dict[str, Any] = {
    "text": str,
    "boolean": bool,
    "integer": int,
    "number": float,
    "date": datetime,
    "uuid": UUID,
    "json": Any,
    "unseen": Any,
}


class PrismQuery(Query):
    """An empty `cursor` starts at the first page. `filter` is JSON: {"column": {"operator": value}}."""

    blueprint_ids: Listed[UUID] = Field(
        default=[], description="Rows of devices in one of these Blueprints, by their exact ids; left out, of all."
    )
    device_families: Listed[Family] = Field(
        default=[], description="Rows of devices of one of these families; left out, of all."
    )
    filter: str | None = Field(
        default=None,
        description=f"{FILTER_FORM} The columns are those of the rows. At most {LONGEST_FILTER:,} characters.",
    )
    sort_by: str | None = Field(
        default=None,
        description="A column of the rows to sort by, descending with a `-` before its name; ignored with `cursor`.",
    )
    limit: Annotated[int, page_size(PAGE_SIZE), Field(ge=1, le=PAGE_SIZE)] = Field(
        default=DEFAULT_SIZE, description=ROWS
    )
    offset: Offset = 0
    cursor: str | None = Field(
        default=None,
        description=(
            "The `cursor` of the page before, or an empty text for the first page; not together with `offset`."
        ),
    )

    @field_validator("*", mode="after")
    @classmethod
    def _not_too_long(cls, value: Any) -> Any:
        # A filter may have hundreds of values.
        if isinstance(value, str) and len(value) > LONGEST_FILTER:
            raise ValueError(f"Ensure this field has no more than {LONGEST_FILTER} characters.")
        return value


class CountQuery(Query):
    category: Annotated[
        Annotated[str, Field(examples=["apps"])], Field(description="The exact name of a category, as in its path.")
    ]


class ExportIn(Body):
    """A field that is left out or empty means all: every Blueprint, family, row or column."""

    category: Annotated[
        Annotated[str, Field(examples=["apps"])], Field(description="The exact name of a category, as in its path.")
    ]
    blueprint_ids: list[UUID] = Field(
        default=[], description="The ids of the Blueprints whose devices are exported; left out or empty, of all."
    )
    device_families: list[Family] = Field(
        default=[], description="The families whose devices are exported; left out or empty, all."
    )
    filter: dict[str, Any] = Field(default={}, description=f"{FILTER_FORM} Here it is an object, not a text.")
    columns: list[str] = Field(
        default=[], description="The names of the columns in the file, in this order; left out or empty, all."
    )
    sort_by: str = Field(
        default="",
        description=(
            "A column, descending with a `-` before its name. It is stored with the export, but "
            "not applied to its rows."
        ),
    )


class ExportArgs(BaseModel):
    filter: dict[str, Any]
    columns: list[str]
    sort_by: str
    blueprint_ids: list[str]
    device_families: list[str]


class ExportOut(BaseModel):
    """`row_count` is an addition to the public API: the number of rows in the file, once the file exists."""

    id: UUID
    status: Literal["pending", "success", "failed"]
    category: str
    args: ExportArgs
    error_msg: str | None
    path: str | None
    signed_url: str | None
    created_at: str
    updated_at: str
    row_count: int | None

    @classmethod
    def of(cls, export: PrismExport, *, origin: str) -> "ExportOut":
        return cls(
            id=export.uuid,
            status=export.status,
            category=export.category,
            args=export.args,
            error_msg=export.error_message or None,
            path=path_of(export),
            signed_url=link_of(export, origin=origin),
            created_at=with_offset(export.created_at),
            updated_at=with_offset(export.updated_at),
            row_count=export.row_count,
        )


class PrismPage[R](BaseModel):
    """One page of a category. `cursor` leads to the next page, and is null on the last page."""

    offset: int | None
    limit: int
    total: int
    data: list[R]
    cursor: str | None


class CategoryCount(BaseModel):
    count: int
    approximate: bool


@cache
def row_model(category: Category) -> type[BaseModel]:
    """The model of a category's rows for the OpenAPI document. The rows are rendered without it."""
    fields: dict[str, Any] = {column.key: _field(column) for column in category.columns}
    name = f"Prism{category.name.title().replace('_', '')}Out"
    return create_model(name, **fields)


def _field(column: Column) -> Any:
    return (_TYPES[column.kind] | None if column.null else _TYPES[column.kind], ...)
