"""Exports: a category as a CSV file, which the worker writes."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from access.audit.events import Actor, Target, log_event
from access.csv import csv_chunks
from access.database import Failure, failure_of
from access.models import AuditEvent, Tenant
from access.retention import Kind, Rows, delete_old, register
from access.tasks.backend import task
from devices.filters import comparisons_of
from devices.models import PrismExport, StoredFile
from devices.models.prism.categories import CATEGORIES
from devices.models.prism.columns import COMMON
from devices.prism.categories import category_named
from devices.prism.columns import columns_of, filter_columns, sort_column
from devices.prism.lines import pages
from devices.prism.search import Search, find
from devices.storage import keys
from devices.storage.files import signed_url, store

LINK = timedelta(hours=48)
LONGEST = timedelta(hours=6)  # for all attempts, including the wait for a worker
ATTEMPTS = 3
PAGE = 5000  # rows in memory at a time

Status = PrismExport.Status

logger = logging.getLogger(__name__)


@transaction.atomic
def request_export(
    *,
    tenant: Tenant,
    category: str,
    actor: Actor,
    filter: Mapping[str, Any] | None = None,
    columns: Sequence[str] = (),
    sort_by: str = "",
    blueprint_ids: Sequence[UUID] = (),
    device_families: Sequence[str] = (),
) -> PrismExport:
    """Have the worker write a category as CSV. An empty `columns` means all. `sort_by` is stored, but not applied.

    Raises ValidationError for an unknown category, an invalid filter, and a column that the category does not have.
    """
    category_named(category)
    comparisons_of(filter or {}, filter_columns(category))
    known = columns_of(category)
    if unknown := next((name for name in columns if name not in known), None):
        raise ValidationError(f'columns has the unknown column "{unknown[:60]}".')
    if sort_by:
        sort_column(category, sort_by)
    export = PrismExport.objects.create(
        tenant=tenant,
        category=category,
        args={
            "filter": dict(filter or {}),
            "columns": list(columns),
            "sort_by": sort_by,
            "blueprint_ids": [str(id) for id in blueprint_ids],
            "device_families": list(device_families),
        },
        requested_by=actor.name,
    )
    make_export.enqueue(export.pk)
    log_event(target=_target(export), actor=actor, action=AuditEvent.Action.CREATE, summary="Prism export requested")
    return export


@task(retries=ATTEMPTS - 1)
def make_export(export_id: int) -> None:
    """Write the file. A second run changes nothing if the export is done. The file of a lost worker expires soon.

    If the file cannot be written, the export fails after the last attempt, with a reason.
    """
    export = PrismExport.objects.select_related("tenant").filter(pk=export_id, status=Status.PENDING).first()
    if export is None:
        return
    PrismExport.objects.filter(tenant=export.tenant, pk=export.pk).update(attempts=F("attempts") + 1)
    counter = _Counter()
    try:
        chunks = csv_chunks(_names(export), counter.counted(_pages(export)))
        file = store(
            tenant=export.tenant,
            purpose=StoredFile.Purpose.EXPORT,
            name=filename(export),
            chunks=chunks,
            lifetime=LONGEST,  # until the export refers to it
        )
    except ValidationError as error:  # for example, an upgrade changed the columns
        _end(export, Status.FAILED, error_message=" ".join(error.messages))
        return
    except Exception as error:
        if failure_of(error) is not Failure.AWAY and export.attempts + 1 >= ATTEMPTS:
            _end(export, Status.FAILED, error_message="The file could not be written.")
        raise
    _end(export, Status.SUCCESS, file=file, row_count=counter.rows)


@task()
def clean_up_exports() -> None:
    """Mark unfinished exports as failed after their time, and delete old ones. Harmless when it runs twice."""
    now = timezone.now()
    PrismExport.objects.filter(status=Status.PENDING, created_at__lt=now - LONGEST).update(
        status=Status.FAILED, error_message="The export took too long.", updated_at=now
    )
    delete_old(EXPORTS, now=now)


def filename(export: PrismExport) -> str:
    day = export.created_at.astimezone(UTC).date().isoformat()
    return f"export-{day}-{export.category}-{export.uuid}.csv"


def path_of(export: PrismExport) -> str | None:
    """The path of the file, in the format of the public API; None until the file exists. Clients use its name."""
    return f"{keys.prefix(export.tenant)}/{filename(export)}" if export.file_id else None


def link_of(export: PrismExport, *, origin: str) -> str | None:
    """A URL that downloads the file without a token, for 48 hours from now; None until the file exists."""
    return signed_url(export.file, origin=origin, lifetime=LINK) if export.file else None


class _Counter:
    def __init__(self) -> None:
        self.rows = 0

    def counted[R](self, pages: Iterable[Sequence[R]]) -> Iterator[Sequence[R]]:
        for page in pages:
            self.rows += len(page)
            yield page


def _names(export: PrismExport) -> list[str]:
    category = CATEGORIES.get(export.category)
    every = [column.key for column in (category.columns if category else COMMON)]
    return export.args["columns"] or every


def _pages(export: PrismExport) -> Iterator[list[str]]:
    category = CATEGORIES.get(export.category)
    if category is None:  # EXPORT_ONLY has no rows
        return
    yield from pages(_search(export), _names(export), PAGE)


def _search(export: PrismExport) -> Search:
    return find(
        tenant=export.tenant,
        category=CATEGORIES[export.category],
        comparisons=comparisons_of(export.args["filter"], filter_columns(export.category)),
        blueprint_ids=[UUID(id) for id in export.args["blueprint_ids"]],
        families=export.args["device_families"],
    )


@transaction.atomic
def _end(export: PrismExport, status: PrismExport.Status, file: StoredFile | None = None, **fields: Any) -> None:
    """End an export, and keep its file. If another run has ended it, or it was deleted, the file is deleted."""
    pending = PrismExport.objects.filter(tenant=export.tenant, pk=export.pk, status=Status.PENDING)
    ended = pending.update(status=status, updated_at=timezone.now(), file=file, **fields)
    if file:
        expires = timezone.now() if not ended else _end_of_file()
        StoredFile.objects.filter(tenant=export.tenant, pk=file.pk).update(expires_at=expires)


def _end_of_file() -> datetime | None:
    """When the file of an export that ends now is deleted: after the last link to it."""
    return None if EXPORTS.days is None else timezone.now() + timedelta(days=EXPORTS.days) + LINK


def _delete(exports: Rows) -> None:
    """Delete exports. Their files go when no link to them works any more."""
    end = timezone.now() + LINK
    files = StoredFile.objects.filter(pk__in=exports.order_by().values("file_id"))
    files.filter(Q(expires_at=None) | Q(expires_at__gt=end)).update(expires_at=end)
    exports.delete()


EXPORTS = register(
    Kind(
        name="Prism exports",
        setting="IRU_KEEP_EXPORTS",
        rows=lambda before: PrismExport.objects.filter(created_at__lt=before),
        age="created_at",
        indexed=True,
        delete=_delete,
    )
)


def _target(export: PrismExport) -> Target:
    return Target(export.tenant, "prism_export", export.uuid, export.category, state=partial(_state, export))


def _state(export: PrismExport) -> dict[str, Any]:
    return {"category": export.category, "args": export.args}
