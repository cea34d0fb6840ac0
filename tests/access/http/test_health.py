"""The answers for those who watch a server process."""

import signal
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone

from access.http import health
from access.models import Schedule
from access.tasks.liveness import SILENCE
from devices.storage.embedded import EmbeddedStorage
from tests import processes
from tests.browser.servers import free_port


@pytest.fixture
def probe(db: None) -> Iterator[Client]:
    """As a load balancer asks: at an address, over plain http."""
    health._storage_said = (float("-inf"), "")
    yield Client(headers={"host": "10.0.0.7:8000"})
    health._applied.clear()
    health._storage_said = (float("-inf"), "")


def test_a_process_that_lives_says_so_without_the_database(
    probe: Client, django_assert_num_queries: Any, settings: Any
) -> None:
    settings.SECURE_SSL_REDIRECT = True
    with django_assert_num_queries(0):
        answer = probe.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "version": settings.VERSION})
    assert answer["Cache-Control"] == "no-store"


def test_a_process_that_can_do_its_work_is_ready(probe: Client, settings: Any) -> None:
    answer = probe.get("/readyz")
    assert answer.status_code == 200
    checks = {"server": "ok", "database": "ok", "migrations": "ok", "keys": "ok", "storage": "ok", "worker": "missing"}
    assert answer.json() == {"status": "ok", "version": settings.VERSION} | checks


def test_a_worker_and_the_storage_are_told_and_fail_nothing(probe: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: object) -> None:
        raise OSError("No such device")

    Schedule.objects.create(name="deliver-webhooks", next=timezone.now())
    monkeypatch.setattr(EmbeddedStorage, "check", fail)
    answer = probe.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")
    assert (answer.json()["worker"], answer.json()["storage"]) == ("ok", "unreachable")
    Schedule.objects.update(next=timezone.now() - SILENCE - timedelta(seconds=1))
    answer = probe.get("/readyz")
    assert (answer.status_code, answer.json()["worker"]) == (200, "missing")


def test_a_storage_that_hangs_delays_no_answer(probe: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    goes_on = threading.Event()
    monkeypatch.setattr(EmbeddedStorage, "check", lambda self: goes_on.wait(5))
    monkeypatch.setattr(health, "REMEMBERED", 0)
    begun = time.monotonic()
    answers = [probe.get("/readyz") for _ in range(4)]
    took = time.monotonic() - begun
    goes_on.set()
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.json()["storage"] for answer in answers} == {"unreachable"}
    assert took < 3, "only the first of them waits, for half a second"
    processes.wait_for(lambda: probe.get("/readyz").json()["storage"] == "ok", 5)


def test_a_storage_is_asked_once_in_a_while(probe: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(EmbeddedStorage, "check", lambda self: asked.append(self.location))
    assert {probe.get("/readyz").json()["storage"] for _ in range(3)} == {"ok"}
    assert len(asked) == 1


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
@pytest.mark.parametrize(
    ("address", "forwarded", "status"),
    [
        ("127.0.0.1", "", 200),
        ("::1", "", 200),
        ("10.1.2.3", "", 200),
        ("192.0.2.1", "", 400),
        ("", "", 400),
        ("127.0.0.1", "192.0.2.1", 400),
        ("10.1.2.3", "127.0.0.1", 400),
    ],
)
def test_only_the_machine_and_its_proxies_may_ask(
    probe: Client, settings: Any, path: str, address: str, forwarded: str, status: int
) -> None:
    settings.IRU_TRUSTED_PROXIES = ["10.0.0.0/8"]
    headers = {"x-forwarded-for": forwarded} if forwarded else {}
    assert probe.get(path, headers=headers, REMOTE_ADDR=address).status_code == status


def test_a_lost_database_is_not_ready(probe: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost() -> bool:
        raise OperationalError("connection refused")

    monkeypatch.setattr(health, "answers_writes", lost)
    answer = probe.get("/readyz")
    assert (answer.status_code, answer.json()["database"], answer.json()["status"]) == (
        503,
        "unreachable",
        "unavailable",
    )


@pytest.mark.postgres_only
@pytest.mark.django_db(transaction=True)
def test_a_database_that_answers_no_new_connection_is_not_ready_within_a_second(
    probe: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        connection.close()
        with monkeypatch.context() as elsewhere:
            elsewhere.setitem(connection.settings_dict, "HOST", "127.0.0.1")
            elsewhere.setitem(connection.settings_dict, "PORT", str(silent.getsockname()[1]))
            begun = time.monotonic()
            answers = [probe.get("/readyz") for _ in range(3)]
            took = time.monotonic() - begun
    assert {(answer.status_code, answer.json()["database"]) for answer in answers} == {(503, "unreachable")}
    assert took < 2.5, "the first of them waits for a second, and the others find it waiting"


@pytest.mark.postgres_only
def test_a_node_that_takes_no_changes_is_not_ready(probe: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL transaction_read_only = on")
    answer = probe.get("/readyz")
    assert (answer.status_code, answer.json()["database"]) == (503, "read-only")


@pytest.mark.sqlite_only
@pytest.mark.django_db(transaction=True)
def test_a_database_whose_lock_is_held_is_not_ready(probe: Client) -> None:
    other = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    begun = time.monotonic()
    try:
        assert probe.get("/readyz").json()["database"] == "unreachable"
    finally:
        other.close()
    assert time.monotonic() - begun < 2.5
    assert probe.get("/readyz").status_code == 200
    with connection.cursor() as cursor:
        assert cursor.execute("PRAGMA busy_timeout").fetchone() == (5000,), "as before"


def test_missing_migrations_and_unreadable_keys_are_not_ready(probe: Client, settings: Any) -> None:
    with connection.cursor() as cursor:
        newest = "SELECT max(name) FROM django_migrations WHERE app = 'access'"
        cursor.execute(f"DELETE FROM django_migrations WHERE app = 'access' AND name = ({newest})")
    settings.IRU_TOKEN_KEYS = ["1:short"]
    answer = probe.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["migrations"] == "1 missing"
    assert answer.json()["keys"] == "unreadable"


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_server_that_stops_is_not_ready_and_serves_on_for_a_while(tmp_path: Path) -> None:
    port = free_port()
    with processes.managed("serve", "--port", str(port), "--drain", "4", output=tmp_path / "output") as server:
        processes.wait_for(lambda: processes.status(port, "/readyz") == 200, 60)
        server.send_signal(signal.SIGTERM)
        processes.wait_for(lambda: processes.status(port, "/readyz") == 503, 3)
        assert processes.status(port) == 200, "calls go on"
        assert processes.status(port, "/healthz") == 200
        assert server.wait(20) == 0
