from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from access.audit.chain import BrokenTrail, trail_name
from access.audit.events import Actor
from access.audit.repair import repair_head
from access.models import Tenant


class Command(BaseCommand):
    help = (
        "Set the head of an audit trail to its last event, after `verify_audit` found the head missing or "
        "wrong. Says what it did, and records it in the trail."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("tenant", metavar="SUBDOMAIN", nargs="?", help="whose trail")
        which.add_argument("--installation", action="store_true", help="the trail of the installation: its operators")

    def handle(self, *args: Any, tenant: str | None, **options: Any) -> None:
        found = Tenant.objects.filter(subdomain=tenant).first() if tenant else None
        if tenant and found is None:
            raise CommandError(f"There is no tenant {tenant}.")
        try:
            sentences = repair_head(tenant=found, actor=Actor.command("repair_audit_head"))
        except BrokenTrail as fault:
            raise CommandError(f"Nothing was changed, because the trail itself is broken: {fault}") from None
        for sentence in sentences or ["The head is right. Nothing was changed."]:
            self.stdout.write(f"{trail_name(found)}: {sentence}")
