"""Django's backend for SQLite, in which one thread of a process waits for the write lock, and no more.

A process serves with a few threads. While another process holds the lock for long, every caller who writes would occupy
one of them for the whole busy timeout, and soon no thread would be left for reads and pages.

SQLite itself asks for a lock that is taken at longer and longer intervals, up to 100 ms, so that processes that came
later get it first: with 16 writers in two processes some waited for more than a second. Here a thread asks at short
and equal intervals, and each process gets the lock equally soon.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from time import monotonic, sleep
from typing import Any

from django.db.backends.sqlite3 import base

# Seconds that a thread waits for the thread that waits for the lock. With the second that /readyz then gives the lock,
# they stay below the 3 seconds of a usual probe.
PATIENCE = 1.5
INTERVAL = 0.001  # seconds between two questions for the lock; a transaction takes some milliseconds
READS = ("SELECT", "PRAGMA", "EXPLAIN")


def let_others_run() -> None:
    """Called by a thread before it waits. A server replaces it: it lets another request run in the meantime."""


class WriteQueue:
    """Whose turn it is to wait for SQLite's write lock.

    The others wait until that thread has the lock: a moment, as long as transactions are short. Once one of them has
    waited for PATIENCE, the lock is held for long, and writers are refused at once until somebody gets it.
    """

    def __init__(self, patience: float = PATIENCE) -> None:
        self.patience = patience
        self._turn = threading.Lock()
        self._held_for_long = False

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Raises the error of a database that is locked, as SQLite does."""
        if not self._turn.acquire(blocking=False):
            let_others_run()
            if self._held_for_long or not self._turn.acquire(timeout=self.patience):
                self._held_for_long = True
                error = sqlite3.OperationalError("database is locked, and another thread waits for it already")
                error.sqlite_errorcode = sqlite3.SQLITE_BUSY
                raise error
        try:
            yield
        except sqlite3.OperationalError as error:
            self._held_for_long = is_busy(error)
            raise
        else:
            self._held_for_long = False
        finally:
            self._turn.release()


queue = WriteQueue()  # of this process


def is_busy(error: sqlite3.OperationalError) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


class QueuedCursor(base.SQLiteCursorWrapper):
    """A statement that may take the write lock waits for its turn: BEGIN, and a change outside of a transaction."""

    def execute(self, query: str, params: Any = None) -> Any:
        if self.connection.in_transaction or query.startswith(READS):
            return super().execute(query, params)
        with queue.turn():
            return self._once_free(lambda: super(QueuedCursor, self).execute(query, params))

    def executemany(self, query: str, param_list: Iterable[Any]) -> Any:
        if self.connection.in_transaction:
            return super().executemany(query, param_list)
        with queue.turn():
            rows = list(param_list)  # each try needs all of them
            return self._once_free(lambda: super(QueuedCursor, self).executemany(query, rows))

    def _once_free(self, run: Callable[[], Any]) -> Any:
        """What `run` returns, once no other process holds the write lock.

        Raises SQLite's error once it has waited for the busy timeout of the connection.
        """
        (milliseconds,) = self.connection.execute("PRAGMA busy_timeout").fetchone()
        waits_until = monotonic() + milliseconds / 1000
        self.connection.execute("PRAGMA busy_timeout = 0")  # no intervals of SQLite
        try:
            while True:
                try:
                    return run()
                except sqlite3.OperationalError as error:
                    # A snapshot that is too old stays so for as long as this connection reads from it.
                    old = getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_BUSY_SNAPSHOT
                    if not is_busy(error) or old or monotonic() > waits_until:
                        raise
                let_others_run()
                sleep(INTERVAL)
        finally:
            self.connection.execute(f"PRAGMA busy_timeout = {milliseconds}")


class DatabaseWrapper(base.DatabaseWrapper):
    def create_cursor(self, name: str | None = None) -> Any:
        return self.connection.cursor(factory=QueuedCursor)
