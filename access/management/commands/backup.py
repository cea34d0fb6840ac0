from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.template.defaultfilters import filesizeformat

from access.audit.events import Actor
from access.maintenance.backup import back_up
from access.maintenance.refusals import Refused
from access.management.progress import bars
from access.management.serving import check_database


class Command(BaseCommand):
    help = "Write a backup of the database, and of the files if asked, to one private file, while the product runs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("place", metavar="FILE|DIRECTORY", type=Path, help="a new file, or a directory for one")
        parser.add_argument("--files", action="store_true", help="include the files in the directory IRU_FILES_DIR")

    def handle(self, *args: Any, place: Path, files: bool, **options: Any) -> None:
        check_database()
        try:
            with bars() as progress:
                made = back_up(place, with_files=files, progress=progress, actor=Actor.command("backup"))
        except Refused as refusal:
            raise CommandError(str(refusal)) from None
        except OSError as error:
            raise CommandError(f"The backup could not be written: {error}. No file was left.") from None
        manifest = made.manifest
        with_files = "" if manifest.files is None else f", {manifest.files} files"
        self.stdout.write(f"{made.path}: {filesizeformat(made.size)}{with_files}, {len(manifest.heads)} audit trails.")
        needed = [f"{name} {', '.join(map(str, keys))}" for name, keys in manifest.keys.items() if keys]
        self.stderr.write(
            f"It was checked. To restore it you need these keys, which are not in it: {'; '.join(needed)}."
        )
        for name, numbers in manifest.lost_keys.items():
            self.stderr.write(
                f"Warning: values are under key {', '.join(map(str, numbers))} of {name}, which is not configured: "
                "they cannot be read, and not from the backup either."
            )
        if not made.recorded:
            self.stderr.write("Warning: the database could not take the note about it: `doctor` will not know of it.")
