from typing import Any

from django.core.management.base import BaseCommand, CommandError

from devices.fleet.secrets import SecretUnreadable, rewrap


class Command(BaseCommand):
    help = "Encrypt every device secret under the newest of IRU_SECRET_KEYS; after that the older keys may go."

    def handle(self, *args: Any, **options: Any) -> None:
        total = 0
        try:
            while done := rewrap(limit=1000):
                total += done
        except SecretUnreadable:
            raise CommandError(
                "A secret does not decrypt: is its key missing from IRU_SECRET_KEYS? The log names it."
            ) from None
        self.stdout.write(f"{total} secrets encrypted anew; none is left under an older key.")
