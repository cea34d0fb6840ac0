"""Exports, from the request to the downloaded file."""

import csv
import io
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from access.audit.events import Actor
from access.csv import cell, csv_chunks, whole
from access.models import AuditEvent, Tenant
from devices.dates import with_offset
from devices.demo.fleet import load_demo_fleet
from devices.models import PrismExport, StoredFile
from devices.models.prism.categories import CATEGORIES
from devices.prism import exports, lines
from devices.prism.exports import clean_up_exports, make_export, request_export
from devices.prism.search import as_row, find
from devices.storage import files
from devices.storage.upkeep import clean_up_files
from tests.devices.prism.reports import REPORTED, app, fleet_with_apps, report
from tests.factories.devices import DeviceFactory, ExportFactory
from tests.types import Call, IssuedApiToken, IssueToken, RunTasks

pytestmark = pytest.mark.django_db

COMMAND = Actor.command("test")


@pytest.fixture
def token(issue_token: IssueToken) -> IssuedApiToken:
    return issue_token("prism_request_export", "prism_get_export")


@pytest.fixture
def export(api: Call, token: IssuedApiToken) -> Any:
    def export(status: int = 200, **body: Any) -> Any:
        answer = api("POST", "/api/v1/prism/export", token, json=body)
        assert answer.status_code == status, answer.content
        return answer.json()

    return export


@pytest.fixture
def state(api: Call, token: IssuedApiToken) -> Any:
    return lambda export: api("GET", f"/api/v1/prism/export/{export['id']}", token).json()


def download(url: str, **headers: str) -> Any:
    parts = urlsplit(url)
    return Client().get(f"{parts.path}?{parts.query}", headers={"host": parts.netloc, **headers})


def rows_of(url: str) -> list[list[str]]:
    response = download(url)
    assert response.status_code == 200
    text = b"".join(response.streaming_content if response.streaming else [response.content]).decode()
    return list(csv.reader(io.StringIO(text, newline="")))


def test_from_the_request_to_the_file(export: Any, state: Any, tenant: Tenant, run_tasks: RunTasks) -> None:
    device = DeviceFactory.create(tenant=tenant, name="Ann, Bob")
    report(device, app("Slack", copyright="© 2026 Slack\nAll rights reserved."), app("Zoom", bundle_size=-7))
    asked = export(category="apps")
    assert asked == {
        "id": asked["id"],
        "status": "pending",
        "category": "apps",
        "args": {"filter": {}, "columns": [], "sort_by": "", "blueprint_ids": [], "device_families": []},
        "error_msg": None,
        "path": None,
        "signed_url": None,
        "created_at": asked["created_at"],
        "updated_at": asked["updated_at"],
        "row_count": None,
    }
    assert list(asked)[:5] == ["id", "status", "category", "args", "error_msg"]
    assert state(asked) == asked
    run_tasks()
    done = state(asked)
    assert (done["status"], done["row_count"], done["error_msg"]) == ("success", 2, None)
    day = asked["created_at"][:10]
    assert done["path"].rpartition("/")[2] == f"export-{day}-apps-{asked['id']}.csv"
    header, *rows = rows_of(done["signed_url"])
    assert header[:2] == ["device_id", "device__name"]
    found = [dict(zip(header, row, strict=True)) for row in rows]
    assert [(row["name"], row["device__name"], row["bundle_size"]) for row in found] == [
        ("Slack", "Ann, Bob", ""),
        ("Zoom", "Ann, Bob", "-7"),
    ]
    assert found[0]["copyright"] == "© 2026 Slack\nAll rights reserved."
    assert found[0]["created_at"] == with_offset(REPORTED)


def test_each_line_has_what_the_api_shows(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """For every category and any order of columns, also when cells are cached for one page only."""
    load_demo_fleet(tenant=tenant, actor=COMMAND, count=4)
    monkeypatch.setattr(lines, "MOST_HELD", 2)
    for category in CATEGORIES.values():
        search = find(tenant=tenant, category=category)
        rows = [as_row(category, fields) for fields in search.fields(search.at(0, 10_000))]
        names = [column.key for column in category.columns]
        for columns in (names, [*names[::-2], names[0]], names[-1:]):
            text = b"".join(csv_chunks(columns, lines.pages(search, columns, 7))).decode()
            expected = [[str(cell(row[name])) for name in columns] for row in rows]
            assert list(csv.reader(io.StringIO(text, newline=""))) == [columns, *expected], category.name


def test_an_export_asks_the_database_for_each_report_and_content_once(tenant: Tenant) -> None:
    """The number of their rows does not matter. Otherwise a file with millions of rows would take too long."""
    fleet_with_apps(tenant, 3, *(f"App {number}" for number in range(50)))
    category = CATEGORIES["apps"]
    names = [column.key for column in category.columns]
    with CaptureQueriesContext(connection) as queries:
        pages = list(lines.pages(find(tenant=tenant, category=category), names, 30))
    assert sum(map(len, pages)) == 150
    statements = [query["sql"] for query in queries]
    assert sum('FROM "devices_prismreport"' in each for each in statements) <= 3
    assert sum('FROM "devices_prismappscontent"' in each for each in statements) <= 2
    assert not [each for each in statements if each.count("JOIN") > 4 or ("JOIN" in each and "prismappsrow" in each)]


def test_the_file_needs_no_token_and_takes_one(export: Any, state: Any, tenant: Tenant, run_tasks: RunTasks) -> None:
    fleet_with_apps(tenant, 1, "Slack")
    asked = export(category="apps")
    run_tasks()
    url = state(asked)["signed_url"]
    plain, sent = download(url), download(url, authorization="Bearer nonsense")
    plain.close()
    sent.close()
    assert plain.status_code == sent.status_code == 200
    assert "attachment" in plain["Content-Disposition"]
    assert f"export-{asked['created_at'][:10]}-apps-{asked['id']}.csv" in plain["Content-Disposition"]
    assert download(url[:-3]).status_code == 403


def test_filter_families_blueprints_and_columns(export: Any, state: Any, tenant: Tenant, run_tasks: RunTasks) -> None:
    mac, _ = fleet_with_apps(tenant, 2, "Slack", "Zoom", "Arc")
    asked = export(
        category="apps",
        filter={"name": {"not_in": ["Arc"]}},
        columns=["name", "beta_app", "device__name"],
        sort_by="device__name",
        blueprint_ids=[str(mac.blueprint.uuid)],
        device_families=["Mac"],
    )
    assert asked["args"] == {
        "filter": {"name": {"not_in": ["Arc"]}},
        "columns": ["name", "beta_app", "device__name"],
        "sort_by": "device__name",
        "blueprint_ids": [str(mac.blueprint.uuid)],
        "device_families": ["Mac"],
    }
    run_tasks()
    done = state(asked)
    assert rows_of(done["signed_url"]) == [
        ["name", "beta_app", "device__name"],
        ["Slack", "", mac.name],
        ["Zoom", "", mac.name],
    ]
    assert done["row_count"] == 2


@pytest.mark.parametrize("category", ["filevault", "ms_compliance"])
def test_without_rows_the_file_has_its_header(
    export: Any, state: Any, run_tasks: RunTasks, tenant: Tenant, category: str
) -> None:
    asked = export(category=category)
    run_tasks()
    done = state(asked)
    (header,) = rows_of(done["signed_url"])
    assert header[0] == "device_id"
    assert ("status" in header) == (category == "filevault")
    assert done["row_count"] == 0


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ({"category": "application_firewal"}, {"detail": "Invalid category: application_firewal"}),
        ({}, {"category": ["This field is required."]}),
        ({"category": "apps", "filter": {"app": {}}}, {"detail": 'filter has the unknown column "app".'}),
        ({"category": "apps", "columns": ["names"]}, {"detail": 'columns has the unknown column "names".'}),
        ({"category": "apps", "sort_by": "-names"}, {"detail": 'sort_by has the unknown column "names".'}),
        ({"category": "apps", "blueprint_ids": ["x"]}, {"blueprint_ids": ["Must be a valid UUID."]}),
        ({"category": "apps", "device_families": ["PC"]}, {"device_families": ['"PC" is not a valid choice.']}),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_and_leaves_nothing(export: Any, body: dict[str, Any], answer: Any) -> None:
    assert export(400, **body) == answer
    assert not PrismExport.objects.exists()


def test_the_audit_trail_says_what_was_exported(export: Any, tenant: Tenant) -> None:
    asked = export(category="apps", device_families=["Mac"])
    event = AuditEvent.objects.get(tenant=tenant, target_type="prism_export")
    assert (event.summary, event.target_id, event.target_name) == ("Prism export requested", asked["id"], "apps")
    assert event.new_state
    assert event.new_state["args"]["device_families"] == ["Mac"]


def test_a_second_run_changes_nothing(tenant: Tenant) -> None:
    fleet_with_apps(tenant, 1, "Slack")
    export = request_export(tenant=tenant, category="apps", actor=COMMAND)
    make_export.call(export.pk)
    export.refresh_from_db()
    make_export.call(export.pk)
    again = PrismExport.objects.get()
    assert (again.file_id, again.updated_at) == (export.file_id, export.updated_at)
    assert StoredFile.objects.count() == 1


def test_of_two_runs_at_once_one_file_stays(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second worker took over because the first seemed lost, and ended before it."""
    export = request_export(tenant=tenant, category="apps", actor=COMMAND)

    def overtaken(**fields: Any) -> StoredFile:
        monkeypatch.setattr(exports, "store", store)
        make_export.call(export.pk)
        return store(**fields)

    store = files.store
    monkeypatch.setattr(exports, "store", overtaken)
    make_export.call(export.pk)
    first, second = StoredFile.objects.order_by("pk")
    assert PrismExport.objects.get().file == first
    assert second.expires_at is not None
    assert second.expires_at <= timezone.now()
    clean_up_files.call()
    assert StoredFile.objects.get() == first


def test_a_worker_that_stops_in_the_middle_leaves_no_file_and_the_next_one_makes_it(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet_with_apps(tenant, 2, "Slack", "Zoom")
    export = request_export(tenant=tenant, category="apps", actor=COMMAND)
    monkeypatch.setattr(exports, "PAGE", 1)
    calls = iter(range(100))

    def stopped(*arguments: Any) -> Any:
        if next(calls) == 2:
            raise KeyboardInterrupt
        return whole(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(lines, "whole", stopped)
        with pytest.raises(KeyboardInterrupt):
            make_export.call(export.pk)
    export.refresh_from_db()
    assert (export.status, export.file) == ("pending", None)
    make_export.call(export.pk)
    export.refresh_from_db()
    assert (export.status, export.row_count) == ("success", 4)
    assert export.file_id
    StoredFile.objects.exclude(pk=export.file_id).get()  # a row without a file; the clean-up deletes it


def test_an_export_that_cannot_be_written_fails_after_its_last_attempt(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch, export: Any, state: Any
) -> None:
    def full(**fields: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(exports, "store", full)
    asked = export(category="apps")
    for _ in range(exports.ATTEMPTS):
        assert state(asked)["status"] == "pending"
        with pytest.raises(OSError, match="no space"):
            make_export.call(PrismExport.objects.get().pk)
    done = state(asked)
    assert (done["status"], done["error_msg"], done["signed_url"]) == ("failed", "The file could not be written.", None)


def test_old_exports_are_deleted_and_forgotten_ones_fail(tenant: Tenant) -> None:
    kept, forgotten, old = ExportFactory.create_batch(3, tenant=tenant)
    for export, age in ((forgotten, exports.LONGEST), (old, timedelta(days=7))):
        PrismExport.objects.filter(pk=export.pk).update(created_at=timezone.now() - age - timedelta(minutes=1))
    clean_up_exports.call()
    assert list(PrismExport.objects.order_by("pk").values_list("pk", "status")) == [
        (kept.pk, "pending"),
        (forgotten.pk, "failed"),
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("=1+1", "'=1+1"),
        ("+49", "'+49"),
        ("-x", "'-x"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        ("a=b", "a=b"),
        (-5, -5),
        (None, ""),
        (True, "true"),
        (False, "false"),
        ({"daemon": {}}, '{"daemon":{}}'),
    ],
)
def test_cells(value: Any, text: Any) -> None:
    assert cell(value) == text
