"""Whether a SELECT that is written as SQL is the same as a queryset: the same rows, by the same plan."""

import re
from collections.abc import Sequence
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from access import sql

EXPLAIN = {"sqlite": "EXPLAIN QUERY PLAN ", "postgresql": "EXPLAIN (COSTS OFF) "}


def analyze() -> None:
    """Give the planner the statistics of the rows that the test has made. Tests have the fixture `analyze`."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def forget_statistics() -> None:
    """SQLite's planner keeps statistics that are rolled back, and would choose other plans in the tests that follow."""
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM sqlite_stat1")
            cursor.execute("ANALYZE sqlite_schema")  # which reads that table, and counts nothing


def assert_equal(select: str, parameters: Sequence[Any], queryset: QuerySet[Any, Any]) -> None:
    django, values = queryset.query.get_compiler(connection=connection).as_sql()
    assert _sorted(sql.rows(select, *parameters), queryset) == _sorted(sql.rows(django, *values), queryset)
    assert plan(select, parameters) == plan(django, values)


def plan(select: str, parameters: Sequence[Any]) -> list[str]:
    """The steps by which the database will find the rows, without the aliases of tables."""
    found = steps(select, parameters)
    if connection.vendor == "sqlite":
        return [re.sub(r"^(SEARCH|SCAN) \w+", r"\1", step) for step in found]
    return [re.sub(r'( on \w+) "?\w+"?$', r"\1", re.sub(r'"?\w+"?\.(?="?\w)', "", step)) for step in found]


def steps(select: str, parameters: Sequence[Any] | None = None) -> list[str]:
    """The steps by which the database will find the rows. Without parameters, the statement has its values in it."""
    with connection.cursor() as cursor:
        cursor.execute(EXPLAIN[connection.vendor] + select, parameters)
        return [str(row[-1]) for row in cursor.fetchall()]


def prefer_indexes(*further: str) -> None:
    """Have PostgreSQL neither scan nor sort, for this transaction, where there is another way.

    It reads a thousand rows whole as fast as by an index: what counts is whether there is a way by one. `further` are
    other ways that it shall not go, as in `bitmapscan`.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            for way in ("seqscan", "sort", *further):
                cursor.execute(f"SET LOCAL enable_{way} = off")


def _sorted(rows: list[tuple[Any, ...]], queryset: QuerySet[Any, Any]) -> list[tuple[Any, ...]]:
    return rows if queryset.ordered else sorted(rows, key=repr)
