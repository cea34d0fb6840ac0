from typing import Any

from django.core.management.base import BaseCommand, CommandError

from access.sealing import SecretUnreadable
from access.sign_in import authenticators, providers
from access.webhooks import signing
from devices.api import idempotency
from devices.bulk import bodies
from devices.enrollment import ade_keys
from devices.fleet import secrets


class Command(BaseCommand):
    help = (
        "Re-encrypt device secrets, bodies of bulk commands that still run, keys and server tokens of Automated Device "
        "Enrollment, answers that are kept for an Idempotency-Key, secrets of webhooks, identity providers and "
        "authenticator apps, and recovery codes, with the newest of IRU_SECRET_KEYS. Older keys can go afterwards."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        total = 0
        try:
            for each in (secrets, ade_keys, bodies, idempotency, signing, authenticators, providers):
                while count := each.rewrap(limit=1000):
                    total += count
        except SecretUnreadable:
            raise CommandError(
                "A secret cannot be decrypted. Is its key missing from IRU_SECRET_KEYS? The log names the key."
            ) from None
        self.stdout.write(f"{total} secrets re-encrypted. No secret uses an older key.")
