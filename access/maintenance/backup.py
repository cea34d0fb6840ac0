"""Backups: one private file for each, under its name only once it is whole and checked."""

import tempfile
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from django.db import DatabaseError, transaction
from django.utils import timezone

from access.audit.events import Actor, Target, log_event
from access.maintenance import archive, files
from access.maintenance.engines import Engine, Progress, engine
from access.maintenance.manifest import Manifest, describe
from access.maintenance.places import new_file, publish
from access.models import AuditEvent
from access.models import Backup as BackupRow
from access.refusals import Refusal

KEPT = 1000  # rows of finished backups
UNFINISHED = ".iru-backup-"  # the beginning of the name of the directory in which one is made


@dataclass(frozen=True)
class Backup:
    path: Path
    size: int
    manifest: Manifest
    recorded: bool  # whether the database could take a row about it


def back_up(place: Path, *, with_files: bool, progress: Progress, actor: Actor) -> Backup:
    """Write a backup of the database to a new file, or into a directory, under a name with the time.

    It contains each change that was committed before the call. Other processes go on writing meanwhile. Raises Refused
    or OSError; then no file is left.
    """
    begun = timezone.now()
    path = _new_path(place, begun)
    if with_files:
        files.storage()  # a bucket is refused before the long work
    with tempfile.TemporaryDirectory(prefix=UNFINISHED, dir=path.parent) as directory:
        unfinished = Path(directory) / path.name
        manifest = _write(unfinished, Path(directory), engine(), with_files=with_files, progress=progress)
        with archive.opened(unfinished) as written:
            written.check(progress)
        size = unfinished.stat().st_size
        publish(unfinished, path)
    return Backup(path, size, manifest, _record(path, size, begun, with_files=with_files, actor=actor))


def _new_path(place: Path, moment: datetime) -> Path:
    path = place / f"iru-{moment.astimezone(UTC):%Y-%m-%dT%H%M%SZ}.tar" if place.is_dir() else place
    return new_file(path, what="backup")


def _write(target: Path, directory: Path, source: Engine, *, with_files: bool, progress: Progress) -> Manifest:
    copy = directory / source.file_name
    with archive.written(target) as writer:
        with source.dump(copy, progress):
            source.check(copy)
            # Files after the database: one that is uploaded meanwhile is in the backup and belongs to no row, which is
            # harmless. The other order could lack the file of a row.
            manifest = describe(database=archive.content_of(source.file_name, copy), files=None)
        writer.add(source.file_name, copy)
        copy.unlink()
        if with_files:
            manifest = manifest.model_copy(update={"files": _add_files(writer, progress)})
        writer.finish(manifest)
    return manifest


def _add_files(writer: archive.Writer, progress: Progress) -> int:
    number, found = 0, list(files.keys())
    for key, path in found:
        with suppress(FileNotFoundError):  # it was deleted meanwhile, and its row before it
            writer.add(archive.FILES + key, path)
            number += 1
        progress("Files", number, len(found))
    return number


def _record(path: Path, size: int, begun: datetime, *, with_files: bool, actor: Actor) -> bool:
    """A row for `doctor`, and an event in the trail of the installation. False if the database takes none just now."""
    try:
        with transaction.atomic():
            BackupRow.objects.create(
                started_at=begun, finished_at=timezone.now(), path=str(path)[-1000:], size=size, with_files=with_files
            )
            old = BackupRow.objects.order_by("-finished_at").values_list("pk", flat=True)[KEPT : KEPT + 1]
            BackupRow.objects.filter(pk__lte=next(iter(old), 0)).delete()
            log_event(
                target=Target(None, "installation", "", "the installation"),
                actor=actor,
                action=AuditEvent.Action.CREATE,
                summary="Backup made",
                metadata={"file": path.name, "size": size, "files": with_files},
            )
    except (DatabaseError, Refusal):
        return False
    return True
