"""In-house apps for tests, and the time that passes until they are there."""

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from access.models import Tenant
from devices.demo.app_uploads import ipa_file
from devices.mdm.rollout import wake_due
from devices.models import StoredFile
from devices.storage import files
from devices.storage.arrivals import publish
from devices.storage.backends import files_storage
from devices.storage.checks import check_file
from tests.devices.sending import ACTOR

IDENTIFIER = "com.accuhive.expenses"


class Clock:
    """The time of a test, in which the schedules run."""

    def __init__(self) -> None:
        self.now = timezone.now()

    def __call__(self) -> datetime:
        return self.now

    def passes(self, **time: float) -> None:
        self.now += timedelta(**time)
        wake_due.call()


def upload(tenant: Tenant, **info: Any) -> str:
    """Upload an .ipa with these keys in its Info.plist, and have it checked. Returns the key of the file."""
    return stored_upload(tenant, StoredFile.Purpose.IPA_APP, "Expenses.ipa", ipa_file(**info))


def stored_upload(tenant: Tenant, purpose: StoredFile.Purpose, name: str, content: bytes) -> str:
    """Upload a file, and have it checked. Returns its key."""
    file = files.reserve_here(tenant=tenant, purpose=purpose, name=name, actor=ACTOR)
    with files_storage().incoming(file.key) as incoming:
        incoming.write(content)
        incoming.sync()
        publish(file.key, incoming)
    file.refresh_from_db()
    check_file.call(file.pk, file.upload)
    return file.key
