"""Restoring a backup. Everything that can be known before is checked before the first change."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.core.management import call_command
from django.db import connection, transaction

from access.audit.chain import BrokenTrail, trail_name, verify
from access.audit.events import Actor, Target, log_event
from access.maintenance import archive, files
from access.maintenance.engines import Engine, Progress, engine
from access.maintenance.manifest import Manifest, check_restorable
from access.models import AuditEvent, Session, Tenant
from access.schema import compare_migrations


@dataclass(frozen=True)
class Restored:
    manifest: Manifest
    files: int
    migrations: int  # that were applied afterwards
    trails: int


class RestoredBroken(Exception):
    """The backup was restored, and a trail in it does not verify. The message names it."""


class Restore:
    """A backup that was checked, and the place that it would go to."""

    def __init__(self, content: archive.Archive, database: Path, engine_: Engine) -> None:
        self.manifest = content.manifest
        self._content, self._database, self._engine = content, database, engine_
        self.occupied = not engine_.is_empty() or (content.manifest.files is not None and any(files.keys()))

    def run(self, progress: Progress, actor: Actor) -> Restored:
        """Put the backup in the place of everything there, migrate it, and verify each trail. Raises RestoredBroken.

        Sessions end: a browser that signed out after the backup stays signed out.
        """
        self._engine.load(self._database, progress)
        stored = files.put(self._content, progress) if self.manifest.files else 0
        if missing := compare_migrations().missing:
            call_command("migrate", verbosity=0, interactive=False)
        trails = self._verify(progress)
        with transaction.atomic():
            Session.objects.all().delete()
            log_event(
                target=Target(None, "installation", "", trail_name(None)),
                actor=actor,
                action=AuditEvent.Action.UPDATE,
                summary="Backup restored",
                metadata={"made_at": self.manifest.made_at.isoformat(), "version": self.manifest.version},
            )
        return Restored(self.manifest, stored, missing, trails)

    def _verify(self, progress: Progress) -> int:
        """Each trail must verify, and end where the manifest says."""
        heads = {head.tenant: (head.sequence, head.mac) for head in self.manifest.heads}
        trails: list[Tenant | None] = [*Tenant.objects.order_by("pk"), None]
        for number, tenant in enumerate(trails, 1):
            try:
                verify(tenant, logged_head=heads.get(tenant.subdomain if tenant else None))
            except BrokenTrail as fault:
                raise RestoredBroken(f"{trail_name(tenant)}: {fault}") from None
            progress("Audit trails", number, len(trails))
        return len(trails)


@contextmanager
def prepared(path: Path, progress: Progress) -> Iterator[Restore]:
    """Check a backup as a whole, and that this installation can take it. Changes nothing. Raises Refused."""
    place = engine()
    with archive.opened(path) as content:
        check_restorable(content.manifest)
        place.check_place()
        if content.manifest.files is not None:
            files.check(content)
        content.check(progress)
        with tempfile.TemporaryDirectory(prefix=".iru-restore-", dir=_room()) as directory:
            database = Path(directory) / place.file_name
            content.extract_database(database)
            place.check(database)
            yield Restore(content, database, place)


def _room() -> Path | None:
    """Where the database of the backup is put meanwhile: on the disk of SQLite's file; else where the system says."""
    return Path(connection.settings_dict["NAME"]).parent if connection.vendor == "sqlite" else None
