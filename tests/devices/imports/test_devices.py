import json
from copy import deepcopy
from itertools import chain, islice
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from access.models import AuditEvent, Tenant
from devices.blueprints.blueprints import delete_blueprint
from devices.imports import problems
from devices.inventory.details import details
from devices.models import Blueprint, Device, DeviceInventory, Fleet, Tag, User
from tests.devices.imports.importing import ACTOR, fleet, fresh, load, load_file, mac, reported, stored
from tests.plans import plan
from tests.types import Call, IssueToken

pytestmark = [pytest.mark.slow, pytest.mark.django_db]


def test_thousands_of_rows_of_a_file(tenant: Tenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devices.imports.devices.BATCH", 1000)
    rows = [record for record, _ in fleet(2_500)]
    path = tmp_path / "devices"
    path.write_text(json.dumps(rows, indent=2, ensure_ascii=False), encoding="utf-8")
    report = load_file(tenant, path)
    assert (report.rows, report.created, report.skipped) == (2_500, 2_500, 0)
    assert report.counts["blueprints"] == Blueprint.objects.count() == len({row["blueprint_id"] for row in rows})
    assert report.counts["users"] == User.objects.count() == len({row["user"]["id"] for row in rows if row["user"]})
    assert report.counts["tags"] == Tag.objects.count() == len({tag for row in rows for tag in row["tags"]})
    assert fresh(tenant)
    assert stored(tenant) == rows
    events = AuditEvent.objects.filter(summary="Devices imported")
    assert sum(event.metadata["created"] for event in events) == 2_500  # type: ignore[index]
    assert len({event.metadata["import_id"] for event in events}) == 1  # type: ignore[index]

    again = load_file(tenant, path)
    assert (again.created, again.updated, again.unchanged) == (0, 0, 2_500)
    assert events.count() == 3  # nothing changed, so no event was written


def test_queries_do_not_grow_with_the_rows(tenant: Tenant) -> None:
    def queries(count: int) -> int:
        rows = [{**record, "device_name": f"renamed {count}"} for record, _ in fleet(count)]
        with CaptureQueriesContext(
            connection,
        ) as captured:
            load(tenant, *rows)
        return len(captured)

    load(tenant, *(record for record, _ in fleet(1000)))
    assert queries(1000) - queries(200) < 15


def test_a_batch_takes_no_more_statements_after_others(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    def statements(rows: list[dict[str, Any]]) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert load(tenant, *rows).created == len(rows)
        return len(captured)

    monkeypatch.setattr("devices.imports.devices.BATCH", 100)
    rows = [record for record, _ in fleet(1000)]
    load(tenant, *rows[:100])  # the first batch makes the Blueprints and tags that the others share
    one, eight = statements(rows[100:200]), statements(rows[200:])
    assert eight <= 8 * one + 15


@pytest.mark.sqlite_only  # PostgreSQL compares the costs, and reads small tables as a whole
def test_devices_of_a_batch_are_found_by_their_keys(tenant: Tenant) -> None:
    """Reading all of them for each batch made an import grow faster than its rows."""
    rows = [record for record, _ in fleet(300)]
    load(tenant, *rows)
    with CaptureQueriesContext(connection) as captured:
        load(tenant, *({**row, "asset_tag": "new"} for row in rows))
    reads = [each["sql"] for each in captured if each["sql"].startswith('SELECT "devices_device"."id", ')]
    assert len(reads) == 2  # by id and by serial number
    steps = [step for read in reads for step in plan(read, ())]
    assert [step for step in steps if step.startswith("SCAN") or step.endswith("(tenant_id=?)")] == []


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["list first", "details first"])
@pytest.mark.parametrize("together", [True, False], ids=["one import", "two imports"])
def test_list_and_details_complete_each_other(tenant: Tenant, order: tuple[int, int], together: bool) -> None:
    pairs = list(fleet(150))
    kinds = [[pair[kind] for pair in pairs] for kind in order]
    reports = [load(tenant, *chain(*kinds))] if together else [load(tenant, *documents) for documents in kinds]
    assert sum(report.created for report in reports) == 150
    assert [report.skipped for report in reports] == [0] * len(reports)
    assert stored(tenant) == [record for record, _ in pairs]
    assert fresh(tenant)
    devices = Device.objects.complete().order_by("pk")
    assert [details(device) for device in devices] == [document for _, document in pairs]
    reports = [load(tenant, *documents) for documents in kinds]
    assert [(report.created, report.updated) for report in reports] == [(0, 0), (0, 0)]


def test_the_latest_check_in_stays(tenant: Tenant) -> None:
    record, document = mac()
    record["last_check_in"] = "2026-11-01T10:00:00.000000Z"
    document["mdm"]["last_check_in"] = "2026-11-01 09:00:00.000000+00:00"
    document["kandji_agent"]["last_check_in"] = "2026-11-01T09:00:00.000000Z"
    load(tenant, record)
    load(tenant, document)
    assert stored(tenant)[0]["last_check_in"] == "2026-11-01T10:00:00.000000Z"
    document["kandji_agent"]["last_check_in"] = "2026-11-01T11:00:00.000000Z"
    load(tenant, document)
    assert stored(tenant)[0]["last_check_in"] == "2026-11-01T11:00:00.000000Z"


def test_found_by_id_before_serial_number(tenant: Tenant) -> None:
    (first, _), (second, _) = islice(fleet(2), 2)
    load(tenant, first, second)
    report = load(tenant, {**first, "device_name": "By id", "serial_number": "NEWSERIAL1"})
    assert (report.created, report.updated) == (0, 1)
    report = load(
        tenant,
        {**second, "device_id": None, "device_name": "By serial", "serial_number": second["serial_number"].lower()},
    )
    assert (report.created, report.updated) == (0, 1)
    assert [(row["device_id"], row["device_name"]) for row in stored(tenant)] == [
        (first["device_id"], "By id"),
        (second["device_id"], "By serial"),
    ]


def test_an_unknown_id_with_a_known_serial_number_is_the_known_device(tenant: Tenant) -> None:
    record, document = mac()
    load(tenant, record)
    document["general"]["device_id"] = "11111111-1111-4111-8111-111111111111"
    load(tenant, {**record, "device_id": "11111111-1111-4111-8111-111111111111"}, document)
    assert [row["device_id"] for row in stored(tenant)] == [record["device_id"]]


def test_a_serial_number_of_another_device_is_refused(tenant: Tenant) -> None:
    (first, _), (second, _) = islice(fleet(2), 2)
    report = load(tenant, first, second, {**first, "serial_number": second["serial_number"].lower()})
    assert list(report.problems) == [
        ("3", f"serial_number {second['serial_number'].lower()} belongs to device {second['device_id']}")
    ]
    assert [row["serial_number"] for row in stored(tenant)] == [first["serial_number"], second["serial_number"]]


def test_the_last_of_double_rows_wins(tenant: Tenant) -> None:
    record, _ = mac()
    report = load(tenant, record, record, {**record, "asset_tag": "last"})
    assert (report.rows, report.created, report.skipped) == (3, 1, 0)
    assert stored(tenant)[0]["asset_tag"] == "last"


def test_a_mixed_import_counts_only_what_is_new(tenant: Tenant, api: Call, issue_token: IssueToken) -> None:
    rows = [record for record, _ in fleet(14)]
    load(tenant, *rows[:10])
    changed = [{**row, "asset_tag": "changed"} for row in rows[:4]]
    report = load(tenant, *changed, *rows[4:], rows[13], {**rows[12], "asset_tag": "changed"})
    assert (report.created, report.updated, report.unchanged) == (4, 4, 6)
    assert Fleet.objects.get(tenant=tenant).device_count == tenant.devices.count() == 14
    assert api("GET", "/api/v1/devices?limit=1", issue_token("list_devices"))["X-Total-Count"] == "14"


def test_a_serial_number_in_another_case_stays_as_it_was_reported_first(tenant: Tenant) -> None:
    record, _ = mac()
    load(tenant, record)
    report = load(tenant, {**record, "serial_number": record["serial_number"].lower()})
    assert (report.updated, report.unchanged) == (0, 1)
    assert stored(tenant)[0]["serial_number"] == record["serial_number"]


@pytest.mark.parametrize("address", ["a4:83:e7:0a:0b:0c", "A4-83-E7-0A-0B-0C", "a4:83:E7:0a:0B:0c"])
def test_a_mac_address_stays_as_it_was_reported(
    tenant: Tenant, api: Call, issue_token: IssueToken, address: str
) -> None:
    record, document = mac()
    document["network"]["mac_address"] = address
    load(tenant, record, document)
    assert details(Device.objects.complete().get())["network"]["mac_address"] == address
    token = issue_token("list_devices")
    for spelling in (address, "a4:83:e7:0a:0b:0c", "A4-83-E7-0A-0B-0C"):
        (found,) = api("GET", f"/api/v1/devices?mac_address={spelling}", token).json()
        assert found["device_id"] == record["device_id"]


def test_the_agents_check_in_does_not_replace_that_of_mdm(tenant: Tenant) -> None:
    record, document = mac()
    document["mdm"]["last_check_in"] = "2026-10-30 09:00:00.000000+00:00"
    document["kandji_agent"]["last_check_in"] = record["last_check_in"] = "2026-11-01T10:00:00.000000Z"
    load(tenant, document, record)
    assert stored(tenant)[0]["last_check_in"] == "2026-11-01T10:00:00.000000Z"
    assert details(Device.objects.complete().get()) == document


def test_a_key_that_some_states_of_a_device_lack_is_not_added(tenant: Tenant) -> None:
    _, document = mac()
    del document["recovery_information"]["password_has_been_set"]
    load(tenant, document)
    assert details(Device.objects.complete().get()) == document


def test_other_tenants_are_left_alone(tenant: Tenant, other_tenant: Tenant) -> None:
    rows = [record for record, _ in fleet(40)]
    load(other_tenant, *rows)
    before = list(Device.objects.filter(tenant=other_tenant).order_by("pk").values())
    report = load(tenant, *({**row, "device_name": "mine", "tags": ["mine"]} for row in rows))
    assert report.created == 40
    assert list(Device.objects.filter(tenant=other_tenant).order_by("pk").values()) == before
    assert not other_tenant.tags.filter(name="mine").exists()
    for device in tenant.devices.select_related("blueprint", "user").prefetch_related("tags"):
        assert {device.blueprint.tenant, *(tag.tenant for tag in device.tags.all())} == {tenant}
        assert device.user is None or (device.user.tenant, device.user.integration.tenant) == (tenant, tenant)


def test_changes_of_related_objects_refresh_every_record(tenant: Tenant) -> None:
    rows = [deepcopy(record) for record, _ in fleet(60)]
    load(tenant, *rows)
    named = next(row for row in rows if row["user"])
    named["user"] = {**named["user"], "name": "Renamed", "is_archived": True}
    named["blueprint_name"] = "Renamed blueprint"
    load(tenant, named)
    assert fresh(tenant)
    for row in stored(tenant):
        if row["user"] and row["user"]["id"] == named["user"]["id"]:
            assert (row["user"]["name"], row["user"]["is_archived"]) == ("Renamed", True)
        if row["blueprint_id"] == named["blueprint_id"]:
            assert row["blueprint_name"] == "Renamed blueprint"


def test_tags_are_replaced(tenant: Tenant) -> None:
    record, _ = mac()
    load(tenant, {**record, "tags": ["a", "b"]})
    report = load(tenant, {**record, "tags": ["b", "c"]})
    assert report.updated == 1
    assert stored(tenant)[0]["tags"] == ["b", "c"]
    assert sorted(tenant.devices.get().tags.values_list("name", flat=True)) == ["b", "c"]


def test_the_first_windows_device_extends_every_record(tenant: Tenant) -> None:
    pairs = {record["platform"]: record for record, _ in fleet(300)}
    load(tenant, pairs["Mac"])
    assert "api_level" not in stored(tenant)[0]
    load(tenant, pairs["Windows"])
    assert all("api_level" in row for row in stored(tenant))
    assert fresh(tenant)


@pytest.mark.parametrize("user", ["", None, {}, "missing"])
def test_an_unassigned_user_may_be_written_in_any_way(tenant: Tenant, user: object) -> None:
    record = {**mac()[0], "user": user}
    if user == "missing":
        del record["user"]
    load(tenant, record)
    assert stored(tenant)[0]["user"] is None
    assert not User.objects.exists()


@pytest.mark.parametrize(
    "text",
    [
        "2024-05-13T20:09:23.123456Z",
        "2024-05-13T20:09:23.123456+00:00",
        "2024-05-13T22:09:23.123456+02:00",
        "2024-05-13 20:09:23.123456+00:00",
        "2024-05-13 20:09:23.123456",
        "2024-05-13T20:09:23.123456",
    ],
)
def test_dates_in_every_form_of_the_api(tenant: Tenant, text: str) -> None:
    load(tenant, {**mac()[0], "last_check_in": text, "first_enrollment": text})
    assert stored(tenant)[0]["last_check_in"] == "2024-05-13T20:09:23.123456Z"
    assert stored(tenant)[0]["first_enrollment"] == "2024-05-13 20:09:23.123456+00:00"


@pytest.mark.parametrize(("word", "value"), [("tRUE", True), ("Yes", True), (True, True), ("no", False), (0, False)])
def test_booleans_in_words(tenant: Tenant, word: object, value: bool) -> None:
    load(tenant, {**mac()[0], "is_missing": word, "platform": "mAC"})
    assert stored(tenant)[0]["is_missing"] is value
    assert stored(tenant)[0]["platform"] == "Mac"


BAD_ROWS = {
    "not an object": (["a"], "not a JSON object"),
    "neither": ({"foo": 1}, "neither a device record nor a details document"),
    "no name": ({"device_name": None}, "device_name is missing"),
    "no blueprint": ({"blueprint_id": None, "blueprint_name": ""}, "blueprint_name is missing"),
    "nothing to know it by": ({"device_id": "", "serial_number": ""}, "device_id and serial_number are both missing"),
    "platform": ({"platform": "Newton"}, "unknown platform: 'Newton'"),
    "id": ({"device_id": "17"}, "device_id is not a UUID: '17'"),
    "user id": ({"user": {"id": "x", "name": "X"}}, "user.id is not a UUID: 'x'"),
    "user": ({"user": [1]}, "user is neither an object nor empty"),
    "date": ({"last_check_in": "yesterday"}, "last_check_in is not a date: 'yesterday'"),
    "date out of range": ({"last_check_in": "0001-01-01T00:00:00+14:00"}, "last_check_in is not a date"),
    "boolean": ({"is_missing": "perhaps"}, "is_missing is neither true nor false: 'perhaps'"),
    "text": ({"model": {"name": "x"}}, "model is not a text"),
    "tags": ({"tags": "a,b"}, "tags is not a list"),
    "long": ({"serial_number": "x" * 101}, "serial_number is longer than 100 characters"),
    "NUL": ({"device_name": "a\0b"}, "device_name holds a NUL character"),
    "NUL in a tag": ({"tags": ["a\0b"]}, "tags holds a NUL character"),
    "surrogate": ({"asset_tag": "\ud800"}, "asset_tag is not valid Unicode text"),
    "serial letters": ({"serial_number": "ÄÖ"}, "serial_number has characters outside ASCII"),
}


@pytest.mark.parametrize(("change", "reason"), BAD_ROWS.values(), ids=BAD_ROWS.keys())
def test_an_invalid_row_is_reported_and_changes_nothing(tenant: Tenant, change: Any, reason: str) -> None:
    record, _ = mac()
    merged = change if isinstance(change, list) or "foo" in change else {**record, **change}
    report = load(tenant, merged)
    assert report.skipped == 1
    ((source, message),) = report.problems
    assert source == "1"
    assert message.startswith(reason)
    assert not Device.objects.exists()
    assert not Blueprint.objects.exists()
    assert not User.objects.exists()
    assert not Tag.objects.exists()


@pytest.mark.parametrize("value", ["a\0b", "\ud800", 2**70, [[[[[]]]] * 2]])
def test_details_that_no_database_can_store_are_refused(tenant: Tenant, value: Any) -> None:
    _, document = mac()
    document["apple_business_manager"] = {"description": value}
    report = load(tenant, document)
    assert report.skipped == (0 if isinstance(value, list) else 1)


def test_unknown_sections_and_invalid_numbers_do_no_harm(tenant: Tenant) -> None:
    _, document = mac()
    document |= {"new_section": {"x": [1, float("nan")]}, "lost_mode": None}
    assert load(tenant, document).created == 1
    answer = details(Device.objects.complete().get())
    assert answer["new_section"] == {"x": [1, None]}
    assert answer["lost_mode"] == {}


def test_a_details_document_alone_needs_the_required_fields(tenant: Tenant) -> None:
    _, document = mac()
    nameless, placeless = deepcopy(document), deepcopy(document)
    del nameless["general"]["device_name"]
    del placeless["general"]["platform"]
    report = load(tenant, nameless, placeless, {"general": []}, document)
    assert list(report.problems) == [
        ("1", "device_name is missing"),
        ("2", "general.platform is missing"),
        ("3", "general is not an object"),
    ]
    assert report.created == 1
    assert DeviceInventory.objects.get().details == reported(document)


def test_a_reason_is_named_once_with_a_count(tenant: Tenant) -> None:
    record, _ = mac()
    dates = [{**record, "last_check_in": f"{day}/11/2026"} for day in range(10, 13)]
    report = load(tenant, *[None] * 57, *dates, {**record, "platform": "Newton"})
    assert list(report.problems) == [
        ("1", "not a JSON object (and 56 more like it)"),
        ("58", "last_check_in is not a date: '10/11/2026' (and 2 more like it)"),
        ("61", "unknown platform: 'Newton'"),
    ]
    assert (report.skipped, report.usable) == (61, 0)
    assert not AuditEvent.objects.filter(summary="Devices imported").exists()


def test_only_the_first_reasons_are_kept(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(problems, "MAX_KINDS", 2)
    report = load(tenant, None, {"x": 1}, {"detail": "Not found."}, None, {"message": "No."})
    assert list(report.problems.lines()) == [
        "1: not a JSON object (and 1 more like it)",
        "2: neither a device record nor a details document",
        "… and 2 more",
    ]
    assert report.skipped == 5


def test_an_import_recreates_a_deleted_blueprint(tenant: Tenant) -> None:
    record, _ = mac()
    load(tenant, record)
    deleted = tenant.blueprints.get()
    delete_blueprint(tenant=tenant, blueprint_id=deleted.uuid, actor=ACTOR)
    report = load(tenant, {"serial_number": record["serial_number"], "device_name": "Renamed"})
    assert (report.updated, tenant.devices.get().blueprint) == (1, deleted)
    report = load(tenant, record)
    assert (report.updated, report.counts["blueprints"]) == (1, 1)
    assert tenant.devices.get().blueprint == tenant.blueprints.get(uuid=deleted.uuid) != deleted
    assert not {key for key, value in stored(tenant)[0].items() if value != record.get(key)}
