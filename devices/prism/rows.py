"""Write rows of Prism, and update the stored numbers of rows. `store_rows` is the only function that writes them."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from itertools import batched
from typing import Any, NamedTuple

import orjson
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from access.compiled import Compiled
from access.models import Tenant
from devices.models import Device, PrismReport, PrismTotal
from devices.models.prism.categories import CATEGORIES
from devices.models.prism.columns import Category
from devices.models.prism.tables import CONTENTS, ROWS
from devices.prism.values import Values, values_of
from devices.statements import CHUNK, add, insert, insert_one, update

type Reported = Mapping[str, Any]


class Stored(NamedTuple):
    """A row as it is stored."""

    pk: int
    content: int
    digest: str
    own: tuple[Any, ...]


@transaction.atomic(savepoint=False)  # a report of a device has its transaction, and many categories
def store_rows(
    *,
    tenant: Tenant,
    category: str,
    reports: Mapping[int, Sequence[Reported]],
    collected_at: datetime | None = None,
    whole: bool = True,
) -> int:
    """Store the reports of devices for one category: all their rows, by the primary key of the device.

    The natural key of the category matches a row with the stored one, which keeps `created_at`, and is changed only if
    its values differ. A stored row without a match is deleted. A reported row may have its own `created_at` and
    `updated_at`, such as a row of another tenant. Returns how many rows were added, changed or deleted. A repeated
    report changes only the time of the report. Without `whole` these are some of the rows, and none is deleted.
    """
    if not reports:
        return 0
    return _Writer(tenant, CATEGORIES[category], collected_at or timezone.now()).write(reports, whole=whole)


@transaction.atomic
def forget_device(device: Device) -> None:
    """Delete the rows of a device that is about to be deleted."""
    reports = PrismReport.objects.filter(tenant=device.tenant_id, device=device)
    for category in list(reports.order_by("category").values_list("category", flat=True)):
        store_rows(tenant=device.tenant, category=category, reports={device.pk: ()})
    reports.delete()


class _Writer:
    """Writes the rows, with locks in a fixed order: the reports by device, the contents by key, and the total last."""

    def __init__(self, tenant: Tenant, category: Category, at: datetime) -> None:
        self._tenant, self._category, self._at = tenant, category, at
        self._rows, self._contents = ROWS[category.name], CONTENTS[category.name]
        self._own = [column.key for column in category.stored("row")]
        self._read: dict[bytes, Values] = {}  # most devices report the same apps

    def write(self, reports: Mapping[int, Sequence[Reported]], *, whole: bool) -> int:
        reads = {device: self._values(rows) for device, rows in reports.items()}
        pks = self._save_reports(reads, whole=whole)
        stored = self._stored(pks.values())
        added: list[tuple[int, Values]] = []
        changed: list[tuple[Stored, Values]] = []
        deleted: list[Stored] = []
        sizes: Counter[int] = Counter()  # changes of the reports' numbers of rows
        for device, values in reads.items():
            before = stored.get(pks[device], {})
            for key in sorted(values):
                row = before.pop(key, None)
                if row is None:
                    added.append((pks[device], values[key]))
                elif row.digest != values[key].digest or row.own != tuple(values[key].own.values()):
                    changed.append((row, values[key]))
                sizes[pks[device]] += row is None
            if whole:
                deleted += before.values()
        contents = self._content_pks([values for _, values in (*added, *changed)])
        insert(
            self._rows,
            ["tenant", "report", "content", "created_at", "updated_at", *self._own],
            # They are new, because the report is locked.
            (self._row(report, values, contents[values.digest]) for report, values in added),
        )
        self._change(changed, contents)
        for part in batched((row.pk for row in deleted), CHUNK, strict=False):
            self._rows.objects.filter(pk__in=part).delete()
        if not whole:
            add(PrismReport, "row_count", sizes)
        self._count(
            Counter(contents[values.digest] for _, values in (*added, *changed)),
            Counter(row.content for row in (*deleted, *(row for row, _ in changed))),
        )
        return len(added) + len(changed) + len(deleted)

    def _values(self, rows: Sequence[Reported]) -> dict[str, Values]:
        return _by_key(self._category, rows, self._read)

    def _save_reports(self, reads: Mapping[int, Mapping[str, Values]], *, whole: bool) -> dict[int, int]:
        """Save the reports, which are locked until the commit. Returns their primary keys by device.

        A whole report has the number of its rows at once.
        """
        names = ["tenant", "device", "category", "row_count", "collected_at"]
        conflict = "(device_id, category) DO UPDATE SET collected_at = excluded.collected_at"
        if whole:
            conflict += ", row_count = excluded.row_count"
        rows = [
            (
                self._tenant.pk,
                device,
                self._category.name,
                len(reads[device]) if whole else 0,
                self._collected_at(reads[device].values()),
            )
            for device in sorted(reads)
        ]
        if len(rows) == 1:
            pk = insert_one(PrismReport, names, rows[0], conflict=conflict)
            return {device: pk for device in reads if pk is not None}
        insert(PrismReport, names, rows, conflict=conflict)
        saved: dict[int, int] = {}
        for part in batched(reads, CHUNK, strict=False):
            reports = PrismReport.objects.filter(tenant=self._tenant, category=self._category.name, device__in=part)
            saved |= dict(reports.values_list("device_id", "pk"))
        return saved

    def _collected_at(self, values: Iterable[Values]) -> datetime:
        return max((each.collected_at for each in values if each.collected_at), default=self._at)

    def _stored(self, reports: Iterable[int]) -> dict[int, dict[str, Stored]]:
        found: dict[int, dict[str, Stored]] = defaultdict(dict)
        for part in batched(reports, CHUNK, strict=False):
            for report, key, pk, content, digest, *own in _rows_of(self._category.name).all(reports=list(part)):
                found[report][key] = Stored(pk, content, digest, tuple(own))
        return found

    def _content_pks(self, values: Sequence[Values]) -> dict[str, int]:
        """Create the missing contents. Returns the primary keys of all by their digests."""
        wanted = {each.digest: each for each in values}
        found: dict[str, int] = {}
        names = [column.key for column in self._category.stored("content")]
        columns = ["tenant", "digest", "key", "row_count", "extra", *names]
        for part in batched(sorted(wanted), CHUNK, strict=False):
            found |= self._known(part)
            missing = [
                (
                    self._tenant.pk,
                    each.digest,
                    each.key,
                    0,
                    each.content.get("extra", {}),
                    *(each.content[name] for name in names),
                )
                for each in (wanted[digest] for digest in part if digest not in found)
            ]
            # Another report may create the same content meanwhile.
            if len(missing) == 1:
                made = insert_one(self._contents, columns, missing[0], conflict="DO NOTHING")
                if made is not None:
                    found[missing[0][1]] = made
                    continue
            else:
                insert(self._contents, columns, missing, conflict="DO NOTHING")
            found |= self._known([digest for _, digest, *_ in missing])
        return found

    def _known(self, digests: Sequence[str]) -> dict[str, int]:
        if not digests:
            return {}
        return dict(_contents_of(self._category.name).all(tenant=self._tenant.pk, digests=list(digests)))

    def _row(self, report: int, values: Values, content: int) -> tuple[Any, ...]:
        created_at = values.created_at or self._at
        updated_at = values.updated_at or created_at
        return (self._tenant.pk, report, content, created_at, updated_at, *values.own.values())

    def _change(self, changed: Sequence[tuple[Stored, Values]], contents: Mapping[str, int]) -> None:
        update(
            self._rows,
            ["content", "updated_at", *self._own],
            (
                (contents[values.digest], values.updated_at or self._at, *values.own.values(), row.pk)
                for row, values in changed
            ),
        )

    def _count(self, more: Counter[int], fewer: Counter[int]) -> None:
        sizes = more.copy()
        sizes.subtract(fewer)
        changed = sorted(pk for pk, size in sizes.items() if size)
        if len(changed) > 1:
            contents = self._contents.objects.filter(tenant=self._tenant)
            for part in batched(changed, CHUNK, strict=False):
                list(contents.filter(pk__in=part).select_for_update().order_by("pk").values_list("pk"))
        add(self._contents, "row_count", sizes)
        total = sizes.total()
        if total > 0:
            insert(
                PrismTotal,
                ["tenant", "category", "row_count"],
                [(self._tenant.pk, self._category.name, total)],
                conflict="(tenant_id, category) DO UPDATE"
                " SET row_count = devices_prismtotal.row_count + excluded.row_count",
            )
        elif total:
            totals = PrismTotal.objects.filter(tenant=self._tenant, category=self._category.name)
            totals.update(row_count=F("row_count") + total)


@cache
def _rows_of(category: str) -> Compiled[tuple[Any, ...]]:
    """The rows of reports."""
    own = [column.key for column in CATEGORIES[category].stored("row")]
    columns = ["report_id", "content__key", "pk", "content_id", "content__digest", *own]
    return Compiled(lambda reports: ROWS[category].objects.filter(report__in=reports).values_list(*columns))


@cache
def _contents_of(category: str) -> Compiled[tuple[Any, ...]]:
    """Contents by their digests. They are locked, so that the clean-up deletes none that is about to get a row."""
    return Compiled(
        lambda tenant, digests: (
            CONTENTS[category]
            .objects.filter(tenant=tenant, digest__in=digests)
            .select_for_update()
            .order_by("pk")
            .values_list("digest", "pk")
        )
    )


def _by_key(category: Category, rows: Sequence[Reported], known: dict[bytes, Values]) -> dict[str, Values]:
    """The values of rows by their keys. `known` has those of rows that were read before, by their texts."""
    values: dict[str, Values] = {}
    numbers: Counter[str] = Counter()  # a report of thousands of rows with one natural key takes no time of n²
    for row in rows:
        text = _text_of(row)
        read = known.get(text) if text else None
        if read is None:
            read = known[text] = values_of(category, row)
        natural = read.key
        while read.key in values:  # another row with the same natural key
            numbers[natural] += 1
            read = values_of(category, row, numbers[natural])
        values[read.key] = read
    return values


def _text_of(row: Reported) -> bytes:
    """The row as JSON, always the same for the same values; empty for a row that JSON cannot express."""
    try:
        return orjson.dumps(row, default=str)
    except TypeError:
        return b""
