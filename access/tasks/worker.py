"""The process that runs tasks, one at a time."""

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.db import Error, close_old_connections, connection
from django.tasks import TaskContext, TaskResultStatus
from django.tasks.signals import task_finished, task_started
from django.utils.crypto import get_random_string
from django.utils.json import normalize_json

from access import metrics
from access.context import of_task
from access.tasks import leases, schedules
from access.tasks.backend import CHANNEL
from access.tasks.leases import LeaseLost, Row

GRACE = 5.0  # seconds that a task has to finish once the worker is asked to stop
# What runs beside the tasks of every worker, in a thread of its own: apps add to it when they are ready. It returns
# soon after the event is set, and closes its connection to the database.
companions: list[Callable[[threading.Event], None]] = []
POLL = 0.5  # seconds between two looks into the queue on SQLite
FALLBACK = 1.0  # and on PostgreSQL, where a new task wakes the worker at once

logger = logging.getLogger(__name__)


class Stopped(BaseException):
    """Raised inside a task that is not done in time when its worker stops: its transaction is rolled back."""


class Worker:
    """Runs tasks until it is asked to stop, or its parent is gone."""

    def __init__(self, *, parent: int | None = None) -> None:
        self.name = f"{socket.gethostname()[:40]}-{os.getpid()}-{get_random_string(6)}"
        self._parent = parent
        self._stopping = False
        self._running = False
        self._listening: Any = None  # the connection that LISTEN was said on

    def run(self) -> None:
        """Run tasks until a signal comes. Survives a database that is away for a while."""
        logger.info("Worker %s started.", self.name)
        stop = threading.Event()
        threads = [threading.Thread(target=run, args=[stop], daemon=True) for run in companions]
        for thread in threads:
            thread.start()
        try:
            self._run_tasks()
        finally:
            stop.set()
            for thread in threads:
                thread.join(GRACE)
        connection.close()
        logger.info("Worker %s stopped.", self.name)

    def _run_tasks(self) -> None:
        stored = lost = False
        while not self._asked_to_stop():
            close_old_connections()
            try:
                if not stored:
                    schedules.store_missing()
                    stored = True
                leases.reap()
                schedules.enqueue_due()
                if not self.run_next():
                    self._wait()
                lost = False
            except Error as error:
                metrics.database_failures.inc("worker")
                logger.log(logging.DEBUG if lost else logging.WARNING, "The database did not answer: %s", error)
                lost = True
                connection.close()
                time.sleep(FALLBACK)

    def run_next(self) -> bool:
        """Run the next task that is due. False where there is none."""
        row = leases.claim(self.name)
        if row is None:
            return False
        with of_task(row.pk):
            try:
                self._run_task(row)
            except LeaseLost as error:
                logger.warning("%s", error)
        return True

    @contextmanager
    def signals(self) -> Iterator[None]:
        """Inside, SIGTERM and SIGINT end `run` after the running task, which is interrupted after five seconds."""
        handlers = {signal.SIGTERM: self._stop, signal.SIGINT: self._stop, signal.SIGALRM: self._interrupt}
        previous = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _run_task(self, row: Row) -> None:
        try:
            with leases.extended(row, self.name):
                value = normalize_json(self._call(row))
        except Stopped:
            leases.give_back(row, self.name)
        except Exception as error:  # noqa: BLE001 - the error of a task is stored, and the next task wants running too
            leases.fail(row, self.name, error)
            _log_end(row, error)
        else:
            leases.succeed(row, self.name, value)
            _log_end(row)

    def _call(self, row: Row) -> object:
        task, result = row.task, row.task_result
        context = [TaskContext(task_result=result)] if task.takes_context else []
        task_started.send(type(task.get_backend()), task_result=result)
        self._running = True
        try:
            return task.call(*context, *result.args, **result.kwargs)
        finally:
            self._running = False

    def _wait(self) -> None:
        """Return when a task may be due."""
        if connection.vendor != "postgresql":
            time.sleep(POLL)
            return
        connection.ensure_connection()
        if self._listening is not connection.connection:
            with connection.cursor() as cursor:
                cursor.execute(f"LISTEN {CHANNEL}")
            self._listening = connection.connection
            return  # a task may have come before this connection listened
        with connection.wrap_database_errors:
            list(self._listening.notifies(timeout=FALLBACK, stop_after=1))

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if not self._stopping:  # a terminal sends the signal to everybody, and then the parent sends another one
            self._stopping = True
            signal.setitimer(signal.ITIMER_REAL, GRACE)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self._running:
            raise Stopped

    def _asked_to_stop(self) -> bool:
        return self._stopping or (self._parent is not None and os.getppid() != self._parent)


def _log_end(row: Row, error: Exception | None = None) -> None:
    if row.status == TaskResultStatus.READY:
        logger.warning("Task id=%s path=%s failed and is run again.", row.pk, row.task_path, exc_info=error)
        return
    try:
        result = row.task_result
    except (ImportError, SuspiciousOperation):
        logger.exception("Task id=%s path=%s is unknown to this version.", row.pk, row.task_path)
    else:
        task_finished.send(type(result.task.get_backend()), task_result=result)  # Django logs it
