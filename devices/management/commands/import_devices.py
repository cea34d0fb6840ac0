import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from access.audit.events import Actor
from access.models import Tenant
from devices.imports.devices import ImportReport, import_devices
from devices.imports.files import FileError, ImportFile


class Command(BaseCommand):
    help = (
        "Import devices into a tenant: answers of GET /devices (JSON array), of /details, /apps, /library-items, "
        "/parameters, /notes, /commands, /activity, /details/lostmode and /secrets (object, or one a line, each with "
        "its device_id) and device reports (CSV), in any mixture and order. Importing the same again changes nothing. "
        "Rows that cannot be used are named and left out; the exit status is 1 only where nothing could be used."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", required=True, metavar="SUBDOMAIN", help="whose devices they are")
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE")

    def handle(self, *args: Any, tenant: str, files: list[Path], **options: Any) -> None:
        owner = Tenant.objects.filter(subdomain=tenant).first()
        if owner is None:
            raise CommandError(f"There is no tenant {tenant!r}.")
        begun = time.monotonic()
        try:
            sources = [ImportFile(path) for path in files]  # all of them, before anything is changed
            for source in sources:
                if source.unknown_columns:
                    self.stderr.write(f"{source.path}: columns not imported: {', '.join(source.unknown_columns)}")
            with self._progress(sources) as progress:
                report = import_devices(
                    tenant=owner,
                    rows=(row for source in sources for row in source.rows()),
                    actor=Actor.command("import_devices"),
                    progress=progress,
                )
        except FileError as error:
            raise CommandError(str(error)) from None
        self._write_report(report, time.monotonic() - begun)
        if not report.usable:
            raise CommandError("Nothing was imported.")

    @contextmanager
    def _progress(self, sources: list[ImportFile]) -> Iterator[Callable[[int], None]]:
        console = Console(stderr=True)
        columns = (TextColumn("{task.fields[rows]} rows"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task("", total=sum(source.size for source in sources), rows=0)
            yield lambda rows: bar.update(task, completed=sum(source.position for source in sources), rows=rows)

    def _write_report(self, report: ImportReport, seconds: float) -> None:
        for line in report.problems.lines():
            self.stderr.write(line)
        self.stdout.write(
            f"{report.rows} rows in {seconds:.1f} seconds: {report.created} devices created, {report.updated} updated, "
            f"{report.unchanged} unchanged; {report.skipped} rows skipped; "
            f"also created: {report.others or 'nothing'}."
        )
