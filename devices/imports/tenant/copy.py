"""Copying a whole tenant through its public API into one of ours."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import batched, chain
from typing import Any, NamedTuple
from uuid import UUID

from access.audit.events import Actor
from access.models import Tenant
from devices.imports.devices import ImportReport, Row, import_groups
from devices.imports.findings import import_findings
from devices.imports.problems import Problems
from devices.imports.tenant import groups, library
from devices.imports.tenant.ade import write_ade_devices, write_ade_integrations
from devices.imports.tenant.client import NOT_SERVED, Denied, Missing, SourceTenant, TenantImportError
from devices.imports.tenant.groups import Written
from devices.imports.tenant.prism import write_prism_rows
from devices.imports.tenant.routing import write_routing, write_routing_activity
from devices.imports.tenant.state import Progress
from devices.imports.values import uuid_or_none
from devices.models import Platform
from devices.models.prism.categories import CATEGORIES

type Documents = list[dict[str, Any]]

# Devices that are saved together, while as many others are asked about: an interruption loses the answers of these two
# groups at most. A smaller group costs commits and audit events.
GROUP = 10
CATEGORIES_PATH = "self-service/categories"
ADE_PATH = "integrations/apple/ade"
PAGES = 10  # pages of Prism that are written together
# Lists of threats, in the second and the first version.
THREATS = {
    "threats": ("/api/v2/threat/threat-details", "threat-details"),
    "behavioral detections": ("/api/v2/threat/behavioral-detections/events", "behavioral-detections"),
}
VULNERABILITIES = "vulnerability-management"
ROUTING, ROUTING_PATH = "Blueprint Routing", "blueprint-routing/"
# Parts of the API that are read for each device, and the key under which an import takes the answer.
DEVICE = {
    "details": "",
    "apps": "apps",
    "library-items": "library_items",
    "parameters": "parameters",
    "notes": "notes",
}

# Parts that are read only on request: each costs at least one call a device.
ALSO = {
    "commands": ("commands",),
    "activity": ("activity",),
    "secrets": tuple(f"secrets/{kind}" for kind in ("bypasscode", "filevaultkey", "unlockpin", "recoverypassword")),
}


class Listed(NamedTuple):
    uuid: UUID
    serial_number: str
    platform: str

    @property
    def parts(self) -> list[str]:
        # Parameters are for Macs alone, and each call counts against the tenant's hour.
        return [part for part in DEVICE if part != "parameters" or self.platform == Platform.MAC]


@dataclass(slots=True)
class TenantImportReport:
    """What was copied. `denied` says which parts were not and why, `problems` which objects."""

    written: dict[str, Written] = field(default_factory=dict)
    devices: ImportReport = field(default_factory=ImportReport)
    denied: dict[str, str] = field(default_factory=dict)
    problems: Problems = field(default_factory=Problems)
    resumed: int = 0  # devices that an earlier run had finished


class Watcher:
    """Receives the progress of a copy. This one ignores it."""

    def step(self, name: str) -> None: ...
    def devices(self, done: int, total: int) -> None: ...


def import_tenant(
    *,
    tenant: Tenant,
    source: SourceTenant,
    actor: Actor,
    progress: Progress,
    also: Iterable[str] = (),
    workers: int = 4,
    watcher: Watcher | None = None,
) -> TenantImportReport:
    """Copy blueprints, their routing, users, tags, the library, devices with all their reports, and findings about the
    devices into `tenant`.

    `also` has keys of ALSO. Objects keep the ids that they have at the source. Existing objects are updated, and none
    is removed. A part that the source's token may not read is skipped and named in the report. Raises TenantImportError
    if copying cannot continue: everything that was read so far is stored, and `progress` has it.
    """
    parts = [part for name in dict.fromkeys(also) for part in ALSO[name]]
    copy = _Copy(tenant, source, actor, progress, watcher or Watcher(), also=parts)
    copy.group("blueprints", lambda: copy.write(groups.write_blueprints, source.pages("blueprints", limit=300)))
    copy.group("users", lambda: copy.write(groups.write_users, source.pages("users", sizePerPage=300)))
    copy.group("tags", lambda: copy.write(groups.write_tags, source.pages("tags")))
    copy.group(ROUTING, copy.routing)
    activity = source.pages(f"{ROUTING_PATH}activity", limit=300)
    copy.group(f"{ROUTING} activity", lambda: copy.write(write_routing_activity, activity))
    copy.group(CATEGORIES_PATH, copy.categories)
    for path, (kind, row) in library.LIBRARY.items():
        write = library.writer_of(kind, row)
        copy.group(path, lambda path=path, write=write: copy.write(write, source.pages(path)))  # type: ignore[misc]
    copy.group("library items of blueprints", copy.assignments)
    copy.group("ADE integrations", lambda: copy.write(write_ade_integrations, source.pages(ADE_PATH)))
    copy.group("ADE devices", lambda: copy.write(write_ade_devices, source.pages(f"{ADE_PATH}/devices")))
    pool = ThreadPoolExecutor(workers, thread_name_prefix="import_tenant")
    try:
        copy.devices(pool)
        if copy.stopped:
            raise copy.stopped
    except BaseException:
        source.close()  # wakes the threads that wait for an hour to be over
        raise
    finally:
        pool.shutdown(cancel_futures=True)
    for category in CATEGORIES:  # after the devices, to which the rows refer
        copy.group(f"prism/{category}", lambda category=category: copy.prism(category))  # type: ignore[misc]
    for name, paths in THREATS.items():  # findings come last, because they refer to devices
        copy.group(name, lambda paths=paths: copy.threats(*paths))  # type: ignore[misc]
    copy.group("vulnerabilities", lambda: copy.findings(source.numbered(f"{VULNERABILITIES}/vulnerabilities")))
    copy.group("vulnerability detections", lambda: copy.findings(source.tokens(f"{VULNERABILITIES}/detections")))
    progress.finish()
    return copy.report


class _Copy:
    def __init__(
        self,
        tenant: Tenant,
        source: SourceTenant,
        actor: Actor,
        progress: Progress,
        watcher: Watcher,
        *,
        also: list[str],
    ) -> None:
        self.report = TenantImportReport(resumed=progress.devices)
        self.stopped: BaseException | None = None
        self._tenant, self._source, self._actor = tenant, source, actor
        self._progress, self._watcher = progress, watcher
        self._also = also
        self._parts_of_devices = {*DEVICE, *also}
        self._denied_before = frozenset(progress.denied)
        self._listed: list[Listed] = []
        self._served: set[str] = set()  # parts of devices that have been answered at least once

    def group(self, name: str, copy: Callable[[], Written]) -> None:
        """One part, once; what it cannot have is no reason not to copy the rest."""
        if self._progress.has_step(name):
            return
        self._watcher.step(name)
        try:
            written = copy()
        except Denied as denied:
            self.report.denied[name] = str(denied)
            return
        self.report.written[name] = written
        self.report.problems += written.problems
        self._progress.step(name)

    def write(self, service: Callable[..., Written], pages: Iterable[list[Any]]) -> Written:
        written = Written()
        for rows in pages:
            written += service(tenant=self._tenant, rows=rows, actor=self._actor)
        return written

    def routing(self) -> Written:
        try:
            answer = self._source.get(ROUTING_PATH)
        except Missing:
            raise Denied(NOT_SERVED) from None
        return write_routing(tenant=self._tenant, answer=answer, actor=self._actor)

    def categories(self) -> Written:
        try:
            rows = self._source.get(CATEGORIES_PATH)
        except Missing:
            raise Denied(NOT_SERVED) from None
        if not isinstance(rows, list):
            raise TenantImportError(f"{CATEGORIES_PATH} did not answer a list.")
        return library.write_categories(tenant=self._tenant, rows=rows, actor=self._actor)

    def prism(self, category: str) -> Written:
        written = Written()
        for pages in batched(self._source.walk(f"prism/{category}"), PAGES, strict=False):
            written += write_prism_rows(
                tenant=self._tenant, category=category, rows=chain.from_iterable(pages), actor=self._actor
            )
        return written

    def threats(self, newer: str, older: str) -> Written:
        """Copy from the second version of the list, which has more columns; from the first if there is no second."""
        try:
            return self.findings(self._source.pages(newer, limit=1000))
        except Denied:
            return self.findings(self._source.pages(older, limit=1000))

    def findings(self, pages: Iterable[list[Any]]) -> Written:
        rows = (("findings", row) for page in pages for row in page)
        report = import_findings(tenant=self._tenant, rows=rows, actor=self._actor)
        written = Written()
        written.created, written.updated = report.created.total(), report.updated.total()
        written.problems = report.problems
        return written

    def assignments(self) -> Written:
        written = Written()
        for blueprint in list(self._tenant.blueprints.order_by("pk").values_list("uuid", flat=True)):
            try:
                items = [
                    row for rows in self._source.pages(f"blueprints/{blueprint}/list-library-items") for row in rows
                ]
            except Denied as denied:
                if str(denied) == NOT_SERVED:
                    continue  # a blueprint that only this tenant has
                raise
            written += library.write_library_items(tenant=self._tenant, rows=items, actor=self._actor)
            ids = [id for row in items if (id := _uuid(row, "id"))]
            library.write_assignments(tenant=self._tenant, blueprint_id=blueprint, items=ids, actor=self._actor)
        return written

    def devices(self, pool: ThreadPoolExecutor) -> None:
        self._watcher.step("devices")
        self.report.devices = import_groups(tenant=self._tenant, groups=self._groups(pool), actor=self._actor)

    def _groups(self, pool: ThreadPoolExecutor) -> Iterator[list[Row]]:
        """The records of all devices, then everything about each. Ends where reading ended, so that what was read until
        then is written; `stopped` is why."""
        try:
            yield from self._records()
            yield from self._documents(pool)
        except Denied as denied:
            self.report.denied["devices"] = str(denied)
        except (TenantImportError, KeyboardInterrupt) as error:
            self.stopped = error

    def _records(self) -> Iterator[list[Row]]:
        for page in self._source.arrays("devices"):
            for record in page:
                if uuid := _uuid(record, "device_id"):
                    serial, platform = str(record.get("serial_number") or ""), str(record.get("platform") or "")
                    self._listed.append(Listed(uuid, serial, platform))
            yield [(f"device {_uuid(record, 'device_id')}", record) for record in page]
            self._watcher.devices(self._progress.devices, len(self._listed))

    def _documents(self, pool: ThreadPoolExecutor) -> Iterator[list[Row]]:
        unfinished = [
            device for device in self._listed if self._denied_before or not self._progress.has_device(device.uuid)
        ]
        futures: list[Future[Documents]] = []
        devices: tuple[Listed, ...] = ()
        # One group is always under way while the one before it is written.
        for next_devices in chain(batched(unfinished, GROUP, strict=False), [()]):
            next_futures = [pool.submit(self._ask, device) for device in next_devices]
            answers = [future.result() for future in futures]
            yield [
                (f"device {device.uuid}", document)
                for device, documents in zip(devices, answers, strict=True)
                for document in documents
            ]
            self._remember(devices)  # the group is committed
            futures, devices = next_futures, next_devices

    def _ask(self, device: Listed) -> Documents:
        """In a thread of its own, which keeps away from the database."""
        documents: Documents = []
        done = self._progress.has_device(device.uuid)
        for part in (*device.parts, *self._also):
            if part in self.report.denied or (done and part not in self._denied_before):
                continue
            try:
                documents += self._answers(device, part)
            except Missing:
                self.report.problems.add(f"device {device.uuid}", "not there any more")
                break
            except Denied as denied:
                if part not in self._served:
                    self.report.denied[part] = str(denied)
                continue
            self._served.add(part)
        return documents

    def _answers(self, device: Listed, part: str) -> Iterator[Any]:
        """As an import knows them."""
        path = f"devices/{device.uuid}/{part}"
        identity = {"device_id": str(device.uuid), "serial_number": device.serial_number}
        if part in {"commands", "activity"}:
            for rows in self._source.nested(path, part):
                yield {**identity, part: rows}
            return
        answer = self._source.get(path)
        if not isinstance(answer, dict):
            yield {**identity, part: answer}
        elif key := DEVICE.get(part):
            yield {**identity, key: answer.get(key)}
        else:
            yield answer if part == "details" else {**answer, **identity}

    def _remember(self, devices: Iterable[Listed]) -> None:
        # The denied parts before the devices: one is done only as far as it could be asked.
        self._progress.deny(self.report.denied.keys() & self._parts_of_devices)
        self._progress.add_devices([device.uuid for device in devices])
        self._watcher.devices(self._progress.devices, len(self._listed))


def _uuid(row: Any, key: str) -> UUID | None:
    return uuid_or_none(row.get(key)) if isinstance(row, dict) else None
