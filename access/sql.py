"""Statements that are written as SQL, where every API call or every change runs them.

Django takes longer to make the SQL of a queryset than the database takes to look a row up by index. Each SELECT has a
test that it gives the rows of its queryset by the same plan."""

from datetime import UTC, datetime
from functools import lru_cache
from time import perf_counter
from typing import Any

from django.db import DEFAULT_DB_ALIAS, InterfaceError, OperationalError, connections

from access.context import add_database_time, time_statement


def rows(sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """Run `sql`, which has a `%s` for each parameter, and returns rows.

    Takes parameters and returns rows in the types of the database driver: no model, no field conversion.
    """
    database: Any = connections[DEFAULT_DB_ALIAS]
    rows: list[tuple[Any, ...]]
    timed = database.execute_wrappers == [time_statement]
    # A test counts queries, or a tool watches them.
    if database.queries_logged or (database.execute_wrappers and not timed):
        with database.cursor() as cursor:
            cursor.execute(sql, parameters)
            rows = cursor.fetchall()
        return rows
    # Straight to the driver: Django's cursor takes longer around such a query than the query itself.
    unchecked = database.connection is not None and not database.health_check_done and not database.in_atomic_block
    database.ensure_connection()
    database.validate_no_broken_transaction()
    native = _for_sqlite(sql) if database.vendor == "sqlite" else sql
    start = perf_counter() if timed else 0.0
    try:
        rows = _fetch(database, native, parameters)
    except (OperationalError, InterfaceError):
        # Django checks a connection once in a request, with a query of its own. The first SELECT here is that check,
        # without another round trip: it is repeated where the connection was cut since the last request.
        if not unchecked or database.is_usable():
            raise
        database.close()
        database.ensure_connection()
        rows = _fetch(database, native, parameters)
    database.health_check_done = True
    if timed:
        add_database_time(perf_counter() - start)
    return rows


def aware(moment: datetime) -> datetime:
    """A moment of `rows` with its zone. SQLite's driver returns moments without one; they are always UTC."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _fetch(database: Any, sql: str, parameters: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    reader = database.connection if database.vendor == "sqlite" else database.connection.reader
    with database.wrap_database_errors:
        rows: list[tuple[Any, ...]] = reader.execute(sql, parameters).fetchall()
    return rows


@lru_cache(1000)  # a caller chooses the filters of a list, and so one of many statements
def _for_sqlite(sql: str) -> str:
    return sql.replace("%s", "?")
