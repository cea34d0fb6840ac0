"""At least once: what happens to a task whose worker is lost, late, or meets an error."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier

import pytest
from django.db import connection, transaction
from django.tasks import TaskResultStatus
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from access.models import TaskLease
from access.tasks import leases
from access.tasks.leases import LeaseLost, Row, WorkerLost
from tests.access.tasks import jobs
from tests.types import RunTasks

pytestmark = pytest.mark.django_db


@pytest.fixture
def claimed() -> Row:
    """A task that the worker "first" runs."""
    jobs.note.enqueue("/dev/null")
    row = leases.claim("first")
    assert row is not None
    return row


def let_it_run_out(row: Row) -> None:
    TaskLease.objects.filter(task=row).update(until=timezone.now() - timedelta(seconds=1))


def make_due() -> None:
    DBTaskResult.objects.filter(status=TaskResultStatus.READY).update(run_after=timezone.now())


def state(row: Row) -> tuple[str, int]:
    row.refresh_from_db()
    return row.status, len(row.worker_ids)


def test_one_worker_claims_a_task_and_holds_a_lease(claimed: Row) -> None:
    assert leases.claim("second") is None
    (lease,) = TaskLease.objects.all()
    assert (lease.task_id, lease.worker) == (claimed.pk, "first")
    assert timedelta(seconds=13) < lease.until - timezone.now() < timedelta(seconds=17)
    assert leases.reap() == 0


def test_a_finished_task_has_no_lease(run_tasks: RunTasks, tmp_path: Path) -> None:
    jobs.note.enqueue(str(tmp_path / "lines"))
    assert run_tasks() == 1
    assert not TaskLease.objects.exists()
    assert DBTaskResult.objects.get().status == TaskResultStatus.SUCCESSFUL


def test_a_transaction_that_is_rolled_back_enqueues_nothing(run_tasks: RunTasks) -> None:
    with transaction.atomic():
        jobs.note.enqueue("/dev/null")
        transaction.set_rollback(True)
    assert run_tasks() == 0


def test_a_task_of_a_lost_worker_goes_back_to_the_queue(claimed: Row) -> None:
    let_it_run_out(claimed)
    assert leases.reap() == 1
    assert leases.reap() == 0
    assert state(claimed) == ("READY", 1)
    assert claimed.run_after > timezone.now()
    make_due()
    assert leases.claim("second") is not None
    assert state(claimed) == ("RUNNING", 2)


def test_a_task_fails_once_five_workers_were_lost(claimed: Row) -> None:
    for attempt in range(1, 6):
        assert state(claimed) == ("RUNNING", attempt)
        let_it_run_out(claimed)
        leases.reap()
        make_due()
        leases.claim("next")
    assert state(claimed) == ("FAILED", 5)
    assert claimed.exception_class_path == f"{WorkerLost.__module__}.WorkerLost"
    assert "stopped in the middle of attempt 5" in claimed.traceback


def test_a_worker_that_lost_its_lease_stores_nothing(claimed: Row) -> None:
    let_it_run_out(claimed)
    leases.reap()
    make_due()
    leases.claim("second")
    with pytest.raises(LeaseLost):
        leases.succeed(claimed, "first", None)
    with pytest.raises(LeaseLost):
        leases.fail(claimed, "first", ValueError())
    with pytest.raises(LeaseLost):
        leases.give_back(claimed, "first")
    assert state(claimed) == ("RUNNING", 2)


def test_a_failing_task_is_run_again_as_often_as_it_says(run_tasks: RunTasks, tmp_path: Path) -> None:
    row_id = jobs.explode.enqueue(str(tmp_path / "lines")).id
    waits = []
    for _ in range(5):
        run_tasks()
        row = DBTaskResult.objects.get(id=row_id)
        waits.append(round((row.run_after - timezone.now()).total_seconds(), 0))
        make_due()
    assert (tmp_path / "lines").read_text() == "boom\n" * 3
    assert waits[:2] == [1, 4]
    assert row.status == TaskResultStatus.FAILED
    assert "It does not work." in row.traceback


def test_a_failing_task_that_says_nothing_is_not_run_again(run_tasks: RunTasks, tmp_path: Path) -> None:
    jobs.explode_once.enqueue(str(tmp_path / "lines"))
    for _ in range(3):
        run_tasks()
        make_due()
    assert (tmp_path / "lines").read_text() == "boom\n"
    assert DBTaskResult.objects.get().status == TaskResultStatus.FAILED


def test_a_result_that_cannot_be_stored_fails_the_task(run_tasks: RunTasks) -> None:
    jobs.return_no_json.enqueue()
    assert run_tasks() == 1
    assert DBTaskResult.objects.get().status == TaskResultStatus.FAILED


def test_a_task_of_another_version_waits_for_a_worker_that_knows_it(run_tasks: RunTasks) -> None:
    jobs.note.enqueue("/dev/null")
    DBTaskResult.objects.update(task_path="access.not_yet.written")
    assert run_tasks() == 1
    assert DBTaskResult.objects.get().status == TaskResultStatus.READY
    for _ in range(5):
        make_due()
        run_tasks()
    assert DBTaskResult.objects.get().status == TaskResultStatus.FAILED


def test_the_wait_before_another_attempt_grows() -> None:
    waits = [leases.delay_before(attempt).total_seconds() for attempt in (1, 2, 3, 4, 5, 6, 7, 50)]
    assert waits == [1, 4, 16, 64, 256, 1024, 3600, 3600]


@pytest.mark.django_db(transaction=True)
def test_the_lease_of_a_running_task_is_extended(claimed: Row) -> None:
    let_it_run_out(claimed)
    with leases.extended(claimed, "first", every=0.05):
        deadline = time.monotonic() + 5
        while TaskLease.objects.expired().exists() and time.monotonic() < deadline:
            time.sleep(0.05)
    assert leases.reap() == 0
    assert TaskLease.objects.get().until > timezone.now() + timedelta(seconds=5)


@pytest.mark.django_db(transaction=True)
def test_a_lost_lease_is_not_extended(claimed: Row) -> None:
    let_it_run_out(claimed)
    leases.reap()
    with leases.extended(claimed, "first", every=0.05):
        time.sleep(0.2)
    assert not TaskLease.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_workers_that_claim_at_the_same_moment_get_different_tasks() -> None:
    for _ in range(2):
        jobs.note.enqueue("/dev/null")
    together = Barrier(4)

    def claim(number: int) -> Row | None:
        try:
            together.wait(10)
            return leases.claim(f"worker {number}")
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        claimed = [row.pk for row in pool.map(claim, range(4)) if row]
    assert len(claimed) == len(set(claimed)) == 2
    assert TaskLease.objects.count() == 2
