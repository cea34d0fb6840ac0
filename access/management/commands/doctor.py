import json
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

import access.maintenance.checks  # noqa: F401 - the import registers them
from access.maintenance.doctor import LIMIT, Answer, Level, examine


class Command(BaseCommand):
    help = (
        "Examine this installation: settings, database, files, mail, clock, keys, workers, backups and expiries. Each "
        "line is OK, a note, a warning or an error with its remedy. The exit status is 0 unless there is an error."
    )
    requires_system_checks = []  # they are one of the checks

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", dest="as_json", help="one JSON list on standard output")
        parser.add_argument(
            "--limit", type=float, default=LIMIT, metavar="SECONDS", help="for each check; %(default)s without it"
        )

    def handle(self, *args: Any, as_json: bool, limit: float, **options: Any) -> None:
        if limit <= 0:
            raise CommandError("--limit takes seconds, more than 0.")
        answers = []
        for answer in examine(limit=limit):
            answers.append(answer)
            if not as_json:
                self._show(answer)
        if as_json:
            rows = [
                {
                    "check": each.check,
                    "level": each.finding.level.lower(),
                    "text": each.finding.text,
                    "advice": each.finding.advice,
                }
                for each in answers
            ]
            self.stdout.write(json.dumps(rows, indent=2))
        counts = Counter(each.finding.level for each in answers)
        summary = f"{counts[Level.ERROR]} errors, {counts[Level.WARNING]} warnings, {counts[Level.NOTE]} notes."
        if counts[Level.ERROR]:
            raise CommandError(summary)
        if not as_json:
            self.stdout.write(f"{summary} This installation is in order.")

    def _show(self, answer: Answer) -> None:
        level = answer.finding.level
        style = {Level.OK: self.style.SUCCESS, Level.WARNING: self.style.WARNING, Level.ERROR: self.style.ERROR}
        paint = style.get(level, str)
        text = answer.finding.text.removesuffix(".")
        line = f"{text}. {answer.finding.advice}".strip()
        self.stdout.write(f"{paint(f'{level:<8}')} {answer.check}: {line}")
