"""The database servers of the benchmarks. Their data is kept between runs, in a directory."""

import os
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

import psycopg

from tests.faults.installation import create_postgres, postgres_command
from tests.processes import wait_for

START = 60.0  # seconds for the start of PostgreSQL
LONGEST_SOCKET = 90  # characters of a directory; the system allows 107 for the socket in it
# A small server of its own, as durable as an installation's. The log of writes is large enough for a build.
POSTGRESQL_CONF = """
listen_addresses = ''
max_connections = 60
shared_buffers = 512MB
effective_cache_size = 4GB
max_wal_size = 4GB
random_page_cost = 1.1
"""


class Databases(Protocol):
    """A database server, or the files of SQLite. `name` is a database there."""

    kind: str

    def create(self, name: str) -> None:
        """An empty database, in place of the one that had the name."""

    def copy(self, source: str, name: str) -> None:
        """A copy of `source`, which no process may use meanwhile, in place of the database that had the name."""

    def drop(self, name: str) -> None:
        """Delete the database, if there is one."""

    def exists(self, name: str) -> bool: ...

    def url(self, name: str) -> str: ...

    def texts(self, name: str, statement: str) -> Iterator[str]:
        """The first column of a query, a row at a time."""

    def pid(self) -> int | None:
        """The process that the processes of the database server come from; None where it has none."""

    def version(self) -> str: ...


class Sqlite:
    kind = "sqlite"

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    def _file(self, name: str) -> Path:
        return self._directory / f"{name}.sqlite3"

    def create(self, name: str) -> None:
        self.drop(name)

    def copy(self, source: str, name: str) -> None:
        self.drop(name)
        with closing(sqlite3.connect(self._file(source))) as there, closing(sqlite3.connect(self._file(name))) as here:
            there.backup(here)  # with the part of it that is in the log

    def drop(self, name: str) -> None:
        for file in self._directory.glob(f"{name}.sqlite3*"):
            file.unlink()

    def exists(self, name: str) -> bool:
        return self._file(name).exists()

    def url(self, name: str) -> str:
        return f"sqlite:///{self._file(name)}"

    def texts(self, name: str, statement: str) -> Iterator[str]:
        with closing(sqlite3.connect(self._file(name))) as connection:
            yield from (text for (text,) in connection.execute(statement))

    def pid(self) -> int | None:
        return None

    def version(self) -> str:
        return f"SQLite {sqlite3.sqlite_version}"


class Postgresql:
    kind = "postgresql"

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._data = directory / "data"
        self._process: subprocess.Popen[bytes] | None = None
        if len(str(directory)) > LONGEST_SOCKET:
            raise SystemExit(f"The path of the directory is too long for a socket of PostgreSQL: {directory}")
        directory.mkdir(parents=True, exist_ok=True)

    def start(self) -> None:
        """Start the server, which ends with this process at the latest. The first start makes its data."""
        if not (self._data / "PG_VERSION").exists():
            create_postgres(self._data, POSTGRESQL_CONF, "--locale=C.UTF-8")
        command = postgres_command(self._data, "-k", str(self._directory))
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0)
        wait_for(self._answers, START)

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise SystemExit((self._directory / "log").read_text()[-2000:])
        try:
            self._connect("postgres").close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(60)
            self._process = None

    def _connect(self, name: str) -> "psycopg.Connection[Any]":
        return psycopg.connect(host=str(self._directory), user="postgres", dbname=name, autocommit=True)

    def create(self, name: str) -> None:
        self.drop(name)
        with self._connect("postgres") as connection:
            connection.execute(f"CREATE DATABASE {name}")

    def copy(self, source: str, name: str) -> None:
        self.drop(name)
        with self._connect("postgres") as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {source} STRATEGY file_copy")

    def drop(self, name: str) -> None:
        with self._connect("postgres") as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {name}")

    def exists(self, name: str) -> bool:
        with self._connect("postgres") as connection:
            return bool(connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchall())

    def url(self, name: str) -> str:
        return f"postgres:///{name}?user=postgres&host={self._directory}"

    def texts(self, name: str, statement: str) -> Iterator[str]:
        with self._connect(name) as connection, connection.transaction(), connection.cursor("texts") as cursor:
            cursor.itersize = 2000
            yield from (text for (text,) in cursor.execute(statement))

    def pid(self) -> int | None:
        # With another user in between, the process that was started has the server as its child, or is it.
        return self._process.pid if self._process else None

    def version(self) -> str:
        with self._connect("postgres") as connection:
            (version,) = connection.execute("SHOW server_version").fetchall()[0]
        return f"PostgreSQL {version}"


@contextmanager
def opened(kind: str, directory: Path) -> Iterator[Databases]:
    """The databases of this kind below `directory`; a server runs inside."""
    if kind == "sqlite":
        yield Sqlite(directory / "sqlite")
        return
    server = Postgresql(directory / "postgresql")
    os.umask(0o022)
    try:
        server.start()
        yield server
    finally:
        server.stop()
