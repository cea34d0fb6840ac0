from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from access.models import Tenant
from devices.dates import zulu
from devices.models import Device, DeviceInventory, LibraryStatus
from tests.devices.imports.importing import fleet, load, mac, reported

pytestmark = [pytest.mark.slow, pytest.mark.django_db]


FIREWALL = {
    "item_id": "22222222-2222-4222-8222-222222222222",
    "name": "Firewall",
    "type": "profile",
    "status": "success",
    "reported_at": "2026-10-01T10:00:00.000000Z",
}


def lists(record: dict[str, Any]) -> list[dict[str, Any]]:
    """What a Mac answers as lists, and a note about it."""
    known = {"device_id": record["device_id"]}
    elsewhere = {"computer": {"id": "x", "name": "x"}, "blueprint": {"id": "x", "name": "x"}}
    note = {
        "note_id": "11111111-1111-4111-8111-111111111111",
        "author": "Ann Fisher",
        "content": "Screen replaced.",
        "created_at": "2026-10-01T10:00:00.000000Z",
        "updated_at": "2026-10-02T10:00:00.000000Z",
    }
    return [
        {**known, "apps": [{"app_name": "Numbers"}]},
        {**known, "library_items": [{"id": 7, **FIREWALL, **elsewhere}]},
        {**known, "parameters": [{"name": "Set the clock"}]},
        {**known, "notes": [note]},
    ]


@pytest.mark.parametrize("first", ["lists", "record"])
def test_lists_of_a_device_complete_its_row(tenant: Tenant, first: str) -> None:
    record, document = mac()
    documents = [*lists(record), record, document] if first == "lists" else [record, document, *lists(record)]
    report = load(tenant, *documents)
    assert (report.rows, report.created, report.skipped, report.counts["notes"]) == (6, 1, 0, 1)
    inventory = DeviceInventory.objects.get()
    assert inventory.details == reported(document)
    assert inventory.apps == [{"app_name": "Numbers"}]
    status = LibraryStatus.objects.select_related("item").get(device=inventory.device)
    assert (status.item.uuid, status.item.name, status.item.type) == (UUID(FIREWALL["item_id"]), "Firewall", "profile")
    assert (status.status, zulu(status.reported_at)) == ("success", FIREWALL["reported_at"])
    assert inventory.parameters == [{"name": "Set the clock"}]
    note = tenant.device_notes.get()
    assert (str(note.uuid), note.author, note.content) == (
        "11111111-1111-4111-8111-111111111111",
        "Ann Fisher",
        "Screen replaced.",
    )
    again = load(tenant, *documents)
    assert (again.created, again.updated, again.unchanged, again.counts["notes"]) == (0, 0, 1, 0)


def test_a_new_list_replaces_the_old_one_alone(tenant: Tenant) -> None:
    record, document = mac()
    load(tenant, record, document, *lists(record))
    edited = lists(record)[3]
    edited["notes"][0] |= {"content": "Screen replaced twice.", "updated_at": "2026-10-03T10:00:00.000000Z"}
    report = load(tenant, {"device_id": record["device_id"], "apps": []}, edited)
    assert (report.updated, report.counts["notes"]) == (1, 0)
    inventory = DeviceInventory.objects.get()
    assert (inventory.apps, inventory.parameters) == ([], [{"name": "Set the clock"}])
    assert inventory.details == reported(document)
    assert tenant.device_notes.get().content == "Screen replaced twice."


def test_the_last_of_several_lists_wins_in_any_order(tenant: Tenant) -> None:
    record, _ = mac()
    known = {"device_id": record["device_id"]}
    older, newer = ({**known, "apps": [{"app_name": name}]} for name in ("Older", "Newer"))
    for documents in ([older, record, newer], [older, newer, record], [record, older, newer]):
        Device.objects.all().delete()
        load(tenant, *documents)
        assert DeviceInventory.objects.get().apps == newer["apps"]


def test_lists_find_a_device_that_has_another_id_here_by_its_serial_number(tenant: Tenant) -> None:
    record, _ = mac()
    load(tenant, {**record, "device_id": None})
    serial = {"serial_number": record["serial_number"].lower()}
    report = load(tenant, *({**document, **serial} for document in lists(record)))
    assert (report.updated, report.skipped) == (1, 0)
    assert DeviceInventory.objects.get().apps == [{"app_name": "Numbers"}]


def test_lists_that_cannot_be_used(tenant: Tenant) -> None:
    record, _ = mac()
    known = {"device_id": record["device_id"]}
    report = load(
        tenant,
        {**known, "apps": []},
        {"apps": []},
        {**known, "apps": "none"},
        {**known, "notes": [1]},
        {**known, "notes": [{"content": "x"}]},
        {**known, "library_items": [], "parameters": []},
        {**known, "apps": [{"app_name": "a\0b"}]},
        {**known, "library_items": [{"name": "Firewall"}]},
    )
    assert dict(report.problems) == {
        "1": "device_id is of no known device",
        "2": "device_id is missing",
        "3": "apps is not a list of objects",
        "4": "notes is not a list of objects",
        "5": "notes.note_id is missing",
        "6": "the status of a device is not needed: its library items and its parameters say the same",
        "7": "holds a NUL character",
        "8": "library_items.item_id is missing",
    }
    assert not Device.objects.exists()


def test_a_list_of_library_items_replaces_the_one_before(tenant: Tenant) -> None:
    record, _ = mac()
    other = {**FIREWALL, "item_id": "33333333-3333-4333-8333-333333333333", "name": "Wi-Fi", "type": ""}
    silent = {**FIREWALL, "item_id": "44444444-4444-4444-8444-444444444444", "status": "pending", "reported_at": None}
    known = {"device_id": record["device_id"]}
    load(tenant, record, {**known, "library_items": [FIREWALL, other, silent]})
    assert set(LibraryStatus.objects.values_list("item__name", "status")) == {
        ("Firewall", "success"),
        ("Wi-Fi", "success"),
    }
    assert tenant.library_items.count() == 3  # one item is known although no device has reported on it
    changed = {**other, "status": "failed", "type": "profile"}
    assert load(tenant, {**known, "library_items": [changed]}).updated == 1
    (status,) = LibraryStatus.objects.select_related("item")
    assert (status.item.name, status.item.type, status.status) == ("Wi-Fi", "profile", "failed")
    assert load(tenant, {**known, "library_items": [changed]}).unchanged == 1


def test_queries_do_not_grow_with_the_lists(tenant: Tenant) -> None:
    records_ = [record for record, _ in fleet(200)]
    load(tenant, *records_)

    def queries(count: int) -> int:
        documents = [document for record in records_[:count] for document in lists(record)]
        with CaptureQueriesContext(connection) as captured:
            load(tenant, *documents)
        return len(captured)

    assert queries(20) >= queries(200) - 5


def test_answers_without_a_device_are_reported_with_a_reason(tenant: Tenant) -> None:
    note = {"note_id": "11111111-1111-4111-8111-111111111111", "content": "x"}
    report = load(tenant, note, {"detail": "Not found."}, {"x": 1})
    assert dict(report.problems) == {
        "1": 'notes stand beside the id of their device: {"device_id": "…", "notes": […]}',
        "2": "an error that the API answered",
        "3": "neither a device record nor a details document",
    }
