import getpass
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from access.audit.events import Actor
from access.models import Administrator
from access.sign_in.passwords import change_password

TRIES = 3


class Command(BaseCommand):
    help = "Give a person, administrator or operator, another password. Their sessions end."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", metavar="EMAIL", help="the address that the person signs in with")

    def handle(self, *args: Any, email: str, **options: Any) -> None:
        try:
            person = Administrator.objects.get_by_natural_key(email)
        except Administrator.DoesNotExist:
            raise CommandError(f"Nobody signs in with {email}.") from None
        self.stdout.write(f"A new password for {person.name} ({person.email}).")
        for _ in range(TRIES):
            password = getpass.getpass("Password: ")
            if password != getpass.getpass("Password (again): "):
                self.stderr.write("The two are not the same.")
                continue
            try:
                validate_password(password, person)
            except ValidationError as error:
                self.stderr.write("\n".join(error.messages))
                continue
            change_password(person=person, password=password, actor=Actor.command("changepassword"))
            self.stdout.write("The password is changed.")
            return
        raise CommandError("The password was not changed.")
