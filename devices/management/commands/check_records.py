from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.db.models import Count

from access.models import Tenant
from devices.fleet import records
from devices.models import Device


class Command(BaseCommand):
    help = (
        "Prove that every prepared device record and device count equals a fresh one; --fix rewrites those that differ."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--fix", action="store_true", help="rewrite what differs")

    def handle(self, *args: Any, fix: bool, **options: Any) -> None:
        wrong = 0
        # One transaction: devices may change meanwhile, and a half-seen change would look like a wrong record.
        with transaction.atomic():
            pks = list(Device.objects.order_by("pk").values_list("pk", flat=True))
            if fix:
                wrong += records.refresh(pks)
            else:
                for pk, _ in records.outdated(pks):
                    self.stderr.write(f"device {pk}: the stored record differs from a fresh one")
                    wrong += 1
            for tenant in (
                Tenant.objects.filter(fleet__isnull=False).select_related("fleet").annotate(n=Count("devices"))
            ):
                if tenant.fleet.device_count != tenant.n:
                    self.stderr.write(
                        f"tenant {tenant.subdomain}: counts {tenant.fleet.device_count} of {tenant.n} devices"
                    )
                    wrong += 1
                    if fix:
                        tenant.fleet.device_count = tenant.n
                        tenant.fleet.save(update_fields=["device_count"])
        if wrong and not fix:
            raise CommandError(f"{wrong} of {len(pks)} records differ. Run with --fix to rewrite them.")
        self.stdout.write(
            f"{len(pks)} records checked, {wrong} rewritten." if fix else f"{len(pks)} records, all as rendered."
        )
