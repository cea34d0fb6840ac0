"""The last contact of a device: one narrow row, and the task that copies it."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Event
from time import sleep
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from access.models import Administrator, Tenant
from access.tasks import schedules
from devices.commands import COMMANDS
from devices.commands.lock import last_lock
from devices.fleet import contact, records
from devices.fleet.contact import copy_contacts, newest_contact, note_contact
from devices.fleet.record_pages import record_of
from devices.models import Device, DeviceCommand, DeviceSeen
from tests.database import repeated
from tests.factories.devices import ENROLLED, BlueprintFactory, DeviceCommandFactory, DeviceFactory, TagFactory
from tests.types import Call, IssueToken, RunTasks

NOON = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)  # without a fraction, as a text of SQLite shorter than others
LATER = NOON + timedelta(microseconds=7)
MOMENT = 0.3  # for the other connection to begin; where it has not, the test sees less and passes


@pytest.fixture
def device(tenant: Tenant) -> Device:
    made: Device = DeviceFactory.create(tenant=tenant, tags=[TagFactory.create(tenant=tenant)])
    return made


def seen(device: Device) -> DeviceSeen:
    return DeviceSeen.objects.get(device=device)


def fresh(device: Device) -> Device:
    return Device.objects.get(pk=device.pk)


def test_a_contact_is_one_statement_on_one_row(device: Device) -> None:
    for at in (NOON, LATER):
        with CaptureQueriesContext(connection) as queries:
            note_contact(device.pk, at)
        assert len(queries) == 1
        assert seen(device).at == at
    assert fresh(device).last_check_in == ENROLLED + timedelta(days=1)


@pytest.mark.parametrize(("first", "second"), [(NOON, LATER), (LATER, NOON), (LATER, LATER)])
def test_the_later_of_two_contacts_stays(device: Device, first: datetime, second: datetime) -> None:
    note_contact(device.pk, first)
    note_contact(device.pk, second)
    assert seen(device).at == LATER


def test_the_task_copies_into_the_device_and_its_record(device: Device, other_tenant: Tenant) -> None:
    other = DeviceFactory.create(tenant=other_tenant, last_check_in=None)
    silent = DeviceFactory.create(tenant=device.tenant)
    note_contact(device.pk, NOON)
    note_contact(other.pk, LATER)
    copy_contacts.call()
    assert (fresh(device).last_check_in, fresh(other).last_check_in) == (NOON, LATER)
    assert json.loads(fresh(device).record_json)["last_check_in"] == "2026-11-27T12:00:00.000000Z"
    assert json.loads(fresh(other).record_json)["last_check_in"] == "2026-11-27T12:00:00.000007Z"
    assert fresh(silent).last_check_in == silent.last_check_in
    assert not list(records.outdated([device.pk, other.pk, silent.pk]))
    # The next contact is copied too.
    note_contact(device.pk, LATER)
    copy_contacts.call()
    assert fresh(device).last_check_in == LATER
    assert not list(records.outdated([device.pk]))


@pytest.mark.parametrize("name", ['"last_check_in":null,', '\\"last_check_in":"x"', "a,"])
def test_no_text_of_a_record_is_taken_for_its_last_check_in(tenant: Tenant, name: str) -> None:
    device = DeviceFactory.create(tenant=tenant, name=name, asset_tag=name)
    note_contact(device.pk, NOON)
    copy_contacts.call()
    assert not list(records.outdated([device.pk]))


def test_a_later_check_in_of_an_import_stays(device: Device) -> None:
    Device.objects.filter(pk=device.pk).update(last_check_in=LATER)
    records.refresh([device.pk])
    note_contact(device.pk, NOON)
    before = fresh(device)
    copy_contacts.call()
    assert (fresh(device).last_check_in, fresh(device).record_json) == (LATER, before.record_json)
    assert newest_contact(fresh(device)) == LATER


def test_a_second_run_changes_nothing(device: Device) -> None:
    note_contact(device.pk, NOON)
    copy_contacts.call()
    with CaptureQueriesContext(connection) as queries:
        copy_contacts.call()
    assert len(queries) == 1


def test_a_run_that_is_killed_between_two_batches_is_finished_by_the_next(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contact, "BATCH", 2)
    blueprint = BlueprintFactory.create(tenant=tenant)
    devices = [DeviceFactory.create(tenant=tenant, blueprint=blueprint) for _ in range(5)]
    for each in devices:
        note_contact(each.pk, NOON)
    batches = [records.set_last_check_in]

    def killed(moments: Any) -> None:
        batches.pop()(moments)

    with monkeypatch.context() as patch:
        patch.setattr(records, "set_last_check_in", killed)
        with pytest.raises(IndexError):
            copy_contacts.call()
    assert tenant.devices.filter(last_check_in=NOON).count() == 2
    copy_contacts.call()
    assert tenant.devices.filter(last_check_in=NOON).count() == 5
    assert not list(records.outdated(tenant.devices.values_list("pk", flat=True)))


def test_nothing_is_marked_that_was_not_stored(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    note_contact(device.pk, NOON)

    def cut(moments: Any) -> None:
        raise ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(records, "set_last_check_in", cut)
        with pytest.raises(ConnectionError):
            copy_contacts.call()
    assert seen(device).copied is None
    copy_contacts.call()
    assert fresh(device).last_check_in == NOON


def closing[R](work: Callable[[], R]) -> R:
    """For another thread, which has a connection of its own."""
    try:
        return work()
    finally:
        connection.close()


@pytest.mark.postgres_only  # SQLite has one writer at a time
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("locked", ["device", "row"])
def test_the_task_waits_for_no_change_of_a_device(tenant: Tenant, locked: str) -> None:
    busy, free = (DeviceFactory.create(tenant=tenant) for _ in range(2))
    for each in (busy, free):
        note_contact(each.pk, NOON)
    with transaction.atomic():
        rows: Any = Device.objects if locked == "device" else DeviceSeen.objects
        rows.select_for_update().get(pk=busy.pk)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(closing, copy_contacts.call).result(10)
            # By another connection: this transaction may see what was there when it began.
            assert pool.submit(closing, lambda: fresh(free)).result(10).last_check_in == NOON
    assert fresh(busy).last_check_in != NOON
    copy_contacts.call()
    assert fresh(busy).last_check_in == NOON


@pytest.mark.django_db(transaction=True)
def test_a_contact_during_the_copy_is_not_lost(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    device = DeviceFactory.create(tenant=tenant)
    note_contact(device.pk, NOON)
    store, begun = records.set_last_check_in, Event()

    def slow(moments: Any) -> None:
        begun.set()
        sleep(MOMENT)
        store(moments)

    def note() -> None:
        assert begun.wait(10)
        repeated(lambda: note_contact(device.pk, LATER))

    monkeypatch.setattr(records, "set_last_check_in", slow)
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(closing, note)
        copy_contacts.call()
        other.result(10)
    copy_contacts.call()
    assert fresh(device).last_check_in == LATER
    assert not list(records.outdated([device.pk]))


@pytest.mark.django_db(transaction=True)
def test_two_runs_at_once(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contact, "BATCH", 3)
    blueprint = BlueprintFactory.create(tenant=tenant)
    devices = [DeviceFactory.create(tenant=tenant, blueprint=blueprint) for _ in range(20)]
    for each in devices:
        note_contact(each.pk, NOON)
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(closing, copy_contacts.call) for _ in range(2)]:
            done.result(20)
    assert tenant.devices.filter(last_check_in=NOON).count() == 20
    assert not list(records.outdated([each.pk for each in devices]))


def test_a_workers_schedule_has_it_run(device: Device, run_tasks: RunTasks) -> None:
    note_contact(device.pk, NOON)
    schedules.store_missing()
    schedules.enqueue_due()
    run_tasks()
    assert fresh(device).last_check_in == NOON


def test_the_record_of_one_device_has_the_newest_contact(device: Device) -> None:
    for at in (NOON, LATER):
        note_contact(device.pk, at)
        text = record_of(device.tenant.pk, device.uuid)
        copy_contacts.call()
        assert text == fresh(device).record_json == record_of(device.tenant.pk, device.uuid)


def test_a_mac_that_came_back_is_not_locked_although_nothing_is_copied_yet(tenant: Tenant) -> None:
    mac = DeviceFactory.create(tenant=tenant, last_check_in=NOON - timedelta(days=1))
    DeviceCommandFactory.create(
        tenant=tenant,
        device=mac,
        command="lock_device",
        status=DeviceCommand.Status.COMPLETED,
        date_requested=NOON,
        date_completed=NOON,
    )
    assert last_lock(fresh(mac))
    note_contact(mac.pk, NOON)  # its answer to the lock
    assert last_lock(fresh(mac))
    note_contact(mac.pk, LATER)
    assert last_lock(fresh(mac)) is None
    COMMANDS["lock_device"].check(fresh(mac))


def test_calls_and_pages_about_one_device_show_the_newest_contact(
    device: Device, api: Call, issue_token: IssueToken, owner: Administrator, client: Client
) -> None:
    note_contact(device.pk, LATER)
    token = issue_token("get_device", "get_device_details", "list_devices")
    url = f"/api/v1/devices/{device.uuid}"
    expected = "2026-11-27T12:00:00.000007Z"
    assert api("GET", url, token).json()["last_check_in"] == expected
    assert api("GET", f"{url}/details", token).json()["kandji_agent"]["last_check_in"] == expected
    (listed,) = api("GET", "/api/v1/devices", token).json()
    assert listed["last_check_in"] == "2024-05-14T20:09:27.374451Z"  # until the task has run
    client.force_login(owner)
    page = client.get(reverse("device", args=[device.uuid]))
    assert page.context["device"].last_check_in == LATER
    assert "2026-11-27T12:00:00" in page.text
