import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from access.audit.chain import BrokenTrail
from access.audit.events import Actor
from access.maintenance.refusals import Refused
from access.maintenance.tenant_deletion import delete_tenant, parts
from access.management.progress import bars
from access.management.serving import check_database
from access.models import Tenant
from access.refusals import Refusal


class Command(BaseCommand):
    help = (
        "Delete a suspended tenant for good: its rows, its files and its audit trail. Without --yes it only prints "
        "what goes. May be interrupted and run again. Run `export_tenant` before."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("tenant", metavar="SUBDOMAIN")
        parser.add_argument("--yes", action="store_true", help="delete; without it, nothing is changed")
        parser.add_argument("--name", help="the organization's name, which is asked for otherwise")

    def handle(self, *args: Any, tenant: str, yes: bool, name: str | None, **options: Any) -> None:
        check_database()
        found = Tenant.objects.filter(subdomain=tenant).first()
        if found is None:
            raise CommandError(f"There is no tenant {tenant}.")
        for part in parts(found):
            self.stdout.write(f"{part.rows:,} {part.name}")
        if found.active:
            raise CommandError(f"{found.name} is active. Nothing was deleted. Suspend it in Django admin first.")
        if not yes:
            self.stdout.write(f"Nothing was deleted. With --yes, {found.name} and all of these are deleted for good.")
            return
        if (name if name is not None else _typed(found)) != found.name:
            raise CommandError(f"That is not the name of {found.subdomain}. Nothing was deleted.")
        try:
            with bars() as progress:
                number = delete_tenant(tenant=found, actor=Actor.command("delete_tenant"), progress=progress)
        except (Refused, Refusal) as refusal:
            raise CommandError(str(refusal)) from None
        except (BrokenTrail, OSError) as error:
            raise CommandError(f"The deletion is not finished: {error} Run the command again; it goes on.") from None
        self.stdout.write(
            f"{found.name} is deleted: {number:,} rows, with its files. The trail of the installation says so. "
            "Backups still have it."
        )


def _typed(tenant: Tenant) -> str:
    """Raises CommandError where nobody can be asked."""
    if not sys.stdin.isatty():
        raise CommandError("Nobody can be asked here. Nothing was deleted. Give the organization's name with --name.")
    return input(f"Type the name of the organization {tenant.subdomain} to delete it for good: ").strip()
