from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from access.audit.events import Actor
from access.management.refusals import in_one_line
from access.management.serving import check_database
from access.models import Administrator
from access.people.invitations import invitation_link, resend_invitation

ACTOR = Actor.command("invite")


class Command(BaseCommand):
    help = "Send another invitation to an administrator who has not accepted one yet. The link before it stops working."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", help="address of an administrator who is Pending")
        parser.add_argument("--print-link", action="store_true", help="print the link instead of mailing it")

    def handle(self, *args: Any, email: str, print_link: bool, **options: Any) -> None:
        check_database()
        host = settings.IRU_WEB_HOSTS[0]
        people = Administrator.objects.select_related("tenant").filter(tenant__isnull=False)
        person = people.filter(email=email.strip().lower()).first()
        if person is None or person.tenant is None:
            raise CommandError(f"There is no administrator {email}.")
        if person.status != "pending":
            raise CommandError(f"{email} is not Pending, but {person.status}. Nothing was changed.")
        with in_one_line(), transaction.atomic():
            mail_to = None if print_link else host
            person = resend_invitation(tenant=person.tenant, person_id=person.pk, actor=ACTOR, host=mail_to)
        if print_link:
            self.stderr.write(f"Give this link to {email}. It works once, within 24 hours:")
            self.stdout.write(invitation_link(person, host))
        else:
            self.stderr.write(f"A worker mails {email} a link, which works once, within 24 hours.")
