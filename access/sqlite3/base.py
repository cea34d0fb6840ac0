"""Django's backend for SQLite, in which one thread of a process waits for the write lock, and no more.

A process serves with a few threads. While another process holds the lock for long, every caller who writes would occupy
one of them for the whole busy timeout, and soon no thread would be left for reads and pages.
"""

import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db.backends.sqlite3 import base

PATIENCE = 1.0  # seconds that a thread waits for the thread that waits for the lock
READS = ("SELECT", "PRAGMA", "EXPLAIN")


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
        if not self._turn.acquire(timeout=0 if self._held_for_long else self.patience):
            self._held_for_long = True
            error = sqlite3.OperationalError("database is locked, and another thread waits for it already")
            error.sqlite_errorcode = sqlite3.SQLITE_BUSY
            raise error
        try:
            yield
        except sqlite3.OperationalError as error:
            self._held_for_long = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
            raise
        else:
            self._held_for_long = False
        finally:
            self._turn.release()


queue = WriteQueue()  # of this process


class QueuedCursor(base.SQLiteCursorWrapper):
    """A statement that may take the write lock waits for its turn: BEGIN, and a change outside of a transaction."""

    def execute(self, query: str, params: Any = None) -> Any:
        if self.connection.in_transaction or query.startswith(READS):
            return super().execute(query, params)
        with queue.turn():
            return super().execute(query, params)

    def executemany(self, query: str, param_list: Iterable[Any]) -> Any:
        if self.connection.in_transaction:
            return super().executemany(query, param_list)
        with queue.turn():
            return super().executemany(query, param_list)


class DatabaseWrapper(base.DatabaseWrapper):
    def create_cursor(self, name: str | None = None) -> Any:
        return self.connection.cursor(factory=QueuedCursor)
