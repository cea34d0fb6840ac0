from typing import Any

from django.core.management.base import BaseCommand

from access.audit.events import Actor
from access.maintenance.rotation import begin_newest_key, newest_audit_key
from access.management.progress import bars
from access.management.serving import check_database


class Command(BaseCommand):
    help = (
        "After a new key was put first in IRU_AUDIT_KEYS and everything was restarted: add an event under it to each "
        "trail, so that nobody can extend a trail with an older key. May be interrupted and run again."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        check_database()
        with bars() as progress:
            number = begin_newest_key(actor=Actor.command("rotate_audit_key"), progress=progress)
        self.stdout.write(
            f"{number} trails were moved to key {newest_audit_key()}. Every trail with an event ends under it. "
            "Keep the older keys: older events are verified under them."
        )
