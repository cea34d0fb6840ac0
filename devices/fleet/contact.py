"""Contacts of devices: a narrow row for each device says when it was last in contact.

Each contact writes that row alone. Once a minute a task copies the moments into `Device.last_check_in` and the prepared
records, which stand in wide rows with many indexes: docs/decisions/narrow-tables.md has the figures.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from itertools import batched

from django.db import connection, transaction
from django.db.models import F, Q

from access.database import commit_without_waiting, retried
from access.tasks.backend import task
from devices.fleet import records
from devices.models import Device, DeviceSeen

BATCH = 100  # devices in one transaction of a worker; their own changes wait for it

# One statement: two contacts of a device at once leave the later moment, in whichever order they are written.
NOTE = """
INSERT INTO devices_deviceseen (device_id, at) VALUES (%s, %s)
ON CONFLICT (device_id) DO UPDATE SET at = excluded.at WHERE excluded.at > devices_deviceseen.at
"""


def note_contact(device_id: int, at: datetime) -> None:
    """The device with this primary key was in contact. An earlier moment than the stored one changes nothing.

    Belongs inside the transaction of the contact, where the device is locked or was found in its tenant.
    """
    with connection.cursor() as cursor:
        cursor.execute(NOTE, [device_id, connection.ops.adapt_datetimefield_value(at)])


def newest_contact(device: Device) -> datetime | None:
    """When the device was last in contact, also where that is not copied yet. No query where `seen` was fetched."""
    seen: DeviceSeen | None = getattr(device, "seen", None)
    moments = [at for at in (device.last_check_in, seen and seen.at) if at]
    return max(moments, default=None)


def show_newest_contact(device: Device) -> Device:
    """The same device, whose `last_check_in` in memory is the newest contact. It is not saved."""
    device.last_check_in = newest_contact(device)
    return device


@task()
def copy_contacts() -> None:
    """Bring `last_check_in` and the records of the devices up to date that were in contact.

    It never waits for the lock of a device or of its row here: the next run copies those. Harmless when it runs twice,
    or in two workers at once.
    """
    waiting = DeviceSeen.objects.filter(Q(copied=None) | Q(copied__lt=F("at"))).order_by("pk")
    for pks in batched(waiting.values_list("pk", flat=True), BATCH, strict=False):
        retried(partial(_copy, pks))


@transaction.atomic
def _copy(pks: Sequence[int]) -> None:
    # A crash of the server may undo the copies, and undoes their marks with them.
    commit_without_waiting()
    # The device first, and then its row: a contact locks them in this order.
    devices = Device.objects.filter(pk__in=pks).order_by("pk").select_for_update(no_key=True, skip_locked=True)
    stored = dict(devices.values_list("pk", "last_check_in"))
    seen = DeviceSeen.objects.filter(pk__in=stored).select_for_update(no_key=True, skip_locked=True)
    moments = dict(seen.values_list("pk", "at"))
    records.set_last_check_in({pk: at for pk, at in moments.items() if _is_later(at, stored[pk])})
    DeviceSeen.objects.filter(pk__in=moments).update(copied=F("at"))


def _is_later(at: datetime, than: datetime | None) -> bool:
    return than is None or at > than
