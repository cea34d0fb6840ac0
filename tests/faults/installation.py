"""A real installation for one test: a database of its own, `manage.py serve`, workers, and clients."""

import json
import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from tests.faults.load import Load
from tests.processes import ROOT, status, wait_for
from tests.scratch import postgres_programs

SQLITE, POSTGRESQL = "SQLite", "PostgreSQL"
START = 120.0  # seconds for the start of a process on a busy machine
PORTS = range(20_000, 32_768)  # below those that the system gives to clients
# PostgreSQL refuses to run as root. In a user namespace root looks like another user, and owns the same files.
ANOTHER_USER = ["unshare", "--user", "--map-user=1000", "--map-group=1000", "--"] if os.geteuid() == 0 else []
# The signal that a child gets when the test run ends without its clean-up.
ENDS_WITH_US = ["setpriv", "--pdeathsig"]
POSTGRESQL_CONF = """
listen_addresses = '127.0.0.1'
max_connections = 60
shared_buffers = 32MB
min_wal_size = 32MB
max_wal_size = 64MB
"""


def free_port() -> int:
    """A port that nothing listens on. Another one each time, most likely, and in another run as well."""
    for port in random.sample(PORTS, 100):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise RuntimeError("no port is free")


def create_postgres(data: Path, configuration: str, *options: str) -> None:
    """Make a data directory of PostgreSQL, with these options of initdb and these lines at the end of its settings."""
    initdb = [str(postgres_programs() / "initdb"), "--auth=trust", "--encoding=utf8", "-U", "postgres", *options]
    subprocess.run([*ANOTHER_USER, *initdb, "-D", str(data)], check=True, stdout=subprocess.DEVNULL)
    with (data / "postgresql.conf").open("a") as settings:
        settings.write(configuration)


def postgres_command(data: Path, *options: str) -> list[str]:
    """The command of the server for that data. Its process ends with this one at the latest."""
    return [*ANOTHER_USER, *ENDS_WITH_US, "QUIT", str(postgres_programs() / "postgres"), "-D", str(data), *options]


def children(pid: int) -> list[int]:
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(each) for each in found.stdout.split()]


def command(pid: int) -> str:
    """The command line of a process; empty if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def signal_all(pids: Sequence[int], number: int) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


@dataclass(frozen=True, slots=True)
class Content:
    """The token and the devices that the template's database has."""

    secret: str
    devices: list[str]


class Installation:
    """Everything is below `directory`. `inside` is a command that runs another one in the same namespaces."""

    def __init__(self, kind: str, directory: Path, *, inside: Sequence[str] = ()) -> None:
        self.kind, self.directory, self._inside = kind, directory, list(inside)
        self.port, self.database_port = free_port(), free_port()
        self.settings: dict[str, str] = {}  # more environment variables of each process of the product
        self.database_settings: dict[str, str] = {}  # and of PostgreSQL
        self._processes: list[subprocess.Popen[bytes]] = []
        self._postgres: subprocess.Popen[bytes] | None = None
        self.server: subprocess.Popen[bytes] | None = None

    @property
    def content(self) -> Content:
        return Content(**json.loads((self.directory / "content.json").read_text()))

    @property
    def database_file(self) -> Path:
        return self.directory / "data" / "db.sqlite3"

    @property
    def database_url(self) -> str:
        if self.kind == SQLITE:
            return f"sqlite:///{self.database_file}"
        return f"postgres://postgres@127.0.0.1:{self.database_port}/iru"

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {
            "DATABASE_URL": self.database_url,
            "IRU_FILES_DIR": str(self.directory / "files"),
            "PYTHONWARNINGS": "ignore:No directory at",  # no static files are collected for a test run
            **self.settings,
        }

    # --- The database

    def create_database(self) -> None:
        (self.directory / "data").mkdir(parents=True, exist_ok=True)
        if self.kind == SQLITE:
            return
        create_postgres(self.directory / "data" / "postgres", POSTGRESQL_CONF)
        self.start_database()
        self.sql("CREATE DATABASE iru", database="postgres")

    def start_database(self) -> None:
        if self.kind == SQLITE:
            return
        data = self.directory / "data" / "postgres"
        command = [*self._inside, *postgres_command(data, "-p", str(self.database_port), "-k", "")]
        self._postgres = self._popen(command, "postgres.log", os.environ | self.database_settings)
        wait_for(self._database_answers, START)

    def _database_answers(self) -> bool:
        assert self._postgres is not None
        assert self._postgres.poll() is None, (self.directory / "postgres.log").read_text()[-2000:]
        try:
            self.sql("SELECT 1", database="postgres")
        except psycopg.OperationalError:
            return False
        return True

    def database_ended(self) -> bool:
        return self._postgres is not None and self._postgres.poll() is not None

    def stop_database(self, number: int = signal.SIGINT) -> None:
        if self._postgres is not None:
            self._postgres.send_signal(number)
            try:
                self._postgres.wait(20)
            except subprocess.TimeoutExpired:
                self._postgres.kill()
                self._postgres.wait()
            self._postgres = None

    def postmaster(self) -> int:
        return int((self.directory / "data" / "postgres" / "postmaster.pid").read_text().split()[0])

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Inside, each process of PostgreSQL is stopped, as on a machine that hangs."""
        pids = [self.postmaster(), *children(self.postmaster())]
        signal_all(pids, signal.SIGSTOP)
        try:
            yield
        finally:
            signal_all(pids, signal.SIGCONT)

    @contextmanager
    def write_locked(self) -> Iterator[None]:
        """Inside, this process holds SQLite's write lock."""
        connection = sqlite3.connect(self.database_file, isolation_level=None, timeout=60)
        try:
            connection.execute("BEGIN IMMEDIATE")
            yield
        finally:
            connection.close()

    def connect(self, database: str = "iru") -> "psycopg.Connection[Any]":
        return psycopg.connect(
            host="127.0.0.1", port=self.database_port, user="postgres", dbname=database, autocommit=True
        )

    def sql(self, statement: str, *, database: str = "iru") -> list[Any]:
        with self.connect(database) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def rows(self, statement: str) -> list[Any]:
        """The rows of a query, on both databases."""
        if self.kind == POSTGRESQL:
            return self.sql(statement)
        connection = sqlite3.connect(self.database_file, timeout=60)
        try:
            return connection.execute(statement).fetchall()
        finally:
            connection.close()

    def fill(self) -> None:
        """Migrate the new database, and make the tenant, its devices and the token."""
        (self.directory / "content.json").write_text(self.run("-m", "tests.faults.content").splitlines()[-1])

    # --- The processes of the product

    def manage(self, *arguments: str) -> str:
        """Standard output of a management command."""
        return self.run("manage.py", *arguments)

    def run(self, *arguments: str) -> str:
        """Standard output of Python with these arguments."""
        ended = subprocess.run(
            [*self._inside, sys.executable, *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, f"{arguments}: {ended.stdout}{ended.stderr[-3000:]}"
        return ended.stdout

    def serve(self, *options: str, before: Sequence[str] = ()) -> None:
        """Start a server with two processes of four threads, and wait until it answers."""
        command = [sys.executable, "manage.py", "serve", "--port", str(self.port), *(options or ("--processes", "2"))]
        self.server = self._popen(
            [*self._inside, *before, *ENDS_WITH_US, "TERM", *command], "serve.log", self.environment
        )
        wait_for(self._serves, START)

    def _serves(self) -> bool:
        assert self.server is not None
        assert self.server.poll() is None, self.log()[-3000:]
        return status(self.port) == 200

    def log(self) -> str:
        return (self.directory / "serve.log").read_text()

    def start_worker(self, *script: str) -> "subprocess.Popen[bytes]":
        """Start the product's worker, or another script of Python."""
        command = [*self._inside, *ENDS_WITH_US, "TERM", sys.executable, *(script or ("manage.py", "worker"))]
        return self._popen(command, "worker.log", self.environment)

    def load(self, **options: Any) -> Load:
        content = self.content
        return Load([self.port], content.secret, content.devices, **options)

    def _popen(self, command: Sequence[str], log: str, environment: Any) -> "subprocess.Popen[bytes]":
        with (self.directory / log).open("ab") as output:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                process_group=0,
            )
        self._processes.append(process)
        return process

    def stop(self, process: "subprocess.Popen[bytes]") -> None:
        """Stop a process of the product as an operator does."""
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def close(self) -> None:
        """End every process that was started here."""
        for process in self._processes:
            if process is not self._postgres:
                self.stop(process)
        self.stop_database()


def copied(template: Installation, directory: Path, *, inside: Sequence[str] = ()) -> Installation:
    """An installation with the content of a template, whose processes have ended."""
    shutil.copytree(template.directory, directory, dirs_exist_ok=True)
    return Installation(template.kind, directory, inside=inside)


def template(kind: str, directory: Path) -> Installation:
    """An installation with a tenant, devices and a token; nothing of it runs."""
    installation = Installation(kind, directory)
    try:
        installation.create_database()
        installation.fill()
    finally:
        installation.close()
    return installation


def seconds(duration: float) -> None:
    """Leave the clients alone for so long."""
    time.sleep(duration)
