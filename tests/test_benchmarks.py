"""The benchmarks: their fleets are as an import leaves them, and each measurement asks for what its table says."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import orjson
import pytest
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.test import Client as Browser

from access.audit.events import Actor
from access.models import AuditHead, Tenant
from devices.api.schemas.devices import DeviceQuery
from devices.fleet import records
from devices.fleet.record_filters import TERMS
from devices.imports.devices import import_devices
from devices.models import APPLE, Device, Fleet, PrismTotal
from tests.benchmarks import driver, fleets, tables
from tests.benchmarks.databases import Sqlite
from tests.benchmarks.inside import connects, filters, guard, pages, session, tenants
from tests.benchmarks.measurements import growth, soak, writes
from tests.benchmarks.measurements.pages import paths
from tests.benchmarks.rows import documents, fill
from tests.types import Call, IssueToken

COUNT = 80  # some of each platform


def columns(tenant: Tenant) -> list[dict[str, object]]:
    own = [field.name for field in Device._meta.concrete_fields if field.name not in {"id", "tenant"}]
    shared = {"blueprint": "blueprint__uuid", "user": "user__uuid"}
    rows = tenant.devices.order_by("pk").values(*(shared.get(name, name) for name in own))
    return [dict(row) for row in rows]


def test_a_fleet_has_the_rows_of_an_import(
    tenant: Tenant, other_tenant: Tenant, api: Call, issue_token: IssueToken
) -> None:
    rows = list(documents(COUNT))
    assert fill(tenant, rows) == COUNT
    import_devices(tenant=other_tenant, rows=enumerate(rows), actor=Actor.command("test"))

    built, imported = columns(tenant), columns(other_tenant)
    assert len(built) == COUNT
    assert built == imported
    for name in ("device_count", "extended_records"):
        assert getattr(Fleet.objects.get(tenant=tenant), name) == getattr(Fleet.objects.get(tenant=other_tenant), name)
    assert list(records.outdated(tenant.devices.values_list("pk", flat=True))) == []

    token = issue_token("list_devices", "get_device")
    answer = api("GET", "/api/v1/devices", token)
    shown = orjson.loads(answer.content)
    assert shown == [orjson.loads(str(row["record_json"])) for row in imported]
    assert answer.headers["X-Total-Count"] == str(COUNT)
    one = api("GET", f"/api/v1/devices/{shown[7]['device_id']}", token)
    assert orjson.loads(one.content) == shown[7]


def test_a_fleet_is_varied(tenant: Tenant) -> None:
    fill(tenant, documents(400))
    devices = tenant.devices
    assert len(set(devices.values_list("platform", flat=True))) == 6
    assert len(set(devices.values_list("os_version", flat=True))) > 10
    assert tenant.blueprints.count() > 30
    assert tenant.tags.count() > 20
    assert tenant.users.count() > 150
    for empty in ({"user": None}, {"asset_tag": ""}, {"mac_address": ""}):
        assert 0 < devices.filter(**empty).count() < 400


# --- The driver in Python ---------------------------------------------------------------------------------------------


class Site(BaseHTTPRequestHandler):
    """Answers each request with a status that its path names, and notes it."""

    protocol_version = "HTTP/1.1"
    received: list[tuple[str, str, str, bytes]] = []

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.received.append((self.command, self.path, self.headers.get("Authorization", ""), body))
        status = int(self.path.rpartition("/")[2])
        content = b"" if status == 204 else b"x" * 100_000
        self.send_response(status)
        if content:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PATCH = answer  # noqa: N815 - names of the standard library

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def listening() -> Iterator[int]:
    Site.received.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.sqlite_only
def test_the_driver_in_python_sends_requests_in_turn_and_counts_what_failed() -> None:
    requests = [
        driver.Request("/200", {"Authorization": "Bearer x"}),
        driver.Request("/204", {}, "PATCH", '{"a": "é"}'),
        driver.Request("/404", {}),
    ]
    with listening() as port:
        result = driver._loop(port, requests, 3, 0.5)
        with driver.Client(port) as client:
            answer = client.fetch(requests[0])
            with pytest.raises(SystemExit, match="GET /404 was answered 404"):
                client.fetch(requests[2])
    assert (answer.status, len(answer.body)) == (200, 100_000)
    assert result.requests > 10
    assert result.failed == pytest.approx(result.requests / 3, abs=3)
    assert 0 < result.p50 <= result.p99
    assert set(Site.received) == {
        ("GET", "/200", "Bearer x", b""),
        ("PATCH", "/204", "", '{"a": "é"}'.encode()),
        ("GET", "/404", "", b""),
    }


# --- Tables -----------------------------------------------------------------------------------------------------------


@pytest.mark.sqlite_only
def test_tables_say_which_goals_are_met() -> None:
    table = tables.Table("Calls", ("call", "ratio", "goal"), "In turn.")
    table.rows.append(("one", tables.spread([2, 1, 30]), tables.against(2, 2, least=True)))
    table.rows.append(("many", tables.short(1234.5), tables.against(3.1, 3, least=False)))
    table.rows.append(("none", tables.short(12.34), tables.against(1, None, least=False)))
    assert table.rows == [
        ("one", "2.00 (1.00 to 30.0)", "≥ 2: met"),
        ("many", "1,234", "≤ 3: missed"),
        ("none", "12.3", "-"),
    ]
    assert table.markdown().splitlines()[:5] == [
        "## Calls",
        "",
        "In turn.",
        "",
        "| call | ratio | goal |",
    ]
    assert table.text().splitlines()[2:4] == [
        "call  ratio                goal",
        "one   2.00 (1.00 to 30.0)  ≥ 2: met",
    ]
    assert tables.summary([table, tables.Table("Nothing", ("a",))]).rows == [("Calls", "1", "1")]


@pytest.mark.sqlite_only
def test_growth_is_the_ratio_of_the_largest_fleet_to_the_smallest() -> None:
    operations = {operation.name: operation for operation in growth.operations()}
    near, deep = operations["page at offset 0"], operations["page at offset 900,000"]
    apps, rename = operations["Prism: apps"], operations["rename a Blueprint"]
    medians: dict[str, list[float | None]] = {
        near.name: [2.0, 2.2, 2.6],
        deep.name: [None, None, 22.0],
        apps.name: [2.0, 3.0, None],
        rename.name: [1.0, 10.0, 100.0],
    }
    assert growth.row(near, medians)[1:] == ("2.00", "2.20", "2.60", "1.30", "≤ 1.3: met")
    assert growth.row(deep, medians)[1:] == ("-", "-", "22.0", "11.0", "≤ 10: missed")
    assert growth.row(apps, medians)[1:] == ("2.00", "3.00", "-", "1.50", "≤ 1.3: missed")
    assert growth.row(rename, medians)[-2:] == ("100", "-")
    assert growth.row(near, {near.name: [2.0]})[1:] == ("2.00", "-", "-")


@pytest.mark.sqlite_only
def test_one_in_a_hundred_calls_is_slower_than_p99() -> None:
    assert soak.p99([*range(100)]) == 99
    assert soak.p99([*range(1000)]) == 990
    with pytest.raises(SystemExit):
        soak.p99([])


@pytest.mark.sqlite_only
def test_a_change_never_repeats_the_last_one_of_its_device() -> None:
    own = [{"host": f"{name}.test", "secret": name, "devices": [f"{name}1", f"{name}2"]} for name in "ab"]
    changes = writes._changes(own, "round 1")
    assert [change.headers["Host"] for change in changes[:4]] == ["a.test", "b.test"] * 2
    assert Counter(change.path for change in changes) == {
        f"/api/v1/devices/{name}": 2 for name in ("a1", "a2", "b1", "b2")
    }
    for path in {change.path for change in changes}:
        assert len({change.body for change in changes if change.path == path}) == 2


# --- Databases and their content --------------------------------------------------------------------------------------


@pytest.mark.sqlite_only
def test_a_copy_of_a_database_changes_alone(tmp_path: Path) -> None:
    databases = Sqlite(tmp_path)
    databases.create("fleet_1")
    assert list(databases.texts("fleet_1", "CREATE TABLE a (b TEXT)")) == []
    databases.copy("fleet_1", "copy")
    assert list(databases.texts("copy", "DROP TABLE a")) == []
    count = "SELECT count(*) FROM sqlite_master"
    assert (*databases.texts("fleet_1", count), *databases.texts("copy", count)) == (1, 0)
    databases.drop("copy")
    assert not databases.exists("copy")
    assert databases.exists("fleet_1")


def test_each_declared_filter_and_ordering_is_measured(
    tenant: Tenant, api: Call, issue_token: IssueToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tenant, documents(300))
    calls = list(filters.calls(tenant))
    declared = DeviceQuery.model_fields.keys() - {"limit", "offset", "ordering"}
    assert {call["name"] for call in calls if call["kind"] != "ordering"} == declared
    assert Counter(call["name"] for call in calls if call["kind"] == "ordering") == dict.fromkeys(TERMS, 2)
    kinds = {call["name"]: call["kind"] for call in calls if call["kind"] != "ordering"}
    assert (kinds["user_email"], kinds["user_email_exact"], kinds["platform"]) == ("contains", "exact", "exact")

    token = issue_token("list_devices")
    found = {}
    for call in calls:
        answer = api("GET", f"{fleets.LIST}&{call['query']}", token)
        assert answer.status_code == 200, call
        found[call["name"], call["kind"], call["value"]] = int(answer.headers["X-Total-Count"])
    for name, kind in kinds.items():
        assert found[name, kind, "many"] >= found[name, kind, "few"] > 0
        assert found.get((name, kind, "none"), 0) == 0
    assert {name for name, _, value in found if value == "none"} == declared - {"filevault_enabled", "platform"}

    monkeypatch.delitem(filters.COLUMNS, "model")
    with pytest.raises(SystemExit, match="The filter model has no row"):
        list(filters.calls(tenant))


def test_the_guard_costs_one_query(tenant: Tenant, issue_token: IssueToken, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tenant, documents(1))
    monkeypatch.setattr(guard, "CALLS", 20)
    token = issue_token("list_tags")
    tenant.calls_per_second = 1_000_000
    tenant.save()
    costs = guard.costs(tenant, tenant.api_host, token.secret, 3)
    assert costs["queries"] == 1
    assert 0 < costs["cpu"] < 100_000


@pytest.fixture
def kept_connection() -> Iterator[None]:
    """The application closes the connection of the test after no request, as Django's test client does not."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.mark.slow
@pytest.mark.usefixtures("kept_connection")
def test_connects_are_measured_by_kind(tenant: Tenant) -> None:
    fill(tenant, documents(3))
    costs = connects.costs(tenant, 1, 3)
    assert list(costs) == [connects.IDLE, connects.DELIVERED, connects.NEXT, connects.LAST]
    for kind, found in costs.items():
        assert len(found["milliseconds"]) == 2, kind
        assert 0 < max(found["statements"]) <= 8, kind


def test_the_measured_pages_have_their_content_and_can_be_opened(tenant: Tenant, issue_token: IssueToken) -> None:
    fill(tenant, documents(60))
    token = issue_token("list_devices")
    before = AuditHead.objects.get(tenant=tenant).sequence
    content = pages.add(tenant)
    assert tenant.api_tokens.count() == 1 + 6
    assert tenant.audit_events.count() == AuditHead.objects.get(tenant=tenant).sequence == before + 600
    apps = PrismTotal.objects.get(tenant=tenant, category="apps").row_count
    assert apps == sum(len(pages._apps(device.pk)) for device in tenant.devices.all() if device.platform in APPLE)
    data = fleets.PagesData(
        fleets.Fleet(size=60, databases=Sqlite(Path()), secret=token.secret, host="", devices=[], name=""),
        token=str(content["token"]),
        blueprint=str(content["blueprint"]),
    )
    assert (data.token, tenant.blueprints.filter(uuid=data.blueprint).count()) == (str(token.id), 1)
    browser = Browser(headers={"Host": "localhost", "Cookie": session.cookie()})
    for name, path in paths(data).items():
        assert browser.get(path).status_code == 200, name


@pytest.mark.django_db
def test_tenants_of_writers_have_devices_that_their_tokens_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tenants, "DEVICES", 2)
    added = tenants.add(2)
    for request in writes._changes(added, "text"):
        answer = Browser().patch(
            request.path, json.loads(request.body), content_type="application/json", headers=dict(request.headers)
        )
        assert answer.status_code == 200
    tags = Device.objects.values_list("tenant__subdomain", "asset_tag")
    assert set(tags) == {("writers0", "text 1"), ("writers1", "text 1")}
