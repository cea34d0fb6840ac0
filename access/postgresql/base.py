"""Django's backend for PostgreSQL, with a limit on our side to how long a request waits for the server.

`statement_timeout` is a limit of the server. It ends no call to a server that is frozen, or whose commit waits for a
standby: each thread would hang until the server goes on, also those that only read. Commands and workers have neither
limit: a backup, a migration, or a task about a large fleet takes its time.
"""

import time
from collections.abc import Generator
from functools import cached_property
from types import ModuleType
from typing import Any, ClassVar, cast

import psycopg
from django.conf import settings
from django.db.backends.postgresql import base, operations
from django.db.utils import DataError
from psycopg.types.numeric import Int2, Int4, Int8

WAITS = 3.0  # seconds for one statement, like the server's own limit
WAITS_LONG = 65.0  # seconds, while `allow_long_statements` is in force
LOOK_AGAIN = 0.5  # seconds after which a wait looks at the clock
UNLIMITED = "-c statement_timeout=0"
BITS = {Int2: 15, Int4: 31, Int8: 63}  # of a number, without its sign
PAUSE = 1.0  # seconds in which no connection is opened to a server that did not answer


class Unanswered(psycopg.OperationalError):
    """The server did not answer in time. The connection is closed: its answer may still come."""


class LimitedConnection(psycopg.Connection[Any]):
    """A connection that ends each wait for the server after `waits` seconds, if that is set."""

    waits: float | None = None
    commits = 0
    server: tuple[Any, Any] = (None, None)  # host and port, as the settings name them
    unanswered_at: ClassVar[dict[tuple[Any, Any], float]] = {}  # of any connection of this process, by its server

    def wait(self, gen: Generator[Any, Any, Any], interval: float = LOOK_AGAIN, timeout: float | None = None) -> Any:
        """psycopg's. Raises Unanswered when the limit is over."""
        if self.waits is None:
            return super().wait(gen, interval, timeout=timeout)
        begun = time.monotonic()
        try:
            return super().wait(gen, min(interval, LOOK_AGAIN), timeout=timeout or self.waits)
        except psycopg.OperationalError as error:
            if error.sqlstate is not None or time.monotonic() - begun < self.waits:
                raise  # the server's own answer, or a connection that broke off
            self.unanswered_at[self.server] = time.monotonic()
            self.pgconn.finish()
            raise Unanswered(f"The database did not answer within {self.waits:.0f} seconds.") from None

    @cached_property
    def reader(self) -> psycopg.Cursor[Any]:
        """One cursor for the statements of access/sql.py: making one takes a quarter of the time of a short SELECT."""
        return self.cursor()

    def wait_long(self) -> None:
        """Wait for a minute for each statement of this transaction, if waits are limited at all."""
        if self.waits is not None:
            self.waits = WAITS_LONG

    def commit(self) -> None:
        """psycopg's, which also ends `allow_long_statements`."""
        try:
            super().commit()
            self.commits += 1
        finally:
            self.waits = type(self).waits

    def rollback(self) -> None:
        """psycopg's, which also ends `allow_long_statements`."""
        try:
            super().rollback()
        finally:
            self.waits = type(self).waits


def limit_waits() -> None:
    """Limit how long requests wait for the server. A server process calls it at its start."""
    LimitedConnection.waits = WAITS


def connect(*args: Any, **kwargs: Any) -> LimitedConnection:
    """Open a connection. Raises Unanswered at once if the server did not answer a moment ago.

    Without that, a request whose connection was just closed would wait for the server a second time.
    """
    server = (kwargs.get("host"), kwargs.get("port"))
    if time.monotonic() - LimitedConnection.unanswered_at.get(server, float("-inf")) < PAUSE:
        raise Unanswered("The database did not answer a moment ago.")
    try:
        made = LimitedConnection.connect(*args, **kwargs)
    except psycopg.errors.ConnectionTimeout:
        # A request that waited for this thread meanwhile must not wait for the server as well.
        if LimitedConnection.waits is not None:
            LimitedConnection.unanswered_at[server] = time.monotonic()
        raise
    made.server = server
    return made


class Driver:
    """psycopg, as Django's backend uses it, with the `connect` of this module."""

    connect = staticmethod(connect)

    def __init__(self, driver: ModuleType) -> None:
        self._driver = driver

    def __getattr__(self, name: str) -> Any:
        return getattr(self._driver, name)


class DatabaseOperations(operations.DatabaseOperations):
    def adapt_integerfield_value(self, value: Any, internal_type: str) -> Any:
        """Django's. Raises DataError for a number that the column cannot hold: the driver would store its last bits."""
        adapted = super().adapt_integerfield_value(value, internal_type)
        bits = BITS.get(type(adapted))
        if bits is not None and not -(1 << bits) <= adapted < 1 << bits:
            raise DataError(f"{value} is out of the range of {internal_type}.")
        return adapted


class DatabaseWrapper(base.DatabaseWrapper):
    Database = cast("Any", Driver(psycopg))
    ops_class = DatabaseOperations

    def get_connection_params(self) -> dict[str, Any]:
        """Django's. The limits of the settings, or of the role, are for requests alone."""
        parameters: dict[str, Any] = super().get_connection_params()
        if LimitedConnection.waits is None and not settings.IRU_DATABASE_POOLER:
            parameters["options"] = f"{parameters.get('options', '')} {UNLIMITED}".strip()
        return parameters
