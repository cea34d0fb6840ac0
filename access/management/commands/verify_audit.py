import re
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from access.audit.chain import LOGGED_DIGITS, BrokenTrail, verify
from access.models import Tenant


class Command(BaseCommand):
    help = "Prove that no audit event was edited, removed or moved: follows each tenant's chain up to its head."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", metavar="SUBDOMAIN", help="this one only")
        parser.add_argument(
            "--expect",
            metavar="SEQUENCE:MAC",
            help="also fail unless the chain still holds this head, as the log shows it (needs --tenant)",
        )

    def handle(self, *args: Any, tenant: str | None, expect: str | None, **options: Any) -> None:
        if expect and not tenant:
            raise CommandError("--expect belongs to one tenant: name it with --tenant.")
        if expect and not re.fullmatch(rf"\d+:[0-9a-f]{{{LOGGED_DIGITS},64}}", expect):
            raise CommandError("--expect takes a head as the log shows it, such as 42:0123456789abcdef.")
        tenants = Tenant.objects.filter(subdomain=tenant) if tenant else Tenant.objects.all()
        if tenant and not tenants:
            raise CommandError(f"There is no tenant {tenant}.")
        logged_head = None
        if expect:
            sequence, _, mac = expect.partition(":")
            logged_head = int(sequence), mac
        broken = False
        for each in tenants:
            try:
                count, mac = verify(each, logged_head=logged_head)
            except BrokenTrail as fault:
                self.stderr.write(f"{each.subdomain}: {fault}")
                broken = True
            else:
                self.stdout.write(f"{each.subdomain}: {count} events, head {count}:{mac}")
        if broken:
            raise CommandError("The audit trail is broken.")
