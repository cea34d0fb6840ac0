"""The databases that tests run on: a file for SQLite, and a PostgreSQL server that lives as long as the run."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.db import Error, connection, transaction

from access.database import commits, may_repeat
from tests import migrated
from tests.scratch import scratch


@contextmanager
def prepared(settings: dict[str, Any]) -> Iterator[None]:
    """Complete DATABASES["default"] for this run. What was started or written for it is gone soon after leaving."""
    postgres = settings["ENGINE"].endswith("postgresql")
    with scratch("postgres" if postgres else "") as directory:
        if postgres:
            settings.update(USER="postgres", HOST=str(directory))
            # A test holds one transaction throughout, and may compute for long between two queries.
            options = settings["OPTIONS"]["options"]
            isolation = os.environ.get("IRU_TEST_ISOLATION", "read committed").replace(" ", "\\ ")
            settings["OPTIONS"]["options"] = (
                f"{options} -c idle_in_transaction_session_timeout=120s -c default_transaction_isolation={isolation}"
            )
        else:
            # A file rather than memory: only so do WAL, locks between threads and the live server's threads take part.
            settings["TEST"]["NAME"] = str(directory / "test.sqlite3")
        with migrated.shared():
            yield


@contextmanager
def elsewhere(directory: Path, name: str = "elsewhere") -> Iterator[None]:
    """Inside, the default connection is to a new database without a table, which is gone afterwards."""
    before = connection.settings_dict["NAME"]
    postgres = connection.vendor == "postgresql"
    if postgres:
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name}")
    connection.close()
    connection.settings_dict["NAME"] = name if postgres else str(directory / name)
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["NAME"] = before
        if postgres:
            with connection.cursor() as cursor:
                cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


def repeated[R](work: Callable[[], R]) -> R:
    """The result of `work`, done again as often as its transaction is given up for another one.

    A door repeats a few times. Threads of a test that all want one row, with serializable transactions, need more.
    """
    while True:
        before = commits()
        try:
            return work()
        except Error as error:
            if not may_repeat(error, before):
                raise


@contextmanager
def unguarded() -> Iterator[None]:
    """Inside, nothing keeps the audit trail append-only: for tampering with it, and for cleaning up."""
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # A superuser's setting: it takes nothing from what protects a production database.
            cursor.execute("SET LOCAL session_replication_role = replica")
            yield
            cursor.execute("SET LOCAL session_replication_role = origin")
        else:
            cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
            triggers = cursor.fetchall()
            for name, _ in triggers:
                cursor.execute(f'DROP TRIGGER "{name}"')
            yield
            for _, sql in triggers:
                cursor.execute(sql)


@contextmanager
def flushable() -> Iterator[None]:
    """Inside, Django's flush between transactional tests may empty the audit trails too; a new head is made."""
    operations = type(connection.ops)
    original = operations.execute_sql_flush

    def execute(self: Any, sql_list: Iterable[str]) -> None:
        with unguarded():
            original(self, sql_list)
        with transaction.atomic(), connection.cursor() as cursor:  # as the migration leaves it
            cursor.execute("INSERT INTO access_audithead (sequence, mac) VALUES (0, '')")

    operations.execute_sql_flush = execute  # type: ignore[method-assign]
    try:
        yield
    finally:
        operations.execute_sql_flush = original  # type: ignore[method-assign]
