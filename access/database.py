"""What an error of the database means for a request that met it."""

import random
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import Enum, auto

from django.db import (
    DEFAULT_DB_ALIAS,
    DataError,
    Error,
    InterfaceError,
    OperationalError,
    connection,
    connections,
    transaction,
)

from access.patience import Patience

# Classes of SQLSTATE: the connection, deadlocks, resources, an operator or a time limit, the system below.
AWAY_CLASSES = {"08", "40", "53", "57", "58"}
READ_ONLY = "25006"
# The server ended a transaction for the sake of another one: the same work succeeds once that one is done.
SERIALIZATION, DEADLOCK = "40001", "40P01"
PAUSES = (0.01, 0.03, 0.1, 0.2, 0.3)
AWAY_STATES = {READ_ONLY, "25P03", "55P03"}  # a node that is no longer the primary; two time limits of ours
VALUE_CLASSES = {"22", "54"}  # a value of its type, or of the server's limits
AWAY_IN_SQLITE = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_NOTADB,
}
# SQLite has no code for it. The pattern of LIKE may have 50,000 bytes.
LONG_PATTERN = "LIKE or GLOB pattern too complex"


class Failure(Enum):
    AWAY = auto()  # the database is lost, or busy: the same request may succeed in a moment
    VALUE = auto()  # it refuses a value that came with the request


def failure_of(error: BaseException | None) -> Failure | None:
    """None for an error of another kind: it is a mistake of this program."""
    if isinstance(error, OverflowError):
        # SQLite's driver has no error of its own for an integer that no column holds.
        return Failure.VALUE if "SQLite INTEGER" in str(error) else None
    if not isinstance(error, Error):
        return None
    if isinstance(error, DataError) or LONG_PATTERN in str(error):
        return Failure.VALUE
    code = getattr(error.__cause__, "sqlite_errorcode", None)
    if code is not None:
        return Failure.AWAY if code & 0xFF in AWAY_IN_SQLITE else None
    state = _state(error)
    if state is None:  # the server was not reached, or the connection broke off
        return Failure.AWAY if isinstance(error, OperationalError | InterfaceError) else None
    if state[:2] in VALUE_CLASSES:
        return Failure.VALUE
    return Failure.AWAY if state in AWAY_STATES or state[:2] in AWAY_CLASSES else None


def commits() -> int:
    """How many transactions this thread's connection to PostgreSQL has committed; 0 on SQLite."""
    return getattr(connection.connection, "commits", 0)


def may_repeat(error: BaseException, before: int) -> bool:
    """Whether work may be done again that began when `commits()` was `before`: it was given up, with all it changed."""
    given_up = isinstance(error, Error) and _state(error) in {SERIALIZATION, DEADLOCK}
    return given_up and commits() == before and not connection.in_atomic_block


def retried[R](work: Callable[[], R], *, pauses: Sequence[float] = PAUSES) -> R:
    """The result of `work`, which is done again where PostgreSQL gave its only transaction up for another one.

    `pauses` are the longest ones in seconds, one before each repetition.
    """
    before = commits()
    for pause in pauses:
        try:
            return work()
        except Error as error:
            if not may_repeat(error, before):
                raise
        time.sleep(random.uniform(0, pause))  # noqa: S311 - so that two of them do not meet again
    return work()


def drop_if_read_only(error: BaseException | None) -> None:
    """Close a connection to a node that has become read-only, so that the next request looks for the primary.

    Such a connection works, so that no health check would close it.
    """
    if isinstance(error, Error) and _state(error) == READ_ONLY:
        connection.close()


def let_go() -> None:
    """Close this thread's connection before long work that needs none, such as an upload or a download of a file."""
    if not connection.in_atomic_block:
        connection.close()


def answers_writes() -> bool:
    """Whether the database would take a change now; it has about a second to say so. Raises django.db.Error."""
    if connection.vendor == "postgresql" and connection.connection is None:
        # The driver gives a server that does not answer the 3 seconds of the settings, and no fewer than 2.
        try:
            _can_be_opened()
        except TimeoutError as error:
            raise OperationalError(str(error)) from error
    connection.ensure_connection()
    if connection.vendor == "sqlite":
        patience = int(connection.settings_dict["OPTIONS"]["timeout"] * 1000)
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA busy_timeout = 1000")
            try:
                with transaction.atomic():  # takes the write lock
                    return True
            finally:
                cursor.execute(f"PRAGMA busy_timeout = {patience}")
    with limited_waits(1.0), connection.cursor() as cursor:
        cursor.execute("SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean")
        return not cursor.fetchone()[0]


# The lambda matters: `connection` is another one in each thread.
_can_be_opened = Patience(lambda: connection.ensure_connection(), 1.0, name="PostgreSQL")  # noqa: PLW0108


@contextmanager
def limited_waits(seconds: float, *, alias: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """Inside, each statement waits so long for PostgreSQL. SQLite lets readers wait for nothing."""
    database = connections[alias]
    database.ensure_connection()
    if database.vendor != "postgresql":
        yield
        return
    before, database.connection.waits = database.connection.waits, seconds
    try:
        yield
    finally:
        if database.connection is not None:
            database.connection.waits = before


def allow_long_statements() -> None:
    """Give each statement of the rest of this transaction a minute, instead of the 2.8 seconds of the settings.

    Only PostgreSQL has such a limit.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = '60s'")
        connection.connection.wait_long()


@contextmanager
def large_cache() -> Iterator[None]:
    """Inside, this connection to SQLite keeps 128 MB of pages.

    With its usual 512 kB, an import of a large fleet reads and writes pages of indexes again and again.
    """
    if connection.vendor != "sqlite":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA cache_size")
        (usual,) = cursor.fetchone()
        cursor.execute("PRAGMA cache_size = -128000")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"PRAGMA cache_size = {int(usual)}")


def commit_without_waiting() -> None:
    """Have the commit of this transaction wait neither for the disk of PostgreSQL nor for a standby.

    What a failure of the server in the next moment may take is lost, so it has to be worth little.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL synchronous_commit = off")


def _state(error: Error) -> str | None:
    state: str | None = getattr(error.__cause__, "sqlstate", None)
    return state
