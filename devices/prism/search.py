"""Read rows of Prism: the page after a position or at an offset, and the number of matching rows.

A query first tests its conditions where that is cheap: on the few contents, and on the reports, one for each device.
Both store the number of their rows. So the number of matching rows is usually a sum, and it determines the way to find
the rows. Few rows are found by the index of their content or report, and sorted. Many rows are found soon enough by a
walk through the index of all rows. docs/decisions/prism-rows.md has the figures.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, cached_property
from math import isqrt
from operator import itemgetter
from typing import Any, Literal, NamedTuple
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import F, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from access.models import Tenant
from devices.dates import with_offset
from devices.filters import Comparison
from devices.models import Blueprint, Platform, PrismReport, PrismTotal
from devices.models.prism.columns import Category, Column
from devices.models.prism.tables import CONTENTS, ROWS
from devices.prism.columns import NONE, Conditions, ordering

PAGE = 300  # rows that a walk has to find
MOST_NAMED = 1000  # contents that a query lists by key
COUNTED = 5000  # rows; more are not counted one by one
MOST_SORTED = 200_000  # rows; more are not sorted by a column

# Device families by their names in a parameter of the public API; its rows have AppleTV.
FAMILIES = {"Mac": Platform.MAC, "iPhone": Platform.IPHONE, "iPad": Platform.IPAD, "tvOS": Platform.APPLE_TV}


type Row = dict[str, Any]
type Way = Literal["walk", "content", "report"]


class Position(NamedTuple):
    """The row after which a page begins: the time that orders its walk, and the key."""

    moment: datetime
    pk: int


class TooManyToSort(ValidationError):
    """The rows are too many to be sorted in a request."""


@dataclass(frozen=True)
class Search:
    """The rows of a category in a tenant that match `conditions`."""

    tenant: Tenant
    category: Category
    conditions: Conditions

    @cached_property
    def total(self) -> int:
        """The number of matching rows: exact up to COUNTED, and beyond it if it is a sum over contents or reports.

        Otherwise it is an estimate, as if the values of a row and its device were independent.
        """
        all_, contents, reports = self._all, self._in_contents, self._in_reports
        if self.conditions.rows is None and contents is None:
            return all_ if reports is None else reports
        if self.conditions.rows is None and reports is None:
            return contents or 0
        if 0 in (all_, contents, reports):
            return 0
        counted: int = self._by(self._fewest)[: COUNTED + 1].count()
        if counted <= COUNTED:
            return counted
        estimate: int = (all_ if contents is None else contents) * (all_ if reports is None else reports) // all_
        return max(counted, estimate)

    def after(self, position: Position | None, limit: int) -> list[int]:
        """The primary keys of the next rows in the order of a walk: by time, then by key."""
        rows = self._found
        if position is not None:
            moment, pk = position
            rows = rows.filter(
                Q(moment__gt=moment) | Q(moment=moment, pk__gt=pk),
                moment__gte=moment,  # redundant, but an index finds the position by it
            )
        return list(rows.order_by("moment", "pk").values_list("pk", flat=True)[:limit])

    def at(self, offset: int, limit: int) -> list[int]:
        """The primary keys of the rows from `offset` on, in the order of a walk."""
        return list(self._found.order_by("moment", "pk").values_list("pk", flat=True)[offset : offset + limit])

    def sorted_at(self, column: Column, offset: int, limit: int, *, descending: bool) -> list[int]:
        """The primary keys of the rows from `offset` on, sorted by a column. Raises TooManyToSort."""
        if column.place == "nowhere":
            return self.at(offset, limit)
        only = self.conditions.rows is None
        if only and column.place == "content" and self.conditions.any_report:
            contents = self._matching_contents.order_by(ordering(_short(column), descending=descending), "pk")
            return self._in_groups("content", contents, offset, limit)
        if only and column.place in {"device", "report"} and self.conditions.contents is None:
            reports = self._matching_reports.order_by(ordering(_short(column), descending=descending), "pk")
            return self._in_groups("report", reports, offset, limit)
        if column.place != "row" and self.total > MOST_SORTED:
            raise TooManyToSort(
                f'{self.total:,} rows are too many to sort by "{column.key}": add to the filter, or leave out sort_by.'
            )
        if column.field in {"created_at", "updated_at"}:  # never null, so the plain order of an index is enough
            order: tuple[Any, ...] = ("-" * descending + column.field, "-" * descending + "pk")
        else:
            order = ordering(column.field, descending=descending), "pk"
        found = self._found.order_by(*order)
        return list(found.values_list("pk", flat=True)[offset : offset + limit])

    def pages(self, size: int, own: Sequence[str]) -> Iterator[list[tuple[Any, ...]]]:
        """(primary key, moment, report, content, `own` fields …) of all matching rows, `size` at a time, in the order
        of a walk."""
        rows = ROWS[self.category.name].objects.values_list("pk", self._moment, "report_id", "content_id", *own)
        position: Position | None = None
        while pks := self.after(position, size):
            if page := sorted(rows.filter(pk__in=pks), key=itemgetter(1, 0)):
                yield page
                position = Position(page[-1][1], page[-1][0])

    def fields(self, pks: Sequence[int]) -> list[tuple[Any, ...]]:
        """(primary key, moment, extra, the value of each column that has a field …) of these rows."""
        paths = [column.field for column in self.category.columns if _has_field(column)]
        # Filter only by the keys, which belong to the tenant: with the tenant too, SQLite would read all of its rows.
        rows = (
            ROWS[self.category.name]
            .objects.filter(pk__in=pks)
            .values_list("pk", self._moment, "content__extra", *paths)
        )
        place = {pk: number for number, pk in enumerate(pks)}
        return sorted(rows, key=lambda row: place[row[0]])

    @property
    def _moment(self) -> str:
        """The field that orders a walk: the time of creation; for a filter by change, the time of the last change.

        It depends only on the filter, because a cursor is read with the same filter.
        """
        return "updated_at" if self.conditions.by_change else "created_at"

    @property
    def _rows(self) -> Any:
        return ROWS[self.category.name].objects.filter(tenant=self.tenant)

    @property
    def _matching_contents(self) -> Any:
        contents = CONTENTS[self.category.name].objects.filter(tenant=self.tenant)
        return contents.filter(self.conditions.contents or Q(), row_count__gt=0)

    @property
    def _matching_reports(self) -> QuerySet[PrismReport]:
        reports = PrismReport.objects.filter(tenant=self.tenant, category=self.category.name, row_count__gt=0)
        if self.conditions.devices is not None:
            # An index finds the devices, and another one their reports. A join would read the devices themselves.
            reports = reports.filter(device__in=self.tenant.devices.filter(self.conditions.devices).values("pk"))
        return reports.filter(self.conditions.reports or Q())

    @cached_property
    def _all(self) -> int:
        totals = PrismTotal.objects.filter(tenant=self.tenant, category=self.category.name)
        return totals.values_list("row_count", flat=True).first() or 0

    @cached_property
    def _named_contents(self) -> list[tuple[int, int]]:
        """(primary key, number of rows) of the matching contents, up to one more than MOST_NAMED."""
        return list(self._matching_contents.values_list("pk", "row_count")[: MOST_NAMED + 1])

    @cached_property
    def _in_contents(self) -> int | None:
        """The number of rows of the matching contents; None if the filter has no condition on contents."""
        if self.conditions.contents is None:
            return None
        if len(self._named_contents) <= MOST_NAMED:
            return sum(number for _, number in self._named_contents)
        return _sum(self._matching_contents)

    @cached_property
    def _in_reports(self) -> int | None:
        return None if self.conditions.any_report else _sum(self._matching_reports)

    @cached_property
    def _found(self) -> Any:
        """The matching rows, by the way that reads the fewest rows for a page. Sort them by the alias `moment`."""
        way = self._fewest
        rows = {"content": self._in_contents, "report": self._in_reports}.get(way) or 0
        if rows > self._few:
            way = "walk"
        # Coalesce is an expression without an index: the database then finds few rows by their values, and sorts.
        sorted_ = way != "walk" or self._few_rows
        return self._by(way, moment=Coalesce(self._moment, self._moment) if sorted_ else F(self._moment))

    @cached_property
    def _fewest(self) -> Way:
        """The way on which the conditions leave the fewest rows, which is also the best one for a count."""
        contents, reports = self._in_contents, self._in_reports
        if contents is None:
            return "walk" if reports is None else "report"
        return "content" if reports is None or contents <= reports else "report"

    def _by(self, way: Way, **alias: Any) -> Any:
        if 0 in (self._all, self._in_contents, self._in_reports):
            return self._rows.alias(**alias).filter(NONE)
        # The contents and reports belong to the tenant. With a filter by tenant too, SQLite would read all of its rows.
        found = (self._rows if way == "walk" else ROWS[self.category.name].objects).alias(**alias)
        if self.conditions.contents is not None:
            named = self._named_contents
            pks: Any = [pk for pk, _ in named] if len(named) <= MOST_NAMED else self._matching_contents.values("pk")
            # A sum has no index, so that the database does not look up the rows by content.
            place = found if way == "content" else found.alias(number=F("content_id") + 0)
            found = place.filter(**{"content__in" if way == "content" else "number__in": pks})
        if way == "report":
            found = found.filter(report__in=self._matching_reports.values("pk"))
        elif not self.conditions.any_report:
            found = found.filter(self.conditions.all_reports)
        return found.filter(self.conditions.rows or Q())

    @property
    def _few(self) -> int:
        """The number of rows up to which reading them all costs no more than a walk that finds PAGE of them."""
        return isqrt(PAGE * self._all)

    @cached_property
    def _few_rows(self) -> bool:
        """Whether the condition on the rows' own columns leaves few rows."""
        if self.conditions.rows is None or self.conditions.by_change:
            return False
        return bool(self._rows.filter(self.conditions.rows)[: self._few + 1].count() <= self._few)

    def _in_groups(self, name: str, groups: QuerySet[Any], offset: int, limit: int) -> list[int]:
        """Rows sorted by a value of their content or report. Only the groups are sorted, and give the offset."""
        chosen: list[int] = []
        skipped, taken = offset, 0
        most = groups.values_list("pk", "row_count")[: offset + limit]  # each has at least one row
        for pk, number in most.iterator(chunk_size=2000):
            if not chosen and skipped >= number:
                skipped -= number
                continue
            chosen.append(pk)
            taken += number
            if taken >= skipped + limit:
                break
        pks: list[int] = []
        if not chosen:
            return pks
        first, *others = chosen
        rows = ROWS[self.category.name].objects.order_by("created_at", "pk")  # the groups belong to the tenant
        pks += rows.filter(**{name: first}).values_list("pk", flat=True)[skipped : skipped + limit]
        if last := others[-1:]:
            middle = others[:-1]
            by_group: dict[int, list[int]] = {group: [] for group in middle}
            for group, pk in rows.filter(**{f"{name}__in": middle}).values_list(f"{name}_id", "pk"):
                by_group[group].append(pk)
            pks += [pk for group in middle for pk in by_group[group]]
            pks += rows.filter(**{name: last[0]}).values_list("pk", flat=True)[: limit - len(pks)]
        return pks


def find(
    *,
    tenant: Tenant,
    category: Category,
    comparisons: Iterable[Comparison] = (),
    blueprint_ids: Sequence[UUID] = (),
    families: Sequence[str] = (),
) -> Search:
    """The rows that match all of these. Without a Blueprint or a family (a key of FAMILIES), it means all of them."""
    blueprints = Blueprint.with_deleted.filter(tenant=tenant, uuid__in=blueprint_ids) if blueprint_ids else None
    conditions = Conditions.of(
        category,
        comparisons,
        blueprints=None if blueprints is None else list(blueprints.values_list("pk", flat=True)),
        families=[FAMILIES[name] for name in families] or None,
    )
    return Search(tenant, category, conditions)


@dataclass(frozen=True, slots=True)
class _Layout:
    """The keys of a row, those with a field, and the conversions of values. Made once for each category."""

    empty: Row
    fields: tuple[str, ...]
    conversions: tuple[tuple[str, Callable[[Any], Any]], ...]
    unseen: tuple[str, ...]


@cache
def _layout(category: Category) -> _Layout:
    fields = [column for column in category.columns if _has_field(column)]
    return _Layout(
        empty=dict.fromkeys(column.key for column in category.columns),
        fields=tuple(column.key for column in fields),
        conversions=tuple((column.key, convert) for column in fields if (convert := conversion(column))),
        unseen=tuple(column.key for column in category.own if column.kind == "unseen"),
    )


def as_row(category: Category, fields: Sequence[Any]) -> Row:
    """The row in the format of the API, from a result of `Search.fields`."""
    layout = _layout(category)
    row = layout.empty.copy()
    row.update(zip(layout.fields, fields[3:], strict=True))
    for key, convert in layout.conversions:
        row[key] = convert(row[key])
    if extra := fields[2]:
        row.update((key, extra[key]) for key in layout.unseen if key in extra)
    return row


@cache
def conversion(column: Column) -> Callable[[Any], Any] | None:
    """The function that converts a value to JSON; None if the value needs no conversion."""
    if column.kind == "date":
        return lambda moment: moment and with_offset(moment)
    if column.kind == "uuid":
        return str
    if column.blank_is_null:
        return lambda text: text or None
    if column.null_is_blank:
        return lambda text: text or ""
    return None


def _has_field(column: Column) -> bool:
    return column.place != "nowhere" and column.kind != "unseen"


def _short(column: Column) -> str:
    """The path of the column's field from the content or the report."""
    return column.field.removeprefix("content__" if column.place == "content" else "report__")


def _sum(rows: QuerySet[Any]) -> int:
    return rows.aggregate(rows=Sum("row_count"))["rows"] or 0
