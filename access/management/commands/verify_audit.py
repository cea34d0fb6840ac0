import re
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from access.audit.chain import LOGGED_DIGITS, BrokenTrail, beginning, trail_name, verify
from access.maintenance.rotation import newest_audit_key, trails_under_older_keys
from access.models import Tenant


class Command(BaseCommand):
    help = "Prove that no audit event was edited, removed or moved: follows each trail's chain up to its head."

    def add_arguments(self, parser: CommandParser) -> None:
        one = parser.add_mutually_exclusive_group()
        one.add_argument("--tenant", metavar="SUBDOMAIN", help="this one only")
        one.add_argument(
            "--installation", action="store_true", help="only the trail of the installation: its operators"
        )
        parser.add_argument(
            "--expect",
            metavar="SEQUENCE:MAC",
            help="also fail unless the chain still holds this head, as the log shows it; it belongs to one trail",
        )

    def handle(self, *args: Any, tenant: str | None, installation: bool, expect: str | None, **options: Any) -> None:
        if expect and not (tenant or installation):
            raise CommandError("--expect belongs to one trail: name it with --tenant, or give --installation.")
        if expect and not re.fullmatch(rf"\d+:[0-9a-f]{{{LOGGED_DIGITS},64}}", expect):
            raise CommandError("--expect takes a head as the log shows it, such as 42:0123456789abcdef.")
        trails: list[Tenant | None] = [*(Tenant.objects.filter(subdomain=tenant) if tenant else Tenant.objects.all())]
        if tenant and not trails:
            raise CommandError(f"There is no tenant {tenant}.")
        if installation:
            trails = [None]
        elif not tenant:
            trails.append(None)
        logged_head = None
        if expect:
            sequence, _, mac = expect.partition(":")
            logged_head = int(sequence), mac
        broken = False
        for each in trails:
            try:
                count, mac = verify(each, logged_head=logged_head)
            except BrokenTrail as fault:
                self.stderr.write(f"{trail_name(each)}: {fault}")
                broken = True
            else:
                removed = beginning(each).place.sequence
                without = f", of which the first {removed} were removed by a purge" if removed else ""
                self.stdout.write(f"{trail_name(each)}: {count} events{without}, head {count}:{mac}")
        if broken:
            raise CommandError("The audit trail is broken.")
        if older := [each for each in trails_under_older_keys() if each in trails]:
            # Somebody who has only that key could have made their ends anew.
            self.stderr.write(
                f"{len(older)} of these trails end under an older key than the newest, {newest_audit_key()}: "
                f"{trail_name(older[0])}{' and others' if len(older) > 1 else ''}. Run `manage.py rotate_audit_key`."
            )
