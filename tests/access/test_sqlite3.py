"""SQLite as the product opens it, and what happens while another process holds its write lock."""

import sqlite3
import threading
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client

from access.database import Failure, failure_of
from access.models import Administrator, Tenant
from access.sqlite3 import base
from tests.processes import wait_for
from tests.types import Call, IssueToken

pytestmark = [pytest.mark.slow, pytest.mark.sqlite_only]


@pytest.mark.django_db
def test_an_acknowledged_write_survives_a_power_cut() -> None:
    with connection.cursor() as cursor:
        values = {name: cursor.execute(f"PRAGMA {name}").fetchone()[0] for name in ("synchronous", "journal_mode")}
    assert values == {"synchronous": 2, "journal_mode": "wal"}  # 2 is FULL


@pytest.fixture
def locked(transactional_db: None) -> Any:
    """SQLite's write lock in the hands of another process, for the time of the test."""
    other = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)
    yield lambda: other.execute("BEGIN IMMEDIATE").connection
    other.close()


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> base.WriteQueue:
    queue = base.WriteQueue(patience=0.1)
    monkeypatch.setattr(base, "queue", queue)
    return queue


def test_one_thread_waits_and_the_rest_is_refused(
    locked: Any, queue: base.WriteQueue, issue_token: IssueToken, api: Call, owner: Administrator
) -> None:
    token, pages = issue_token("list_devices", "create_tag", "list_tags"), Client()
    pages.force_login(owner)
    locked()
    waiting = threading.Thread(target=wait_for_the_lock)
    waiting.start()
    wait_for(queue._turn.locked, 10)
    try:
        for number in range(3):
            refused = api("POST", "/api/v1/tags", token, json={"name": f"Tag {number}"})
            assert (refused.status_code, refused["Retry-After"]) == (503, "5")
        assert queue._turn.locked()  # it waits still: nobody above waited as long as that
        assert api("GET", "/api/v1/devices", token).status_code == 200
        # The first page of a session stores the time, which can wait.
        assert pages.get("/devices/").status_code == 200
    finally:
        waiting.join()


def wait_for_the_lock() -> None:
    with pytest.raises(OperationalError, match="locked"):
        Tenant.objects.create(name="Late", subdomain="late")
    connection.close()


def test_writers_wait_for_one_another_as_before(transactional_db: None, queue: base.WriteQueue) -> None:
    def write(number: int) -> None:
        Tenant.objects.create(name="Many", subdomain=f"many-{number}")
        connection.close()

    queue.patience = 30
    threads = [threading.Thread(target=write, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Tenant.objects.count() == 12


def test_a_writer_asks_for_the_lock_at_short_intervals(
    locked: Any, queue: base.WriteQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it asks more and more rarely, as SQLite does by itself, writers of other processes are always before it."""
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 400:
            other.execute("ROLLBACK")

    other = locked()
    monkeypatch.setattr(base, "sleep", wait)
    Tenant.objects.create(name="Soon", subdomain="soon")
    assert waits == [base.INTERVAL] * 400
    assert base.INTERVAL <= 0.001
    with connection.cursor() as cursor:
        assert cursor.execute("PRAGMA busy_timeout").fetchone() == (5000,)


def test_a_session_that_cannot_be_saved_is_no_lost_session(
    locked: Any, queue: base.WriteQueue, owner: Administrator
) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(owner)
    session = client.session
    locked()
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 0")
    session["other"] = 1
    with pytest.raises(OperationalError) as caught:
        session.save()
    assert failure_of(caught.value) is Failure.AWAY
    connection.close()
