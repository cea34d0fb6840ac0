from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.db.models import Count

from access.models import Tenant
from devices.fleet import records
from devices.models import Device


class Command(BaseCommand):
    help = "Check that all prepared device records and device counts are up to date; --fix rewrites those that are not."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--fix", action="store_true", help="rewrite outdated records and counts")

    def handle(self, *args: Any, fix: bool, **options: Any) -> None:
        errors = 0
        # One transaction, because devices can change during the check: half of a change would look like an error.
        with transaction.atomic():
            pks = list(Device.objects.order_by("pk").values_list("pk", flat=True))
            if fix:
                errors += records.refresh(pks)
            else:
                for pk, _ in records.outdated(pks):
                    self.stderr.write(f"device {pk}: the record is outdated")
                    errors += 1
            for tenant in (
                Tenant.objects.filter(fleet__isnull=False).select_related("fleet").annotate(n=Count("devices"))
            ):
                if tenant.fleet.device_count != tenant.n:
                    self.stderr.write(
                        f"tenant {tenant.subdomain}: the device count is {tenant.fleet.device_count}, not {tenant.n}"
                    )
                    errors += 1
                    if fix:
                        tenant.fleet.device_count = tenant.n
                        tenant.fleet.save(update_fields=["device_count"])
        if errors and not fix:
            raise CommandError(f"{len(pks)} records checked, {errors} errors found. Run with --fix to correct them.")
        self.stdout.write(
            f"{len(pks)} records checked, {errors} errors corrected." if fix else f"{len(pks)} records, all up to date."
        )
