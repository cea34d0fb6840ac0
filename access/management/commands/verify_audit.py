import hmac
import re
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from access.audit.events import MAC_SHOWN, chain
from access.models import AuditHead, Tenant


class Command(BaseCommand):
    help = "Prove that no audit event was edited, removed or moved: follows each tenant's chain up to its head."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", metavar="SUBDOMAIN", help="this one only")
        parser.add_argument(
            "--expect",
            metavar="SEQUENCE:MAC",
            help="also fail unless the chain still holds this head, as the log once told it (needs --tenant)",
        )

    def handle(self, *args: Any, tenant: str | None, expect: str | None, **options: Any) -> None:
        if expect and not tenant:
            raise CommandError("--expect belongs to one tenant: name it with --tenant.")
        if expect and not re.fullmatch(rf"\d+:[0-9a-f]{{{MAC_SHOWN},64}}", expect):
            raise CommandError("--expect takes a head as the log tells it, such as 42:0123456789abcdef.")
        tenants = Tenant.objects.filter(subdomain=tenant) if tenant else Tenant.objects.all()
        if tenant and not tenants:
            raise CommandError(f"There is no tenant {tenant}.")
        broken = False
        for each in tenants:
            if fault := self._fault(each, expect):
                self.stderr.write(f"{each.subdomain}: {fault}")
                broken = True
        if broken:
            raise CommandError("The audit trail is broken.")

    def _fault(self, tenant: Tenant, expect: str | None) -> str | None:
        # The head first: events that are added meanwhile lie behind it, and must continue the chain all the same.
        head = AuditHead.objects.filter(tenant=tenant).first() or AuditHead(tenant=tenant)
        wanted = [(head.sequence, head.mac)]
        if expect:
            number, _, mac = expect.partition(":")
            wanted.append((int(number), mac))
        macs = {0: ""}
        previous, sequence = "", 0
        for event in tenant.audit_events.order_by("sequence").iterator(chunk_size=2000):
            if event.sequence != sequence + 1:
                return f"event {sequence + 1} is missing."
            if not hmac.compare_digest(event.mac.encode(), chain(previous, event).encode()):
                return f"event {event.sequence} ({event.ulid}) is not what was recorded."
            previous, sequence = event.mac, event.sequence
            if any(sequence == at for at, _ in wanted):
                macs[sequence] = previous
        for at, mac in wanted:
            if at > sequence:
                return f"events {sequence + 1} to {at} are missing at the end."
            if not macs[at].startswith(mac):
                return f"event {at} is not the one that its head was made by: the trail was made anew from there."
        self.stdout.write(f"{tenant.subdomain}: {sequence} events, head {sequence}:{previous}")
        return None
