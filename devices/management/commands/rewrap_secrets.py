from typing import Any

from django.core.management.base import BaseCommand, CommandError

from access.sealing import SecretUnreadable
from devices.fleet.secrets import rewrap


class Command(BaseCommand):
    help = (
        "Re-encrypt every device secret with the newest of IRU_SECRET_KEYS. The older keys can be removed afterwards."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        total = 0
        try:
            while count := rewrap(limit=1000):
                total += count
        except SecretUnreadable:
            raise CommandError(
                "A secret cannot be decrypted. Is its key missing from IRU_SECRET_KEYS? The log names the key."
            ) from None
        self.stdout.write(f"{total} secrets re-encrypted. No secret uses an older key.")
