"""The metrics: what is exported, from which processes, and what is left when a server ends."""

import os
import re
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
import yaml
from django.core.management import CommandError
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone
from django_tasks_db.models import DBTaskResult
from prometheus_client import Metric, values
from prometheus_client.parser import text_string_to_metric_families

from access import metrics, sql
from access.audit.security import SecurityEvent, report
from access.installation import measures
from access.limits import leases
from access.limits.gcra import Limits
from access.management import exporter
from access.management.exporter import BUILD, DATABASE_UP, Installation, Processes, exporting
from access.models import Backup, Tenant
from access.sealing import SecretUnreadable
from access.tasks.schedules import enqueue_due, store_missing
from tests import processes
from tests.access.tasks import jobs
from tests.browser.servers import free_port
from tests.types import Call, IssueToken

ROOT = Path(__file__).parents[3]
SECRET = "3f2b8c1e-9d4a-4e6f-8b7c-0a1d2e3f4b5c"
EXPORTED = [*(each.series for each in metrics.Metric.all), *measures.COLLECTED, DATABASE_UP, BUILD]


@pytest.fixture
def counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., float | None]]:
    """This process counts, as one that `serve --metrics` has started. `counted(name, label=…)` is a number."""

    def forget() -> None:
        for each in metrics.Metric.all:
            each._children.clear()
            vars(each).pop("_parent", None)

    monkeypatch.setattr(values, "ValueClass", values.MultiProcessValue())
    forget()
    metrics.switch(str(tmp_path))

    def find(name: str, **labels: str) -> float | None:
        found = [
            sample.value
            for family in Processes(tmp_path).collect()
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]
        return sum(found) if found else None

    yield find
    metrics.switch(None)
    forget()


# --- What is counted --------------------------------------------------------------------------------------------------


def test_a_request_is_counted_by_its_operation_or_page_and_the_class_of_its_status(
    counted: Any, api: Call, issue_token: IssueToken
) -> None:
    token = issue_token("list_devices")
    for _ in range(2):
        assert api("GET", "/api/v1/devices", token).status_code == 200
    api("GET", "/api/v1/devices", SECRET)
    api("GET", "/api/v1/nowhere/accuhive", token)
    api("GET", "/files/x", host="localhost")
    client = Client()
    client.get("/sign-in/")
    client.get(f"/{SECRET}/accuhive/")
    name = "iru_request_duration_seconds_count"
    assert counted(name, operation="list_devices", status="2xx") == 2
    assert counted(name, operation="list_devices", status="4xx") == 1
    assert counted(name, operation="files", status="4xx") == 1
    assert counted(name, operation="account_login", status="2xx") == 1
    assert counted(name, operation="other", status="4xx") == 2
    assert counted("iru_request_duration_seconds_bucket", operation="list_devices", status="2xx", le="+Inf") == 2
    assert counted("iru_security_events_total", event="token_refused") == 1


def test_no_label_names_a_tenant_or_a_token(
    counted: Any, api: Call, issue_token: IssueToken, tmp_path: Path, tenant: Tenant
) -> None:
    token = issue_token("list_devices")
    api("GET", "/api/v1/devices", token)
    api("GET", f"/api/v1/devices/{SECRET}", token)
    api("GET", "/api/v1/accuhive", token)
    report(SecurityEvent.CALLS_REFUSED, "192.0.2.77", tenant="accuhive")
    text = repr([family.samples for family in Processes(tmp_path).collect()])
    assert "list_devices" in text
    for secret in (token.secret, str(token.pk), SECRET, "accuhive", "192.0.2.77"):
        assert secret not in text


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (OperationalError("away"), "database"),
        (SecretUnreadable(), "keys"),
    ],
)
def test_a_503_is_counted_by_its_cause(
    counted: Any, api: Call, issue_token: IssueToken, monkeypatch: pytest.MonkeyPatch, error: Exception, cause: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("devices.api.routing.count_call", fail)
    assert api("GET", "/api/v1/devices", issue_token("list_devices")).status_code == 503
    assert counted("iru_unavailable_total", cause=cause) == 1
    assert counted("iru_unavailable_total") == 1
    assert counted("iru_database_failures_total", where="request") == (1 if cause == "database" else None)


def test_a_page_that_meets_a_lost_database_is_counted(counted: Any, db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OperationalError("away")

    monkeypatch.setattr("access.http.middleware.is_missing", fail)
    assert Client(raise_request_exception=False).get("/").status_code == 503
    assert counted("iru_unavailable_total", cause="database") == 1


def test_a_lost_store_of_the_limits_is_counted(counted: Any, db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OperationalError("away")

    monkeypatch.setattr(leases, "_failed_at", float("-inf"))
    monkeypatch.setattr(leases._store(), "take", fail)
    leases._take(1, Limits(50, 10_000), 1, 0)
    assert counted("iru_call_limits_in_process_total") == 1


def test_nothing_is_counted_without_the_option(tmp_path: Path, api: Call, db: None) -> None:
    metrics.request_seconds.observe(0.1, "list_devices", "2xx")
    assert not metrics.request_seconds._children
    assert "_parent" not in vars(metrics.request_seconds)


def test_what_an_ended_process_counted_stays_and_what_waited_in_it_does_not(counted: Any, tmp_path: Path) -> None:
    metrics.security_events.inc("token_refused")
    metrics.uses_waiting.set(5)
    (counter,), (gauge,) = tmp_path.glob("counter_*.db"), tmp_path.glob("gauge_*.db")
    counter.rename(tmp_path / "counter_999999999.db")
    gauge.rename(tmp_path / "gauge_livesum_999999999.db")
    assert counted("iru_security_events_total", event="token_refused") == 1
    assert counted("iru_token_uses_waiting") is None


# --- What the database says -------------------------------------------------------------------------------------------


def measured() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for series, labels, value in measures.measure():
        assert len(labels) == len(series.labels)
        found[" ".join([series.name.removeprefix("iru_"), *labels])] = value
    return found


@pytest.fixture
def no_expiries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measures, "_expiries", (float("-inf"), []))


@pytest.mark.django_db
@pytest.mark.usefixtures("no_expiries")
def test_the_numbers_of_an_installation(
    tenant: Tenant, other_tenant: Tenant, issue_token: IssueToken, tmp_path: Path
) -> None:
    empty = measured()
    assert (empty["worker_alive"], empty["tasks waiting"], empty["oldest_waiting_task_seconds"]) == (False, 0, 0)
    assert not {"worker_last_seen_timestamp_seconds", "last_backup_timestamp_seconds"} & empty.keys()

    issue_token()
    issue_token(revoked_at=timezone.now())
    Tenant.objects.filter(pk=other_tenant.pk).update(active=False)
    DBTaskResult.objects.all().delete()  # notices to the Account Owner
    jobs.note.enqueue(str(tmp_path / "lines"))
    store_missing()
    Backup.objects.create(started_at=timezone.now(), finished_at=timezone.now(), path="/x", size=1)
    found = measured()
    assert (found["tenants active"], found["tenants suspended"], found["tokens_active"]) == (1, 1, 1)
    assert (found["tasks waiting"], found["tasks running"], found["tasks failed"]) == (1, 0, 0)
    assert 0 < found["oldest_waiting_task_seconds"] < 60
    assert abs(found["last_backup_timestamp_seconds"] - time.time()) < 60
    assert found["worker_alive"] is True
    enqueue_due()
    assert abs(measured()["worker_last_seen_timestamp_seconds"] - time.time()) < 60
    assert ("standbys" in found) == (connection.vendor == "postgresql")


@pytest.mark.postgres_only
@pytest.mark.django_db
@pytest.mark.parametrize(
    ("rows", "synchronous", "seconds", "size"),
    [
        ([("async", 4.5, 700.0), ("sync", 0.1, 30.0)], True, 4.5, 700.0),
        ([("async", None, 0.0)], False, 0.0, 0.0),
        ([(None, None, None)], False, 0.0, None),
        ([], False, None, None),
    ],
)
def test_the_numbers_of_standbys(
    monkeypatch: pytest.MonkeyPatch, rows: list[Any], synchronous: bool, seconds: float | None, size: float | None
) -> None:
    ask = sql.rows
    monkeypatch.setattr(sql, "rows", lambda text, *a: rows if text == measures.REPLICATION else ask(text, *a))
    found = {series.name: value for series, _, value in measures._replication()}
    assert found["iru_standbys"] == len(rows)
    assert found["iru_synchronous_standby"] == synchronous
    assert found.get("iru_replication_lag_seconds") == seconds
    assert found.get("iru_replication_lag_bytes") == size


def names_of(families: list[Metric]) -> set[str]:
    return {family.name for family in families}


@pytest.mark.django_db(transaction=True)
def test_a_database_that_hangs_ends_no_scrape(monkeypatch: pytest.MonkeyPatch) -> None:
    goes_on = threading.Event()
    monkeypatch.setattr(exporter, "LIMIT", 0.3)
    monkeypatch.setattr(exporter, "measure", lambda: goes_on.wait(20) and [])
    installation = Installation()
    threads = threading.active_count()
    begun = time.monotonic()
    for _ in range(5):
        families = list(installation.collect())
        assert names_of(families) == {"iru_database_up", "iru_build_info"}
        assert families[0].samples[0].value == 0
    assert time.monotonic() - begun < 2, "only the first of them waits"
    assert threading.active_count() == threads + 1
    goes_on.set()
    processes.wait_for(lambda: threading.active_count() == threads, 5)
    assert next(iter(installation.collect())).samples[0].value == 1


def test_a_database_that_refuses_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise OperationalError("refused")

    monkeypatch.setattr(exporter, "measure", fail)
    assert names_of(list(Installation().collect())) == {"iru_database_up", "iru_build_info"}


# --- The server of the metrics ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["9464", ":9464", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:0"])
def test_a_malformed_address_is_refused(address: str) -> None:
    with pytest.raises(CommandError), exporting(address):
        pass


@pytest.fixture
def directories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[Path]]:
    """Those of the servers of this test; other tests run beside it."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)  # where Python remembers it
    return lambda: list(tmp_path.glob(exporter.PREFIX + "*"))


def scrape(port: int) -> dict[str, Any]:
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        return {family.name: family for family in text_string_to_metric_families(answer.read().decode())}


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_the_first_process_exports_what_all_count_and_leaves_nothing(
    tmp_path: Path, directories: Callable[[], list[Path]]
) -> None:
    port, own = free_port(), free_port()
    arguments = ["serve", "--port", str(port), "--processes", "2", "--metrics", f"127.0.0.1:{own}", "--with-worker"]
    with processes.managed(*arguments, output=tmp_path / "output") as server:
        processes.wait_for(lambda: processes.status(port) == 200, 90)
        (directory,) = directories()

        def writers() -> set[str]:
            return {path.stem.rpartition("_")[2] for path in directory.glob("*.db")}

        sent = 0

        def both_answered() -> bool:
            """Whether the system has given connections to both processes. It chooses by chance."""
            nonlocal sent
            assert processes.status(port) == 200
            sent += 1
            return sent >= 20 and len(writers()) >= 2

        processes.wait_for(both_answered, 60)
        assert processes.status(port, "/metrics") in {400, 404}, "not at the public port"
        found = scrape(own)
        counts = [each for each in found["iru_request_duration_seconds"].samples if each.name.endswith("_count")]
        assert {each.labels["operation"]: each.value for each in counts}["ping"] >= sent + 1
        assert str(server.pid) not in writers()
        assert found["iru_database_up"].samples[0].value == 1
        described = {(each.name.removesuffix("_total"), each.kind) for each in EXPORTED}
        assert {(family.name, family.type) for family in found.values()} <= described
        # Each series that needs no event is there.
        needs_none = {each.name for each in measures.COLLECTED} - {
            "iru_last_backup_timestamp_seconds",
            "iru_next_expiry_timestamp_seconds",
            "iru_worker_last_seen_timestamp_seconds",
            *(each.name for each in measures.COLLECTED if "lag" in each.name or "standby" in each.name),
        }
        assert needs_none <= found.keys()
    assert server.returncode == 0
    assert directories() == []


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_what_a_killed_server_left_is_deleted_by_the_next_one(directories: Callable[[], list[Path]]) -> None:
    port, own = free_port(), free_port()
    arguments = ["serve", "--port", str(port), "--metrics", f"127.0.0.1:{own}"]
    with processes.managed(*arguments, extra={"LOG_LEVEL": "INFO"}) as server:
        processes.wait_for(lambda: processes.status(port) == 200, 90)
        (left,) = directories()
        os.killpg(server.pid, signal.SIGKILL)
        server.wait(20)
    processes.wait_for(lambda: not listening(own), 20)  # its other process may die a moment later
    assert left.is_dir()
    with exporting(f"127.0.0.1:{own}"):
        (running,) = directories()
        assert running != left
        with exporting(f"127.0.0.1:{free_port()}"):
            assert running.is_dir(), "that of a server that runs stays"
    assert directories() == []


# --- What operators read ----------------------------------------------------------------------------------------------


def test_the_document_describes_what_is_exported() -> None:
    rows = re.findall(
        r"^\| `(iru_\w+)` \| (\w+) \|([^|]*)\| ([^|]+) \|$", (ROOT / "docs" / "metrics.md").read_text(), re.MULTILINE
    )
    described = {name: (kind, tuple(re.findall(r"`(\w+)`", labels))) for name, kind, labels, _ in rows}
    assert len(described) == len(rows)
    assert described == {each.name: (each.kind, each.labels) for each in EXPORTED}


def test_the_rules_for_alerts_name_series_that_exist() -> None:
    rules = yaml.safe_load((ROOT / "deploy" / "alerts.yml").read_text())
    alerts = [rule for group in rules["groups"] for rule in group["rules"]]
    assert len({rule["alert"] for rule in alerts}) == len(alerts) > 10
    exported = {each.name for each in EXPORTED}
    for rule in alerts:
        assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
        assert rule["annotations"]["summary"]
        named = re.findall(r"\biru_\w+", rule["expr"])
        assert named
        assert {re.sub("_(count|bucket|sum)$", "", name) for name in named} <= exported, rule["alert"]
        assert rule["expr"].count("(") == rule["expr"].count(")")
