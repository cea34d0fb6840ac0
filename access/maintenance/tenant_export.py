"""Export of a tenant: one private zip file with its rows, its files and its audit trail."""

import hashlib
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import orjson
from django.conf import settings
from django.db import connection, transaction
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from access.audit.events import Actor, Target, log_event
from access.maintenance.engines import Progress
from access.maintenance.places import new_file, new_private_file
from access.maintenance.tenant_tables import tables
from access.models import AuditEvent, AuditHead, Tenant

FORMAT = 1
BATCH = 1000  # rows in memory
PIECE = 1024 * 1024
MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class TenantFile:
    """A file of the storage. `open` is a context with its content; it raises FileNotFoundError if there is none."""

    key: str
    open: Callable[[], AbstractContextManager[BinaryIO]]


type Files = Callable[[Tenant], Iterator[TenantFile]]
type Secrets = Callable[[Tenant, Actor], Iterator[dict[str, Any]]]

# Apps register what the tables do not have: files, and secrets in the clear by the name of their entry.
files: list[Files] = []
secrets: dict[str, Secrets] = {}


@dataclass(frozen=True, slots=True)
class Export:
    path: Path
    size: int
    rows: int
    files: int
    missing: list[str]  # keys of files that the storage does not have
    left_out: list[str]


def export_tenant(*, tenant: Tenant, path: Path, with_secrets: bool, actor: Actor, progress: Progress) -> Export:
    """Write everything of a tenant to a new file, with bounded memory. `with_secrets` adds device secrets in the clear.

    The trails of the tenant and of the installation say so before anything is read. Raises Refused, OSError, and the
    error of a secret that cannot be decrypted; then no file is left.
    """
    target = new_file(path, what="export")
    _log(tenant, with_secrets, actor)
    with (
        new_private_file(target, ".iru-export-") as file,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive,
    ):
        writer = _Writer(archive)
        for number, table in enumerate(tables(), 1):
            columns = table.columns
            batches = table.batches(tenant, columns, BATCH)
            writer.add_rows(f"tables/{table.label}.jsonl", batches, left_out=table.left_out)
            progress("Tables", number, len(tables()))
        if with_secrets:
            for name, read in secrets.items():
                writer.add_rows(f"secrets/{name}.jsonl", _batches(read(tenant, actor)))
        stored, missing = _add_files(writer, tenant, progress)
        writer.finish(_manifest(tenant, with_secrets, stored, missing, writer.entries))
    rows = sum(entry["rows"] for entry in writer.entries if entry["name"].startswith("tables/"))
    return Export(target, target.stat().st_size, rows, stored, missing, _left_out(with_secrets))


class _Writer:
    """Writes entries one after another, and keeps the size and the digest of each."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._zip = archive
        self.entries: list[dict[str, Any]] = []

    def add_rows(self, name: str, batches: Iterable[list[dict[str, Any]]], left_out: Iterable[str] = ()) -> None:
        number = 0

        def lines() -> Iterator[bytes]:
            nonlocal number
            for batch in batches:
                number += len(batch)
                yield b"".join(orjson.dumps(row, default=str, option=orjson.OPT_APPEND_NEWLINE) for row in batch)

        entry = self._add(name, lines())
        entry["rows"] = number
        if out := list(left_out):
            entry["left_out"] = out

    def add_file(self, name: str, content: BinaryIO) -> None:
        self._add(name, iter(lambda: content.read(PIECE), b""))

    def finish(self, manifest: dict[str, Any]) -> None:
        self._zip.writestr(MANIFEST, orjson.dumps(manifest, option=orjson.OPT_INDENT_2))

    def _add(self, name: str, pieces: Iterable[bytes]) -> dict[str, Any]:
        digest, size = hashlib.sha256(), 0
        with self._zip.open(name, "w", force_zip64=True) as entry:
            for piece in pieces:
                digest.update(piece)
                size += len(piece)
                entry.write(piece)
        self.entries.append({"name": name, "size": size, "sha256": digest.hexdigest()})
        return self.entries[-1]


def _add_files(writer: _Writer, tenant: Tenant, progress: Progress) -> tuple[int, list[str]]:
    number, missing = 0, []
    for list_them in files:
        for file in list_them(tenant):
            try:
                with file.open() as content:
                    writer.add_file(f"files/{file.key}", content)
                number += 1
            except FileNotFoundError:
                missing.append(file.key)
            progress("Files", number, 0)
    return number, missing


def _batches(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    for row in rows:
        yield [row]


def _manifest(
    tenant: Tenant, with_secrets: bool, stored: int, missing: list[str], entries: list[dict[str, Any]]
) -> dict[str, Any]:
    head = AuditHead.objects.filter(tenant=tenant).first()
    return {
        "format": FORMAT,
        "version": settings.VERSION,
        "made_at": timezone.now().isoformat(),
        "tenant": {"id": tenant.pk, "name": tenant.name, "subdomain": tenant.subdomain, "suspended": not tenant.active},
        "migrations": sorted(f"{app}.{name}" for app, name in MigrationRecorder(connection).applied_migrations()),
        "audit_head": {"sequence": head.sequence, "mac": head.mac} if head else None,
        "secrets": with_secrets,
        "left_out": _left_out(with_secrets),
        "files": stored,
        "missing_files": missing,
        "entries": entries,
    }


def _left_out(with_secrets: bool) -> list[str]:
    columns = [f"{table.label}.{column}" for table in tables() for column in table.left_out]
    return columns if with_secrets else [*columns, *(f"secrets/{name}.jsonl" for name in secrets)]


@transaction.atomic
def _log(tenant: Tenant, with_secrets: bool, actor: Actor) -> None:
    for trail in (tenant, None):
        log_event(
            target=Target(trail, "tenant", tenant.pk, tenant.name),
            actor=actor,
            action=AuditEvent.Action.READ,
            summary="Organization exported",
            metadata={"tenant": tenant.subdomain, "secrets": with_secrets},
        )
