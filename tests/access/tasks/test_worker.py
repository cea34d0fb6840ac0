"""The worker as a process: it starts, waits, stops, and dies."""

import logging
import os
import signal
import time
from pathlib import Path
from threading import Timer

import pytest
from django.db import OperationalError, connection
from django.tasks import TaskResultStatus
from django_tasks_db.models import DBTaskResult

from access.models import TaskLease
from access.tasks import leases
from access.tasks import worker as module
from access.tasks.worker import Worker
from tests import processes
from tests.access.tasks import jobs

logger = logging.getLogger(__name__)
pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


def test_a_task_whose_worker_is_killed_runs_again_within_twenty_seconds(tmp_path: Path) -> None:
    (runs := tmp_path / "runs").touch()
    row_id = jobs.hang_the_first_time.enqueue(str(runs)).id

    def pids() -> list[int]:
        return [int(line) for line in runs.read_text().splitlines()]

    with processes.managed("worker") as one, processes.managed("worker") as two:
        processes.wait_for(pids, 60)
        first, other = (one, two) if pids() == [one.pid] else (two, one)
        first.kill()
        seconds = processes.wait_for(lambda: len(pids()) == 2, 20)
        logger.info("The task ran again %.1f s after its worker was killed.", seconds)
        assert pids()[1] == other.pid
        processes.wait_for(lambda: DBTaskResult.objects.get(id=row_id).status == TaskResultStatus.SUCCESSFUL, 5)
    assert len(DBTaskResult.objects.get(id=row_id).worker_ids) == 2


def test_a_worker_that_is_asked_to_stop_finishes_its_task_and_takes_no_other(tmp_path: Path) -> None:
    first, second = jobs.ask_the_worker_to_stop.enqueue(0.1), jobs.note.enqueue(str(tmp_path / "lines"))
    worker = Worker()
    with worker.signals():
        worker.run()
    first.refresh()
    second.refresh()
    assert (first.status, second.status) == (TaskResultStatus.SUCCESSFUL, TaskResultStatus.READY)


def test_a_task_that_takes_too_long_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GRACE", 0.2)
    result = jobs.ask_the_worker_to_stop.enqueue(30)
    worker = Worker()
    with worker.signals():
        worker.run()
    result.refresh()
    assert (result.status, result.attempts) == (TaskResultStatus.READY, 0)
    assert not TaskLease.objects.exists()


def test_a_worker_whose_parent_is_gone_stops(tmp_path: Path) -> None:
    jobs.note.enqueue(str(tmp_path / "lines"))
    Worker(parent=os.getppid() + 1).run()
    assert not (tmp_path / "lines").exists()


def test_a_waiting_worker_hears_of_a_new_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FALLBACK", 20.0)  # so that PostgreSQL's notification alone can wake it in time
    worker = Worker()
    worker._wait()

    def enqueue() -> None:
        jobs.note.enqueue("/dev/null")
        connection.close()

    timer = Timer(0.3, enqueue)
    timer.start()
    start = time.monotonic()
    while not DBTaskResult.objects.exists():
        worker._wait()
    assert time.monotonic() - start < 5
    timer.join()
    assert worker.run_next()


def test_a_worker_outlives_a_database_that_is_away(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    jobs.note.enqueue(str(tmp_path / "lines"))
    jobs.ask_the_worker_to_stop.enqueue(0)
    monkeypatch.setattr(module, "FALLBACK", 0.01)
    worker, claim, refusals = Worker(), leases.claim, iter([True, True])

    def refuse_twice(name: str) -> object:
        if next(refusals, False):
            connection.close()
            raise OperationalError("away")
        return claim(name)

    monkeypatch.setattr(leases, "claim", refuse_twice)
    with worker.signals():
        worker.run()
    assert (tmp_path / "lines").exists()


def test_a_signal_is_as_good_as_many() -> None:
    worker = Worker()
    with worker.signals():
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
            signal.raise_signal(number)
        worker.run()
