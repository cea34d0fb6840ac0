"""Import of device data from a tenant's API or from reports."""

import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from uuid import UUID

from django.db import transaction
from django.db.models import F

from access.audit.events import Actor, Target, log_event
from access.database import allow_long_statements, large_cache
from access.models import AuditEvent, Tenant
from access.tasks.upkeep import refresh_statistics
from devices.fleet import records
from devices.fleet.summary import summarize
from devices.imports.batches import Batch
from devices.imports.errors import RowError, UnknownDevice
from devices.imports.problems import Problems
from devices.imports.rows import DeviceRow, device_row
from devices.models import Fleet, Platform

# Records of a batch. An index has pages for some thousand rows all over it, and each batch writes most of them: with
# batches of 1000, an import of 100,000 devices writes twice as much.
BATCH = 3000
WEIGHT = 20_000  # what the rows of a batch may bring together, some kB each
OTHERS = ("blueprints", "users", "tags", "notes", "commands", "activity", "secrets")
EXTENDED = {Platform.WINDOWS, Platform.ANDROID}


type Row = tuple[object, object]  # the place in its source, and the document
type ReadRow = tuple[object, DeviceRow | RowError]


@dataclass(slots=True)
class ImportReport:
    """What an import did. `created`, `updated` and `unchanged` count devices, `skipped` rows, and `counts`
    what else is new, by the names of OTHERS. `problems` has the reasons of the skipped rows, by "FILE:LINE".
    """

    rows: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    problems: Problems = field(default_factory=Problems)
    _created: set[int] = field(default_factory=set)
    _updated: set[int] = field(default_factory=set)
    _devices: set[int] = field(default_factory=set)

    @property
    def created(self) -> int:
        return len(self._created)

    @property
    def updated(self) -> int:
        return len(self._updated - self._created)

    @property
    def unchanged(self) -> int:
        return len(self._devices - self._created - self._updated)

    @property
    def skipped(self) -> int:
        return self.problems.count

    @property
    def usable(self) -> int:
        """Rows that were not skipped."""
        return self.rows - self.skipped

    @property
    def others(self) -> str:
        """The new objects other than devices, as words; empty for none."""
        return ", ".join(f"{self.counts[name]:,} {name}" for name in OTHERS if self.counts[name])

    def add(self, batch: Batch) -> None:
        self.counts += batch.counts
        self._created.update(device.pk for device in batch.created)
        self._updated.update(device.pk for device in batch.updated)
        self._devices.update(device.pk for device in batch.devices)


def import_devices(
    *,
    tenant: Tenant,
    rows: Iterable[Row],
    actor: Actor,
    progress: Callable[[int], None] | None = None,
) -> ImportReport:
    """Create or update the tenant's devices, and the blueprints, users and tags that the rows name.

    `rows` yields (where it is from, a DEVICE record, DETAILS document or another answer about one device), in any
    order. Rows that cannot be used are counted and reported, the others are imported. A device is found by its id, or
    else by its serial number. `progress` is called with the number of rows that are committed.

    Commands come as history: they are listed, and never sent from here. A lost mode that was asked for here stays as it
    is, whatever the rows say. Secrets are encrypted before they are stored.

    Every batch of up to 3000 rows commits with its records and its own audit event: one transaction for a whole fleet
    would make everybody else's changes wait for half a minute. An import that fails half-way can simply be run again.
    The events of one import carry the same `import_id`. At the end SQLite's statistics are refreshed for the devices
    that are new.
    """
    return import_groups(tenant=tenant, groups=[rows], actor=actor, progress=progress)


@large_cache()
def import_groups(
    *,
    tenant: Tenant,
    groups: Iterable[Iterable[Row]],
    actor: Actor,
    progress: Callable[[int], None] | None = None,
) -> ImportReport:
    """`import_devices` of rows in groups. The next group is asked for when the one before it is committed."""
    report, import_id = ImportReport(), str(uuid.uuid4())
    early: list[ReadRow] = []  # what came before the device that it is about, and all that came after it
    waiting: set[UUID] = set()  # devices that it is about
    batches = (batch for group in groups for batch in _batches((source, _read(row)) for source, row in group))
    for batch in batches:
        early += _import_batch(tenant, batch, actor=actor, report=report, import_id=import_id, waiting=waiting)
        report.rows += len(batch)
        if progress:
            progress(report.rows)
    for rest in _batches(early):
        left = _import_batch(tenant, rest, actor=actor, report=report, import_id=import_id, waiting=set())
        for source, _ in left:
            report.problems.add(source, str(UnknownDevice()))
    if report.created:
        refresh_statistics()
    summarize(tenant)
    return report


def _batches(rows: Iterable[ReadRow]) -> Iterator[list[ReadRow]]:
    batch: list[ReadRow] = []
    weight = 0
    for source, row in rows:
        batch.append((source, row))
        weight += row.weight if isinstance(row, DeviceRow) else 1
        if len(batch) == BATCH or weight >= WEIGHT:
            yield batch
            batch, weight = [], 0
    if batch:
        yield batch


def _read(document: object) -> DeviceRow | RowError:
    try:
        return device_row(document)
    except RowError as error:
        return error


@transaction.atomic
def _import_batch(
    tenant: Tenant,
    rows: list[ReadRow],
    *,
    actor: Actor,
    report: ImportReport,
    import_id: str,
    waiting: set[UUID],
) -> list[ReadRow]:
    """Returns the rows about devices that do not exist yet, and adds these devices to `waiting`. All later rows about
    them wait, too, so that the rows of a device are applied in their order."""
    allow_long_statements()  # on a busy server a batch may take longer than a request may
    Fleet.objects.get_or_create(tenant=tenant)
    # Held until the commit: of two imports at once, the second finds what the first created.
    fleet = Fleet.objects.select_for_update().get(tenant=tenant)
    batch = Batch(tenant, [row for _, row in rows if isinstance(row, DeviceRow)])
    early: list[ReadRow] = []
    for source, row in rows:
        if isinstance(row, RowError):
            report.problems.add(source, str(row))
            continue
        try:
            if row.is_supplement and row.uuid in waiting:
                early.append((source, row))
            else:
                batch.apply(row)
        except UnknownDevice:
            early.append((source, row))
            if row.uuid:
                waiting.add(row.uuid)
        except RowError as error:
            report.problems.add(source, str(error))
    if any(device.platform in EXTENDED for device in batch.devices):
        records.enable_extended_records(fleet)
    batch.save(extended=fleet.extended_records)
    if batch.created:
        Fleet.objects.filter(pk=fleet.pk).update(device_count=F("device_count") + len(batch.created))
    report.add(batch)
    if counts := {name: count for name, count in batch.counts.items() if count}:
        log_event(
            target=Target.whole(tenant),
            actor=actor,
            action=AuditEvent.Action.CREATE,
            summary="Devices imported",
            metadata={"import_id": import_id, **counts},
        )
    return early
