import time
from collections.abc import Callable
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Any, Self

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from access.audit.events import Actor
from access.models import Tenant
from devices.imports.problems import Problems
from devices.imports.tenant.client import SourceTenant, TenantImportError
from devices.imports.tenant.copy import ALSO, DEVICE, TenantImportReport, Watcher, import_tenant
from devices.imports.tenant.library import LIBRARY
from devices.imports.tenant.state import Progress

MAX_PROBLEMS = 20  # lines
MOST_WORKERS = 16
ESSENTIAL = {"blueprints", "users", "tags", "devices"}


class Command(BaseCommand):
    help = (
        "Copy a live Iru tenant through its own public API into a tenant here: blueprints, Blueprint Routing, users, "
        "tags, the Library (scripts and profiles whole, of apps only their names), devices with details, apps, "
        "parameters and notes, Prism, threats and vulnerabilities; commands, activity and secrets with --also. Each "
        "group of ten devices is saved at once. A repeated run continues where it was interrupted, with "
        "--resume-file, and copies new data."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", required=True, metavar="SUBDOMAIN", help="where to copy it to")
        parser.add_argument(
            "--api-url", required=True, metavar="URL", help="of the source: https://SUBDOMAIN.api.kandji.io/api/v1"
        )
        parser.add_argument("--token-file", required=True, type=Path, metavar="FILE", help="a token of the source")
        parser.add_argument("--resume-file", type=Path, metavar="FILE", help="where to keep what is done")
        parser.add_argument(
            "--also",
            nargs="+",
            default=[],
            choices=ALSO,
            help="what else to copy of each device: %(choices)s. The source records each reading of a secret",
        )
        parser.add_argument("--workers", type=int, default=4, help="calls at the same time (default: %(default)s)")

    def handle(
        self,
        *args: Any,
        tenant: str,
        api_url: str,
        token_file: Path,
        resume_file: Path | None,
        also: list[str],
        workers: int,
        **options: Any,
    ) -> None:
        target = Tenant.objects.filter(subdomain=tenant).first()
        if target is None:
            raise CommandError(f"There is no tenant {tenant!r}.")
        if not 1 <= workers <= MOST_WORKERS:
            raise CommandError(f"--workers is a number from 1 to {MOST_WORKERS}.")
        begun = time.monotonic()
        watcher: _Watcher = _watcher(self._notice)
        try:
            source = SourceTenant(api_url=api_url, token=_token(token_file), notice=self._notice)
            with (
                closing(source),
                Progress(resume_file, source=api_url.rstrip("/"), target=tenant, also=also) as progress,
                watcher,
            ):
                report = import_tenant(
                    tenant=target,
                    source=source,
                    actor=Actor.command("import_tenant"),
                    progress=progress,
                    also=also,
                    workers=workers,
                    watcher=watcher,
                )
        except TenantImportError as error:
            raise CommandError(f"{error} {_kept(watcher, resume_file)}".strip()) from None
        except KeyboardInterrupt:
            raise CommandError(f"Stopped. {_kept(watcher, resume_file)}".strip()) from None
        self._write_report(report, time.monotonic() - begun)
        if report.denied.keys() >= ESSENTIAL:
            raise CommandError("Nothing was copied.")

    def _notice(self, text: str) -> None:
        self.stderr.write(text)

    def _write_report(self, report: TenantImportReport, seconds: float) -> None:
        for name, reason in report.denied.items():
            self.stderr.write(f"{name}: not copied, {reason}")
        problems = Problems()
        problems += report.problems
        problems += report.devices.problems
        for line in problems.lines(MAX_PROBLEMS):
            self.stderr.write(line)
        for name, written in report.written.items():
            if written.created or written.updated or name not in LIBRARY:
                self.stdout.write(f"{name}: {written.created} created, {written.updated} updated")
        devices = report.devices
        resumed = f", {report.resumed} finished before" if report.resumed else ""
        self.stdout.write(
            f"devices: {devices.created} created, {devices.updated} updated, {devices.unchanged} unchanged{resumed}; "
            f"{devices.skipped} rows skipped; also created: {devices.others or 'nothing'}"
        )
        missing = [part for part in (*DEVICE, *chain(*ALSO.values())) if part in report.denied]
        without = f", without {', '.join(missing)}" if missing else ""
        self.stdout.write(f"Done in {seconds:.0f} seconds{without}.")


def _token(path: Path) -> str:
    """The token in the file, which nothing here ever shows."""
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{path}: {getattr(error, 'strerror', None) or 'not a text file'}") from None
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise CommandError(f"{path}: one token is expected in it, and nothing else.")
    return token


class _Watcher(Watcher):
    """Knows how far the copy is. This one writes a line now and then, for logs."""

    SECONDS = 10  # between two lines about devices

    def __init__(self, write: Callable[[str], object]) -> None:
        self.done = self.total = 0
        self._write = write
        self._written = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None: ...

    def devices(self, done: int, total: int) -> None:
        self.done, self.total = done, total
        if time.monotonic() - self._written >= self.SECONDS:
            self._written = time.monotonic()
            self._write(f"{done:,} of {total:,} devices are kept")


class _ProgressBar(_Watcher):
    def __init__(self, write: Callable[[str], object], console: Console) -> None:
        super().__init__(write)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = Bar(*columns, console=console, transient=True)
        self._task = self._bar.add_task("", total=None)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.stop()

    def step(self, name: str) -> None:
        self._bar.update(self._task, description=name)

    def devices(self, done: int, total: int) -> None:
        self.done, self.total = done, total
        self._bar.update(self._task, completed=done, total=total)


def _watcher(write: Callable[[str], object]) -> _Watcher:
    console = Console(stderr=True)
    return _ProgressBar(write, console) if console.is_terminal else _Watcher(write)


def _kept(watcher: _Watcher, resume_file: Path | None) -> str:
    """What an interrupted copy leaves here; empty where it had not come to the devices."""
    if not watcher.total:
        return ""
    again = "Run the same again to go on there" if resume_file else "With a --resume-file, a copy goes on there"
    return f"{watcher.done:,} of {watcher.total:,} devices are kept with all that was asked about them. {again}."
