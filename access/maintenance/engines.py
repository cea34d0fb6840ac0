"""How the whole content of a database is copied out, checked, and put into an empty place: an engine for each kind."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from django.db import DEFAULT_DB_ALIAS, connection, connections, transaction

from access.maintenance import programs
from access.maintenance.refusals import Refused

PAGES = 2048  # of SQLite between two reports of the progress
LOOK = 0.2  # seconds between two looks at a file that pg_dump writes
BEFORE = "iru_before_restore"  # the schema that the present tables are moved to while others are restored

# Called with the label of a step, the work that is done and the whole of it; 0 if that is not known.
type Progress = Callable[[str, int, int], None]


class Engine(Protocol):
    file_name: str

    def dump(self, path: Path, progress: Progress) -> AbstractContextManager[None]:
        """Copy the database to a new file; inside, the default connection sees the same moment as the file."""

    def check(self, path: Path) -> None:
        """Raises Refused if the copy cannot be read from its beginning to its end."""

    def is_empty(self) -> bool:
        """Whether the place to restore into has no tables."""

    def check_place(self) -> None:
        """Raises Refused if nothing can be restored there, before anything is changed."""

    def load(self, path: Path, progress: Progress) -> None:
        """Put the copy in the place of everything there, or change nothing and raise."""


def engine() -> Engine:
    """The engine of DATABASE_URL."""
    return PostgreSQL() if connection.vendor == "postgresql" else SQLite()


class SQLite:
    file_name = "database.sqlite3"

    @contextmanager
    def dump(self, path: Path, progress: Progress) -> Iterator[None]:
        with closing(sqlite3.connect(_existing(), uri=True, isolation_level=None)) as source:
            # The transaction holds one moment: without it the copy would begin again after each write of others.
            source.execute("BEGIN")
            source.execute("SELECT count(*) FROM sqlite_master").fetchone()
            with closing(sqlite3.connect(path)) as target:
                source.backup(
                    target, pages=PAGES, progress=lambda _, left, total: progress("Database", total - left, total)
                )
                target.execute("PRAGMA journal_mode = DELETE")  # so that the copy is one file
        ours = connections[DEFAULT_DB_ALIAS]
        options = {**ours.settings_dict["OPTIONS"], "init_command": "PRAGMA query_only = ON;"}
        to_copy = type(ours)({**ours.settings_dict, "NAME": str(path), "OPTIONS": options}, DEFAULT_DB_ALIAS)
        connections[DEFAULT_DB_ALIAS] = to_copy  # of this thread
        try:
            yield
        finally:
            connections[DEFAULT_DB_ALIAS] = ours
            to_copy.close()

    def check(self, path: Path) -> None:
        try:
            with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as copy:
                ((answer,), *_) = copy.execute("PRAGMA integrity_check(1)").fetchall()
        except sqlite3.Error as error:
            answer = str(error)
        if answer != "ok":
            raise Refused(f"The copy of the database is damaged: {answer}")

    def is_empty(self) -> bool:
        # Without the file, a look at it would make one.
        return not _file().exists() or not connection.introspection.table_names()

    def check_place(self) -> None:
        if not _file().parent.is_dir():
            raise Refused(f"The directory of the database does not exist: {_file().parent}")

    def load(self, path: Path, progress: Progress) -> None:
        connection.close()
        factory = connection.settings_dict["OPTIONS"]["factory"]
        with (
            closing(sqlite3.connect(path)) as source,
            # One transaction on the target: other processes see all of it or nothing, as does a power cut.
            closing(sqlite3.connect(_file(), factory=factory)) as target,
        ):
            source.backup(
                target, pages=PAGES, progress=lambda _, left, total: progress("Database", total - left, total)
            )


class PostgreSQL:
    file_name = "database.dump"

    @contextmanager
    def dump(self, path: Path, progress: Progress) -> Iterator[None]:
        pg_dump = programs.find("pg_dump")
        with transaction.atomic(durable=True), connection.cursor() as cursor, programs.environment() as environment:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            cursor.execute("SET LOCAL statement_timeout = 0")
            cursor.execute("SELECT pg_export_snapshot(), pg_database_size(current_database())")
            snapshot, size = cursor.fetchone()
            arguments = ("--format=custom", "--no-password", f"--snapshot={snapshot}", f"--file={path}")
            with programs.running(
                pg_dump, *arguments, f"--dbname=service={programs.SERVICE}", environment=environment
            ) as process:
                while process.poll() is None:
                    time.sleep(LOOK)
                    progress("Database", min(path.stat().st_size, size) if path.exists() else 0, size)
            yield

    def check(self, path: Path) -> None:
        with programs.running(programs.find("pg_restore"), "--list", str(path)):
            pass

    def is_empty(self) -> bool:
        return not connection.introspection.table_names()

    def check_place(self) -> None:
        # An older server does not know all settings that a newer pg_restore sends.
        programs.find("pg_restore", newest=connection.get_database_version()[0])
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", [BEFORE])
            if cursor.fetchone():
                raise Refused(
                    f"The schema {BEFORE} holds the tables from before a restore that was interrupted. Look at them, "
                    "and drop the schema first."
                )
            cursor.execute(
                "SELECT extname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace "
                "WHERE nspname = current_schema()"
            )
            if (row := cursor.fetchone()) and not self.is_empty():
                raise Refused(f"The extension {row[0]} stands among the tables. Restore into a new, empty database.")

    def load(self, path: Path, progress: Progress) -> None:
        pg_restore = programs.find("pg_restore")
        schema = None if self.is_empty() else self._set_aside()
        connection.close()
        try:
            with programs.environment() as environment, path.open("rb") as dump:
                arguments = (
                    "--single-transaction",
                    "--exit-on-error",
                    "--no-owner",
                    "--no-privileges",
                    "--no-password",
                )
                with programs.running(
                    pg_restore, *arguments, f"--dbname=service={programs.SERVICE}", environment=environment, reads=True
                ) as process:
                    assert process.stdin is not None  # noqa: S101 - asked for
                    total, done = path.stat().st_size, 0
                    while piece := dump.read(1024 * 1024):
                        process.stdin.write(piece)
                        done += len(piece)
                        progress("Database", done, total)
        except BaseException:
            if schema:
                self._put_back(schema)
            raise
        if schema:
            with connection.cursor() as cursor:
                cursor.execute("SET statement_timeout = 0")
                cursor.execute(f'DROP SCHEMA "{BEFORE}" CASCADE')
            connection.close()

    def _set_aside(self) -> str:
        """Move the present tables to another schema, and make an empty one of the same name; returns the name."""
        with transaction.atomic(durable=True), connection.cursor() as cursor:
            cursor.execute("SELECT current_schema()")
            (schema,) = cursor.fetchone()
            cursor.execute(f'ALTER SCHEMA "{schema}" RENAME TO "{BEFORE}"')
            cursor.execute(f'CREATE SCHEMA "{schema}"')
        return str(schema)

    def _put_back(self, schema: str) -> None:
        connection.close()
        with transaction.atomic(durable=True), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '60s'")  # the server may not have noticed that pg_restore ended
            cursor.execute("SET LOCAL statement_timeout = 0")
            cursor.execute(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE')
            cursor.execute(f'ALTER SCHEMA "{BEFORE}" RENAME TO "{schema}"')


def _file() -> Path:
    return Path(connection.settings_dict["NAME"])


def _existing() -> str:
    """The URI of the database's file: opening it creates none. Raises Refused."""
    if not _file().is_file():
        raise Refused(f"There is no database: {_file()}")
    return f"file:{quote(str(_file()))}?mode=rw"
