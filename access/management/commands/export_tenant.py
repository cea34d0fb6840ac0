from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.template.defaultfilters import filesizeformat

from access.audit.events import Actor
from access.maintenance.refusals import Refused
from access.maintenance.tenant_export import export_tenant
from access.management.progress import bars
from access.management.serving import check_database
from access.models import Tenant
from access.refusals import Refusal


class Command(BaseCommand):
    help = (
        "Write everything of a tenant to one private zip file: its tables as JSON lines, its files, its audit trail. "
        "It has no password, no token and no key. For the state of one moment, suspend the tenant before."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("tenant", metavar="SUBDOMAIN")
        parser.add_argument("file", metavar="FILE", type=Path, help="a new file")
        parser.add_argument("--secrets", action="store_true", help="include the secrets of devices in the clear")

    def handle(self, *args: Any, tenant: str, file: Path, secrets: bool, **options: Any) -> None:
        check_database()
        found = Tenant.objects.filter(subdomain=tenant).first()
        if found is None:
            raise CommandError(f"There is no tenant {tenant}.")
        try:
            with bars() as progress:
                made = export_tenant(
                    tenant=found,
                    path=file,
                    with_secrets=secrets,
                    actor=Actor.command("export_tenant"),
                    progress=progress,
                )
        except (Refused, Refusal) as refusal:
            raise CommandError(f"{refusal} No file was left.") from None
        except OSError as error:
            raise CommandError(f"The export could not be written: {error}. No file was left.") from None
        self.stdout.write(f"{made.path}: {filesizeformat(made.size)}, {made.rows:,} rows, {made.files:,} files.")
        if made.missing:
            self.stderr.write(f"{len(made.missing)} files are missing in the storage. The manifest names them.")
        if secrets:
            self.stderr.write("It has the secrets of devices in the clear. Keep it as carefully as those.")
        else:
            self.stderr.write("Left out, as the manifest says: secrets of devices, passwords, digests, keys.")
        if found.active:
            self.stderr.write("The tenant is active: what changed meanwhile may be in one table and not in another.")
