"""The limits of calls: how many are allowed, over several processes, by the clock and by a real store."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections
from hypothesis import given, settings
from hypothesis import strategies as st

from access import limits
from access.limits import leases, stores
from access.limits.gcra import HOUR, SECOND, Grant, Limits, Permits, grant
from access.limits.leases import Lease
from access.limits.stores import InFile, InPostgres

store_of_the_product = leases._store  # the test run puts another one in its place
PUBLISHED = Limits(per_second=50, per_hour=10_000)
SMALL = Limits(per_second=8, per_hour=60)
tenant_ids = count(10_000_000)  # of no tenant: what a process has taken for one is not rolled back


class Clock:
    """Stands for the clock of every process, and moves only when a test says so."""

    def __init__(self) -> None:
        self.now = 5_000.0

    def monotonic(self) -> float:
        return self.now


class Memory:
    """A store in memory, which keeps what several processes take."""

    def __init__(self, clock: Clock) -> None:
        self.clock, self.row, self.asked = clock, (0.0, 0.0), 0

    def take(self, tenant_id: int, limits: Limits, wanted: int, paid: int) -> Grant:
        self.asked += 1
        given = grant(limits, wanted, paid, now=self.clock.now, second_full=self.row[0], hour_full=self.row[1])
        self.row = given.second_full, given.hour_full
        return given


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(leases, "time", clock)
    return clock


class Processes:
    """Several processes that serve one tenant, with a store between them."""

    def __init__(self, clock: Clock, limits: Limits, number: int, patch: pytest.MonkeyPatch) -> None:
        self.clock, self.limits = clock, limits
        self.leases = [Lease(limits) for _ in range(number)]
        self.store = Memory(clock)
        patch.setattr(leases, "_take", self.store.take)
        self.allowed: list[float] = []

    def call(self, process: int) -> bool:
        refused = self.leases[process].take(1).refused
        if not refused:
            self.allowed.append(self.clock.now)
        return not refused

    def check(self) -> None:
        """No window of any length has more calls than its quota and what comes back within it."""
        for quota, window in ((self.limits.per_second, SECOND), (self.limits.per_hour, HOUR)):
            for first, start in enumerate(self.allowed):
                for last in range(first, len(self.allowed)):
                    most = quota + quota / window * (self.allowed[last] - start)
                    assert last - first + 1 <= most + 1e-6


@settings(max_examples=150, deadline=None)
@given(
    calls=st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from([0.0, 0.0, 0.001, 0.01, 0.05, 0.2, 0.7, 1.5, 40.0])), max_size=150
    )
)
def test_no_window_has_more_calls_than_the_limit(calls: list[tuple[int, float]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        clock = Clock()
        patch.setattr(leases, "time", clock)
        processes = Processes(clock, SMALL, 4, patch)
        for process, pause in calls:
            clock.now += pause
            processes.call(process)
        processes.check()


def test_permits_that_came_back_to_the_row_are_not_spent(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    processes = Processes(clock, PUBLISHED, 2, monkeypatch)
    for _ in range(20):
        processes.call(0)
    assert processes.leases[0].second.count(clock.now) > 3, "it holds some"
    clock.now += 10
    for process in [1] * 60 + [0] * 60:
        processes.call(process)
    processes.check()


def test_no_hour_has_more_calls_than_the_limit(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    processes = Processes(clock, Limits(per_second=50, per_hour=200), 3, monkeypatch)
    for call in range(1_000):
        processes.call(call % 3)
        clock.now += 0.03
    assert len(processes.allowed) >= 200
    processes.check()


def test_two_threads_of_a_process_spend_no_permit_twice(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    lease = Processes(clock, SMALL, 1, monkeypatch).leases[0]
    counted = Permits.count

    def slowly(permits: Permits, now: float) -> int:
        found = counted(permits, now)
        time.sleep(0.001)
        return found

    monkeypatch.setattr(Permits, "count", slowly)
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: lease.take(1).refused, range(40)))
    assert answers.count(False) == 8


def test_a_client_that_keeps_to_the_limits_is_never_refused(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    processes = Processes(clock, PUBLISHED, 1, monkeypatch)
    for _ in range(10):  # all calls of a second at once
        assert all(processes.call(0) for _ in range(50))
        clock.now += 1.0
    processes = Processes(clock, PUBLISHED, 1, monkeypatch)
    for _ in range(10_000 * 2):  # the calls of two hours, one by one
        assert processes.call(0)
        clock.now += 0.36


def test_a_new_process_finds_permits_although_others_have_some(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    processes = Processes(clock, PUBLISHED, 4, monkeypatch)
    for call in range(50 * 30):  # half a minute at the limit, over all processes in turn
        assert processes.call(call % 4), call
        clock.now += 0.02
    assert processes.store.asked < len(processes.allowed) / 4  # a lease serves several calls


def test_unspent_permits_of_the_hour_are_not_lost(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    processes = Processes(clock, PUBLISHED, 4, monkeypatch)
    for call in range(10_000):  # the whole hour's calls, faster than they come back: 15 a second
        assert processes.call(call % 4), call
        clock.now += 1 / 15


def test_a_refused_call_is_told_when_the_next_may_come(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    processes = Processes(clock, SMALL, 1, monkeypatch)
    while processes.call(0):
        pass
    assert len(processes.allowed) == 8
    refusal = processes.leases[0].take(1)
    assert (refusal.second, refusal.wait) == (0, 1)
    asked = processes.store.asked
    assert not processes.call(0)
    assert processes.store.asked == asked, "the row had no permit, and is not asked again before it has one"
    clock.now += 0.126
    assert processes.call(0)
    while len(processes.allowed) < 60:
        clock.now += 0.126
        processes.call(0)
    clock.now += 5
    spent = processes.leases[0].take(1)
    assert (spent.hour, spent.second, spent.wait > 1) == (0, 8, True)


# --- The real stores --------------------------------------------------------------------------------------------------


@pytest.fixture
def store(db: None) -> Iterator[InFile | InPostgres]:
    store = InFile() if connection.vendor == "sqlite" else InPostgres()
    yield store
    if isinstance(store, InFile):
        store.close()


def test_a_store_does_what_the_arithmetic_says(store: InFile | InPostgres) -> None:
    tenant_id, second_full, hour_full = next(tenant_ids), 0.0, 0.0
    for wanted, paid, pause in [(1, 0, 0), (30, 0, 0), (9, 3, 0), (4, 9, 0.03), (50, 0, 0), (50, 0, 0), (2, 0, 0.05)]:
        time.sleep(pause)
        given = store.take(tenant_id, SMALL, wanted, paid)
        expected = grant(SMALL, wanted, paid, now=given.now, second_full=second_full, hour_full=hour_full)
        assert given.permits == expected.permits
        assert given.second_full == pytest.approx(expected.second_full, abs=1e-5)
        assert given.hour_full == pytest.approx(expected.hour_full, abs=1e-5)
        second_full, hour_full = given.second_full, given.hour_full
    seen = store.look(tenant_id)
    assert (seen.second_full, seen.hour_full) == pytest.approx((second_full, hour_full), abs=1e-5)


def test_the_product_counts_where_every_process_looks(store: InFile | InPostgres) -> None:
    tenant_id = next(tenant_ids)
    given = store_of_the_product().take(tenant_id, PUBLISHED, 50, 0)
    assert given.permits > 0
    # `store` knows what is stored and nothing else, as another process does.
    assert store.look(tenant_id).second_full == pytest.approx(given.second_full, abs=1e-5)


def test_a_store_starts_anew_when_the_clock_was_set_back(store: InFile | InPostgres) -> None:
    tenant_id = next(tenant_ids)
    while store.take(tenant_id, SMALL, 10, 0).permits:
        pass
    _set_forward(store, tenant_id, 2 * HOUR)
    assert store.take(tenant_id, SMALL, 2, 0).permits == 2


def _set_forward(store: Any, tenant_id: int, seconds: float) -> None:
    """The row as it is after the clock was set back by so many seconds."""
    change = "SET second_full = second_full + {0}, hour_full = hour_full + {0} WHERE tenant_id = {1}"
    change = change.format(seconds, tenant_id)
    if isinstance(store, InFile):
        store._open().execute(f"UPDATE allowance {change}")
    else:
        with connection.cursor() as cursor:
            cursor.execute(f"UPDATE access_allowance {change}")


@pytest.mark.django_db(transaction=True)
def test_threads_of_several_processes_never_get_one_call_too_many(
    store: InFile | InPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "_store", lambda: store)
    tenant_id, started, lasting = next(tenant_ids), time.monotonic(), 1.0
    processes = [Lease(PUBLISHED) for _ in range(4)]
    allowed: list[float] = []

    def serve(lease: Lease) -> None:
        while time.monotonic() < started + lasting:
            if not lease.take(tenant_id).refused:
                allowed.append(time.monotonic())
            time.sleep(0.002)
        connections.close_all()

    threads = [threading.Thread(target=serve, args=(lease,)) for lease in processes for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    most = 50 + 50 * (max(allowed) - started)
    assert most - 4 * 8 - 1 <= len(allowed) <= most, (len(allowed), most)


# --- When the store fails ---------------------------------------------------------------------------------------------


def test_a_process_keeps_to_its_part_while_the_store_fails(
    db: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        asked = 0

        def take(self, *_: Any) -> Grant:
            self.asked += 1
            raise sqlite3.OperationalError("disk I/O error")

    broken = Broken()
    monkeypatch.setattr(leases, "_store", lambda: broken)
    monkeypatch.setattr(leases, "_in_process", stores.InProcess(processes=2))
    monkeypatch.setattr(leases, "_failed_at", float("-inf"))
    tenant_id = next(tenant_ids)
    assert [limits.take(tenant_id, SMALL).refused for _ in range(6)] == [False] * 4 + [True] * 2
    assert broken.asked == 1, "a store that fails is left alone for a second"
    assert [record.getMessage() for record in caplog.records] == [
        "The limits of calls are counted per process for a moment: disk I/O error"
    ]


@pytest.mark.sqlite_only
def test_a_damaged_file_is_made_anew(db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "db.sqlite3-calls"
    monkeypatch.setattr(InFile, "_file", lambda self: str(file))
    store = InFile()
    assert store.take(1, SMALL, 1, 0).permits
    assert file.stat().st_mode & 0o077 == 0, "only the owner reads it"
    store.close()
    file.write_bytes(b"x" * 8192)
    (tmp_path / "db.sqlite3-calls-wal").unlink(missing_ok=True)
    with pytest.raises(sqlite3.Error):
        store.take(1, SMALL, 1, 0)
    assert store.take(1, SMALL, 1, 0).permits
    store.close()


def test_new_limits_of_a_tenant_count_from_its_next_call(
    store: InFile | InPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "_store", lambda: store)
    tenant_id = next(tenant_ids)
    one = Limits(per_second=1, per_hour=10)
    assert [limits.take(tenant_id, one).refused for _ in range(2)] == [False, True]
    time.sleep(0.05)
    assert not limits.take(tenant_id, PUBLISHED).refused
    assert limits.used(tenant_id, Limits(per_second=50, per_hour=10)) == 2


def test_no_permit_is_no_call(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the row says that it has one again by now, as the rounding of moments may have it."""
    monkeypatch.setattr(leases, "_take", lambda *_: Grant(0, clock.now, clock.now - 1, clock.now - 1))
    assert Lease(PUBLISHED).take(next(tenant_ids)).refused
