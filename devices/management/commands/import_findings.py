import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from access.audit.events import Actor
from access.models import Tenant
from devices.imports.files import FileError, ImportFile
from devices.imports.findings import FindingsReport, Row, import_findings

STDIN = Path("-")


class Command(BaseCommand):
    help = (
        "Import threats and vulnerabilities into a tenant: rows of GET /threat-details, /behavioral-detections (of "
        "either version), /vulnerability-management/vulnerabilities and /vulnerability-management/detections, as JSON "
        "arrays, as one row per line, or as whole answers with their results; in any mix and order. A repeated import "
        "changes nothing. Rows that cannot be used are named and left out; the exit status is 1 only if no row could "
        "be used."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", required=True, metavar="SUBDOMAIN", help="the tenant of the findings")
        parser.add_argument(
            "--full",
            action="store_true",
            help="the files have all existing detections: mark all others as remediated",
        )
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="- is the standard input")

    def handle(self, *args: Any, tenant: str, files: list[Path], full: bool, **options: Any) -> None:
        owner = Tenant.objects.filter(subdomain=tenant).first()
        if owner is None:
            raise CommandError(f"There is no tenant {tenant!r}.")
        begun = time.monotonic()
        with ExitStack() as stack:
            try:
                sources = [ImportFile(_stored(path, stack)) for path in files]
                report = import_findings(
                    tenant=owner,
                    rows=(row for source in sources for row in _rows(source)),
                    actor=Actor.command("import_findings"),
                    full=full,
                )
            except FileError as error:
                raise CommandError(str(error)) from None
        self._write_report(report, time.monotonic() - begun)
        if report.rows == report.problems.count:
            raise CommandError("Nothing was imported.")

    def _write_report(self, report: FindingsReport, seconds: float) -> None:
        for line in report.problems.lines():
            self.stderr.write(line)
        if report.kept_because_of_problems:
            self.stderr.write("Nothing was marked as remediated, because the rows above may be detections.")
        kinds = sorted(report.created.keys() | report.updated.keys())
        counts = [f"{kind}: {report.created[kind]} created, {report.updated[kind]} updated" for kind in kinds]
        self.stdout.write(
            f"{report.rows} rows in {seconds:.1f} seconds: {'; '.join(counts) or 'nothing is new'}; "
            f"{report.remediated} detections remediated; {report.problems.count} rows skipped."
        )


def _rows(source: ImportFile) -> Iterator[Row]:
    """The rows of a file, also if it has whole answers of the API."""
    for place, document in source.rows():
        results = document.get("results") if isinstance(document, dict) else None
        if isinstance(results, list):
            yield from ((place, row) for row in results)
        else:
            yield place, document


def _stored(path: Path, stack: ExitStack) -> Path:
    """The file. For standard input it is a temporary copy, because the reader opens a file twice."""
    if path != STDIN:
        return path
    copy = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="import_findings-"))) / "stdin"
    with copy.open("wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
    return copy
