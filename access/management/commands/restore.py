import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from access.audit.events import Actor
from access.maintenance.refusals import Refused
from access.maintenance.restore import RestoredBroken, prepared
from access.management.progress import bars
from access.management.serving import one_line

ANSWER = "replace"


class Command(BaseCommand):
    help = (
        "Restore a backup into an empty database. Refuses, before it changes anything, a damaged one, one of a newer "
        "version, and one whose keys are not configured. Stop the servers and workers first."
    )
    requires_system_checks = []  # some of them ask the database, which may be empty

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", type=Path)
        parser.add_argument("--replace", action="store_true", help="delete the present content of the database first")
        parser.add_argument("--no-input", action="store_true", help="with --replace: do not ask")

    def handle(self, *args: Any, file: Path, replace: bool, no_input: bool, **options: Any) -> None:
        try:
            with ExitStack() as stack:
                with bars() as progress:
                    restore = stack.enter_context(prepared(file, progress))
                if restore.occupied and not replace:
                    raise CommandError(
                        "The database has tables already, or the directory of the files has files. Nothing was "
                        "changed. Use an empty place, or --replace."
                    )
                if restore.occupied and not no_input:
                    _ask(f"of {restore.manifest.made_at:%Y-%m-%d %H:%M} UTC")
                with bars() as progress:
                    done = restore.run(progress, Actor.command("restore"))
        except Refused as refusal:
            raise CommandError(f"{refusal} Nothing was changed.") from None
        except RestoredBroken as fault:
            raise CommandError(f"The backup was restored, but an audit trail in it is broken: {fault}") from None
        except DatabaseError as error:
            raise CommandError(f"The database cannot be used: {one_line(error)}") from None
        manifest = done.manifest
        self.stdout.write(
            f"Restored the backup of {manifest.made_at:%Y-%m-%d %H:%M:%S} UTC, version {manifest.version}: "
            f"{done.files} files, {done.migrations} migrations applied, {done.trails} audit trails verified. "
            "All sessions were ended."
        )
        self.stderr.write(
            "Changes after that moment are gone: a token that was revoked later works again, and one that was made "
            "later does not. Revoke again what was revoked; the log of the server has the later audit heads."
        )


def _ask(moment: str) -> None:
    """Raises CommandError unless the person confirms."""
    if not sys.stdin.isatty():
        raise CommandError("Nobody can be asked here. Nothing was changed. Use --no-input to go on without a question.")
    question = f"Everything in the present database is replaced by the backup {moment}. Type {ANSWER} to go on: "
    if input(question).strip().lower() != ANSWER:
        raise CommandError("Nothing was changed.")
