from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from access.audit.events import Actor
from access.management.refusals import in_one_line
from access.management.serving import check_database
from access.models import Role, Tenant
from access.people.administrators import create_administrator
from access.people.invitations import invitation_link, send_invitation
from access.people.tenants import create_tenant

ACTOR = Actor.command("create_tenant")


class Command(BaseCommand):
    help = "Add a tenant and its Account Owner, who gets a link to choose a password: by mail, or printed for you."

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("--name", required=True, help="the organization's name, as its people see it")
        add("--subdomain", required=True, help="first part of its API host; it cannot be changed later")
        add("--owner", required=True, metavar="EMAIL", help="e-mail address that the Account Owner signs in with")
        add("--first-name", default="", help="of the owner")
        add("--last-name", default="", help="of the owner")
        add("--print-link", action="store_true", help="print the owner's link instead of mailing it")

    def handle(self, *args: Any, print_link: bool, **options: Any) -> None:
        check_database()
        host = settings.IRU_WEB_HOSTS[0]
        with in_one_line(), transaction.atomic():  # the tenant, its owner and the mail, or none of them
            if Tenant.objects.filter(subdomain=options["subdomain"]).exists():
                raise CommandError(f"There is a tenant {options['subdomain']} already. Nothing was changed.")
            tenant = create_tenant(name=options["name"], subdomain=options["subdomain"], actor=ACTOR)
            owner = create_administrator(
                tenant=tenant,
                email=options["owner"],
                role=Role.OWNER,
                first_name=options["first_name"],
                last_name=options["last_name"],
                actor=ACTOR,
            )
            send_invitation(owner, None if print_link else host)
        self.stderr.write(f"{tenant.name} is ready. Its API is {tenant.api_url}")
        if print_link:
            self.stderr.write(f"Give this link to {owner.email}. It works once, within 24 hours:")
            self.stdout.write(invitation_link(owner, host))
        else:
            self.stderr.write(
                f"A worker mails {owner.email} a link, which works once, within 24 hours. "
                f"Another one: manage.py invite {owner.email}"
            )
