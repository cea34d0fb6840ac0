from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from access.audit.events import Actor
from access.management.refusals import in_one_line
from access.management.serving import check_database
from access.models import Administrator
from access.sign_in.authenticators import has_second_step, take_away

ACTOR = Actor.command("reset_mfa")


class Command(BaseCommand):
    help = (
        "Remove the authenticators of a person who lost them, an operator or an administrator. Their sessions end. "
        "A password that is too short without a second step is removed too: they choose one by a reset link."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", help="address that the person signs in with")

    def handle(self, *args: Any, email: str, **options: Any) -> None:
        check_database()
        person = Administrator.objects.select_related("tenant").filter(email=email.strip().lower()).first()
        if person is None:
            raise CommandError(f"There is no administrator and no operator {email}.")
        if not has_second_step(person):
            raise CommandError(f"{email} has set up no two-step verification. Nothing was changed.")
        with in_one_line():
            take_away(person=person, actor=ACTOR)
        self.stderr.write(f"{email} signs in without a second step now, and is signed out everywhere.")
