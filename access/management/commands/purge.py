from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from access.audit.events import Actor
from access.maintenance.purge import Old, Purge
from access.management.progress import bars
from access.management.serving import check_database


class Command(BaseCommand):
    help = (
        "Delete what is older than the settings IRU_KEEP_… say. Without --yes it only prints what that would be. "
        "May be interrupted and run again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--yes", action="store_true", help="delete; without it, nothing is changed")

    def handle(self, *args: Any, yes: bool, **options: Any) -> None:
        check_database()
        purge = Purge()
        for each in purge.found:
            self.stdout.write(line(each))
        if not any(each.rows for each in purge.found):
            self.stdout.write("There is nothing to delete.")
            return
        if not yes:
            self.stdout.write("Nothing was deleted. With --yes these rows are deleted for good.")
            return
        with bars() as progress:
            purged = purge.run(actor=Actor.command("purge"), progress=progress)
        self.stdout.write(f"Deleted: {', '.join(f'{each.rows:,} {each.name}' for each in purged.done)}.")
        if purged.broken:
            for sentence in purged.broken:
                self.stderr.write(sentence)
            raise CommandError("These audit trails are broken. Their events stay, from the broken one on.")


def line(old: Old) -> str:
    """What is old in a kind, in one line."""
    if old.days is None:
        return f"{old.name}: kept for ever ({old.setting})"
    older = f"older than {old.days} days ({old.setting})" if old.setting else ""
    if not old.rows:
        return f"{old.name}: none {older}".rstrip()
    return f"{old.name}: {f'{old.rows:,} {older}'.rstrip()}, the oldest from {old.oldest:%Y-%m-%d}"
