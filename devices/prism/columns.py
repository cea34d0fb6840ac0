"""The columns of a category, by their names in `filter` and `sort_by`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from django.db.models import F, Q, TextField
from django.db.models.expressions import OrderBy
from django.db.models.functions import Cast
from django.db.models.lookups import IContains, In

from devices import filters
from devices.filters import Comparison, FilterError, Kind
from devices.models.prism.categories import CATEGORIES
from devices.models.prism.columns import COMMON, Category, Column, Place

KINDS = {
    "text": Kind.TEXT,
    "boolean": Kind.BOOLEAN,
    "integer": Kind.NUMBER,
    "number": Kind.NUMBER,
    "date": Kind.DATE,
    "uuid": Kind.UUID,
    "json": Kind.TEXT,
    "unseen": Kind.TEXT,
}
# Names that Iru's own scripts send for a column.
ALIASES = {"apps": {"app_name": "name"}}
NONE, ALL = Q(pk__in=()), Q()


class Nothing(filters.Column):
    """A column that is null in every row."""

    def where(self, lookup: str, value: object) -> Q:
        return ALL if lookup == "isnull" and value else NONE


class BlankIsNull(filters.Column):
    """A text whose field is empty if the row shows null."""

    def where(self, lookup: str, value: object) -> Q:
        if lookup == "isnull":
            blank = Q(**{self.path: ""})
            return blank if value else ~blank
        return ~Q(**{self.path: ""}) & super().where(lookup, value)


class NullIsBlank(filters.Column):
    """A text whose field is null if the row shows an empty text."""

    def where(self, lookup: str, value: object) -> Q:
        if lookup == "isnull":
            return NONE if value else ALL
        found = super().where(lookup, value)
        blank = "" in value if isinstance(value, list) else value == ""
        return found | Q(**{f"{self.path}__isnull": True}) if blank else found


class Unseen(filters.Column):
    """A value in a JSON object, which may lack it. A condition tests that too, so that its negation finds such rows."""

    def where(self, lookup: str, value: object) -> Q:
        found = super().where(lookup, value)
        return found if lookup == "isnull" else found & Q(**{f"{self.path}__isnull": False})


class Document(filters.Column):
    """A column of JSON, which is compared as text."""

    def where(self, lookup: str, value: object) -> Q:
        if lookup == "isnull":
            return super().where(lookup, value)
        compare = IContains if lookup == "icontains" else In
        return Q(compare(Cast(F(self.path), TextField()), value)) & Q(**{f"{self.path}__isnull": False})


@dataclass(frozen=True, slots=True)
class Conditions:
    """A filter, split by the place of its columns; None for a place without a condition.

    The conditions on devices, reports and contents are for queries on these tables. `all_reports` has the conditions
    on devices and reports, for a query on rows.
    """

    devices: Q | None
    reports: Q | None
    contents: Q | None
    rows: Q | None
    all_reports: Q
    # Whether the time of the last change is the only own column of rows in the filter.
    by_change: bool

    @property
    def any_report(self) -> bool:
        """Whether the filter has no condition on devices and reports."""
        return self.devices is None and self.reports is None

    @property
    def only_contents(self) -> bool:
        return self.contents is not None and self.any_report and self.rows is None

    @classmethod
    def of(
        cls,
        category: Category,
        comparisons: Iterable[Comparison],
        *,
        blueprints: Iterable[int] | None = None,
        families: Iterable[str] | None = None,
    ) -> "Conditions":
        """Split a filter. `blueprints` are primary keys. For both keywords None means all, and an empty list none."""
        known = columns_of(category.name)
        parts: dict[str, list[Comparison]] = {"device": [], "report": [], "content": [], "row": []}
        for test in comparisons:
            parts[_table(known[test.column].place)].append(test)
        from_rows = _paths(category.name, "row")
        all_reports = filters.condition([*parts["device"], *parts["report"]], from_rows)
        all_reports &= _devices("report__device__", blueprints, families)
        devices = filters.condition(parts["device"], _paths(category.name, "device"))
        devices &= _devices("", blueprints, families)
        reports = filters.condition(parts["report"], _paths(category.name, "report"))
        contents = filters.condition(parts["content"], _paths(category.name, "content"))
        rows = filters.condition(parts["row"], from_rows)
        by_change = {known[test.column].field for test in parts["row"]} == {"updated_at"}
        return cls(devices or None, reports or None, contents or None, rows or None, all_reports, by_change)


@cache
def columns_of(category: str) -> Mapping[str, Column]:
    """The columns of a category, or those that all categories have."""
    declared = CATEGORIES[category].columns if category in CATEGORIES else COMMON
    known = {column.key: column for column in declared}
    return known | {alias: known[name] for alias, name in ALIASES.get(category, {}).items()}


@cache
def filter_columns(category: str) -> Mapping[str, filters.Column]:
    """The columns that a filter of the category may name."""
    return _paths(category, "row")


def sort_column(category: str, text: str) -> Column:
    """The column that `sort_by` names. Raises FilterError."""
    column = columns_of(category).get(text.removeprefix("-"))
    if column is None:
        raise FilterError(f'sort_by has the unknown column "{text.removeprefix("-")[: filters.LONGEST_QUOTE]}".')
    return column


def ordering(path: str, *, descending: bool) -> OrderBy:
    """The order by a path. NULL comes lowest on every database."""
    return F(path).desc(nulls_last=True) if descending else F(path).asc(nulls_first=True)


def _table(place: Place) -> str:
    """The table on which a condition is tested first."""
    return place if place in {"device", "report", "content"} else "row"


@cache
def _paths(category: str, seen_from: str) -> Mapping[str, filters.Column]:
    return {
        key: _filter_column(column, _seen_from(column, seen_from))
        for key, column in columns_of(category).items()
        if column.filtered
    }


def _seen_from(column: Column, table: str) -> str:
    prefix = {"device": "report__device__", "report": "report__", "content": "content__", "row": ""}[table]
    return column.field.removeprefix(prefix)


def _filter_column(column: Column, path: str) -> filters.Column:
    kind = KINDS[column.kind]
    if column.place == "nowhere":
        return Nothing(kind, path)
    if column.blank_is_null:
        return BlankIsNull(kind, path)
    if column.null_is_blank:
        return NullIsBlank(kind, path)
    if column.kind == "unseen":
        return Unseen(kind, path)
    if column.kind == "json":
        return Document(kind, path)
    return filters.Column(kind, path)


def _devices(prefix: str, blueprints: Iterable[int] | None, families: Iterable[str] | None) -> Q:
    where = Q()
    if blueprints is not None:
        where &= Q(**{f"{prefix}blueprint__in": blueprints})
    if families is not None:
        where &= Q(**{f"{prefix}platform__in": families})
    return where
