from typing import Any

from django.core.management.base import BaseCommand, CommandError

from access.maintenance.keys import SECRET_KEYS, counting, uses
from access.management.progress import bars
from access.sealing import SecretUnreadable, newest_key
from access.sign_in import authenticators, providers
from access.webhooks import signing
from devices.api import idempotency
from devices.bulk import bodies
from devices.enrollment import ade_keys, authorities, push_certificates
from devices.fleet import secrets

LIMIT = 1000  # of a batch
PLACES = (
    secrets,
    ade_keys,
    authorities,
    push_certificates,
    bodies,
    idempotency,
    signing,
    authenticators,
    providers,
)


class Command(BaseCommand):
    help = (
        "Re-encrypt device secrets, bodies of bulk commands that still run, keys and server tokens of Automated Device "
        "Enrollment, private keys of Apple MDM, answers that are kept for an Idempotency-Key, secrets of webhooks, "
        "identity providers and authenticator apps, and recovery codes, with the newest of IRU_SECRET_KEYS. Older keys "
        "can go afterwards. May be interrupted and run again."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        with counting():
            counts = uses()[SECRET_KEYS]
        total = 0
        old = sum(counts.values()) - counts[newest_key()]
        try:
            with bars() as progress:
                for each in PLACES:
                    while count := each.rewrap(limit=LIMIT):  # each batch is committed
                        total += count
                        progress("Secrets", total, max(old, total))
        except SecretUnreadable:
            raise CommandError(
                f"A secret cannot be decrypted; {total} others were re-encrypted. Is its key missing from "
                "IRU_SECRET_KEYS? The log names the key. Run the command again afterwards: it goes on from there."
            ) from None
        self.stdout.write(f"{total} secrets re-encrypted. No secret uses an older key.")
