"""Two changes at once that need the same rows: one waits for the other, and both are made."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from time import sleep

import pytest
from django.db import connection, transaction

from access.audit.events import Actor
from access.models import Tenant
from devices.fleet.devices import delete_device, update_device
from devices.fleet.notes import create_note, update_note
from devices.models import Device, DeviceNote
from tests.factories.devices import DeviceFactory, NoteFactory

ACTOR = Actor.command("test")
MOMENT = 0.3  # for the other change to begin; where it has not, the test sees less and passes


def beside(first: Callable[[Event], object], second: Callable[[], object]) -> None:
    """Run `second` in another thread once `first` sets its event."""
    started = Event()

    def wait() -> None:
        try:
            assert started.wait(10)
            second()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(wait)
        first(started)
        other.result()


@pytest.mark.django_db(transaction=True)
def test_a_note_about_a_device_that_is_being_changed(tenant: Tenant) -> None:
    device = DeviceFactory.create(tenant=tenant)

    def change(started: Event) -> None:
        with transaction.atomic():
            Device.objects.select_for_update().get(pk=device.pk)
            started.set()
            sleep(MOMENT)
            update_device(tenant=tenant, device_id=device.uuid, asset_tag="A-1", actor=ACTOR)

    beside(change, lambda: create_note(tenant=tenant, device_id=device.uuid, content="Dropped.", actor=ACTOR))

    assert device.notes.count() == 1
    assert list(tenant.audit_events.order_by("sequence").values_list("summary", flat=True)) == [
        "Device updated",
        "Note created",
    ]


@pytest.mark.django_db(transaction=True)
def test_a_device_is_deleted_while_its_note_is_edited(tenant: Tenant) -> None:
    note = NoteFactory.create(tenant=tenant, device=DeviceFactory.create(tenant=tenant))
    device = note.device

    def edit(started: Event) -> None:
        with transaction.atomic():
            DeviceNote.objects.select_for_update().get(pk=note.pk)
            started.set()
            sleep(MOMENT)
            update_note(tenant=tenant, device_id=device.uuid, note_id=note.uuid, content="New.", actor=ACTOR)

    beside(edit, lambda: delete_device(tenant=tenant, device_id=device.uuid, actor=ACTOR))

    assert list(tenant.audit_events.order_by("sequence").values_list("summary", flat=True)) == [
        "Note edited",
        "Device deleted",
    ]
