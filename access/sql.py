"""Statements that are written as SQL, where every API call or every change runs them.

Django takes longer to make the SQL of a queryset than the database takes to look a row up by index. Each SELECT has a
test that it gives the rows of its queryset by the same plan."""

from functools import cache
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections


def rows(sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """Run `sql`, which has a `%s` for each parameter, and returns rows.

    Takes parameters and returns rows in the types of the database driver: no model, no field conversion.
    """
    database: Any = connections[DEFAULT_DB_ALIAS]
    rows: list[tuple[Any, ...]]
    if database.queries_logged or database.execute_wrappers:  # a test counts queries, or a tool watches them
        with database.cursor() as cursor:
            cursor.execute(sql, parameters)
            rows = cursor.fetchall()
        return rows
    # Straight to the driver: Django's cursor takes longer around such a query than the query itself.
    database.close_if_health_check_failed()
    database.ensure_connection()
    database.validate_no_broken_transaction()
    native = _for_sqlite(sql) if database.vendor == "sqlite" else sql
    with database.wrap_database_errors:
        rows = database.connection.execute(native, parameters).fetchall()
    return rows


@cache
def _for_sqlite(sql: str) -> str:
    return sql.replace("%s", "?")
