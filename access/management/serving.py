"""Shared by `serve`, `worker` and `quickstart`: checks before the start, the WSGI server, and its workers."""

import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.management.base import CommandError
from django.db import DatabaseError, connection, connections
from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels

from access.checks import NAME_IT, NO_PROXY, lacks_proxy
from access.http.cores import ONE_CORE
from access.http.health import STOPPING
from access.http.migrating import WAIT
from access.http.slow_clients import THREADS, TRANSFERS
from access.limits.leases import PROCESSES
from access.postgresql.pooler import refuse_pooler
from access.schema import compare_migrations

MAX_HEAD = 64 * 1024  # bytes of request line and headers that are always accepted; beyond twice that the answer is 431
WORKER_TIMEOUT = 10  # seconds until a worker that was asked to stop is killed; it gives its task half of them
PAUSE = 1.0  # seconds before a worker starts (the server goes first), and between two looks at it

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """How to serve. Granian limits headers and connections; bodies are limited by SlowClients and by the two doors."""

    address: str
    port: int
    processes: int = 1
    threads: int = 4
    transfers: int = 8  # further threads, for uploads and downloads of files
    backpressure: int | None = None  # connections a process accepts at once; None: granian's 1,024 shared by all
    header_timeout: int = 30  # seconds that a client has for its headers, and a connection between two requests
    kill_timeout: int = 5  # seconds that requests under way have to finish
    drain: int = 0  # seconds, before that, in which it serves on and says at /readyz that it stops
    any_core: bool = False  # whether the system may move a process from core to core
    migration_wait: int = 0  # seconds for which requests may wait until `migrate` has run
    certificate: Path | None = None
    key: Path | None = None
    quiet: bool = False

    def run(self) -> None:
        """Serve until SIGINT or SIGTERM. Raises CommandError if the port is taken or the server ends by itself."""
        free_address(self.address, self.port)  # once more: a set-up takes seconds, and another server may have started
        connections.close_all()  # a server process must not inherit an open one
        os.environ |= {
            THREADS: str(self.threads),
            TRANSFERS: str(self.transfers),
            PROCESSES: str(self.processes),
            WAIT: str(self.migration_wait),
            ONE_CORE: "" if self.any_core else "1",
            # Else glibc keeps memory apart for each thread: 11 MB more of a process under load.
            "MALLOC_ARENA_MAX": os.environ.get("MALLOC_ARENA_MAX", "2"),
        }
        # The file is made when it begins to stop, so that a server that is killed before leaves nothing.
        stopping = Path(tempfile.gettempdir()) / f"iru-serve-{uuid4().hex}"
        os.environ[STOPPING] = str(stopping)
        try:
            self._serve(stopping)
        finally:
            stopping.unlink(missing_ok=True)

    def _serve(self, stopping: Path) -> None:
        granian = Granian(
            "iru.wsgi:application",
            address=self.address,
            port=self.port,
            interface=Interfaces.WSGI,
            http=HTTPModes.http1,
            http1_settings=HTTP1Settings(header_read_timeout=self.header_timeout * 1000, max_buffer_size=MAX_HEAD),
            workers=self.processes,
            blocking_threads=self.threads + self.transfers,  # started on demand
            backpressure=self.backpressure,
            websockets=False,
            # Ctrl-C reaches the server processes as well, and granian would report their exit as an error.
            log_level=LogLevels.critical if self.quiet else LogLevels.info,
            log_dictconfig=_logging(),
            respawn_failed_workers=not self.quiet,
            workers_kill_timeout=self.kill_timeout,
            ssl_cert=self.certificate,
            ssl_key=self.key,
        )

        interrupt: Callable[[], None] = granian.signal_handler_interrupt

        def drain(*_: Any) -> None:
            # Load balancers look every few seconds, and send requests here until they have seen that it stops.
            if stopping.exists() or not self.drain:  # the second signal ends the wait
                interrupt()
                return
            stopping.touch()
            timer = threading.Timer(self.drain, interrupt)
            timer.daemon = True
            timer.start()

        granian.signal_handler_interrupt = drain  # type: ignore[method-assign] # before it is given to the signals
        try:
            granian.serve()
        except SystemExit:
            if not granian.interrupt_signal:
                raise CommandError("The server process ended by itself; its messages stand above.") from None
        finally:
            _on_signals(_end_at_once)  # granian has put its own handlers there


def free_address(host: str, port: int, *, option: str = "--port ") -> str:
    """The numeric address of `host`, once the port there has proven free. `option` is what it was given with.

    Granian itself would share a port with another server without a word. Raises CommandError.
    """
    if not 0 < port < 65536:
        raise CommandError(f"{port} is not a port number. Choose one from 1 to 65535.")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (socket.gaierror, UnicodeError):
        raise CommandError(f"The host {host!r} is unknown to this machine.") from None
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # one that closed a moment ago does not count
        try:
            probe.bind(address)
            probe.listen()
        except OSError as error:
            hint = f" Try {option}{port + 1}." if port < 65535 else ""
            raise CommandError(f"Cannot serve on {host} port {port}: {error.strerror}.{hint}") from None
    return str(address[0])


def check_scheme(certificate: Path | None) -> None:
    """Raises CommandError where https is demanded of every request, and none can come over it."""
    if certificate is None and lacks_proxy():
        raise CommandError(f"{NO_PROXY} {NAME_IT}")


def check_database() -> None:
    """Raises CommandError where the database cannot be reached, mixes up statements, or lacks a migration."""
    check_connection()
    if refusal := refuse_pooler():
        raise CommandError(f"{refusal.text} {refusal.advice}")
    if missing := compare_migrations().missing:
        raise CommandError(
            f"The database is not up to date (migrations missing: {missing}). Run: uv run manage.py migrate"
        )


def check_connection() -> None:
    """Raises CommandError where the database cannot be reached; SQLite's file must be writable too."""
    if connection.vendor == "sqlite":
        _check_file(Path(settings.DATABASES["default"]["NAME"]))
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        raise CommandError(f"The database cannot be reached: {one_line(error)}") from None


def _check_file(path: Path) -> None:
    if path.name == ":memory:":
        raise CommandError("A database in memory cannot be served. Give DATABASE_URL the path of a file.")
    if not path.parent.is_dir():
        raise CommandError(f"The directory of the database does not exist: {path.parent}")
    for needed in (path.parent, path):  # the directory too: the write-ahead log stands beside the file
        if needed.exists() and not os.access(needed, os.W_OK):
            raise CommandError(f"The database cannot be written: no permission for {needed}")


def check_static_files() -> None:
    """Raises CommandError where pages would miss their styles and scripts."""
    if not getattr(staticfiles_storage, "hashed_files", True):  # of a storage that knows its files, none
        raise CommandError("The static files have not been collected. Run: uv run manage.py collectstatic --no-input")


@contextmanager
def workers(number: int, *, quiet: bool = False) -> Iterator[None]:
    """Inside, so many worker processes run: one that ends is replaced. They stop on leaving, and if we are killed."""
    with beside([["worker", f"--verbosity={0 if quiet else 1}"]] * number):
        yield


@contextmanager
def beside(commands: Sequence[Sequence[str]]) -> Iterator[None]:
    """Inside, each of these commands of manage.py runs in a process: one that ends is run again, after a pause.

    They stop on leaving. They have the option --parent, which stops them if we are killed.
    """
    stopping = threading.Event()
    threads: list[threading.Thread] = []
    try:
        for command in commands:
            threads.append(thread := threading.Thread(target=_supervise, args=(stopping, command)))
            thread.start()
        yield
    finally:
        stopping.set()
        for thread in threads:
            if thread.ident is not None:  # it was started
                thread.join()


def stop_on_signals() -> None:
    """Have SIGTERM or SIGINT raise KeyboardInterrupt, and the next one end the process at once, with one line.

    A script that starts this with "&" had SIGINT ignored.
    """
    _on_signals(_stop)


def ignore_signals() -> None:
    """Have SIGTERM and SIGINT change nothing: this process has said its last word, and is about to end."""
    _on_signals(signal.SIG_IGN)


def one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _on_signals(handler: Callable[[int, FrameType | None], None] | signal.Handlers) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handler)


def _stop(number: int, frame: FrameType | None) -> None:
    _on_signals(_end_at_once)
    raise KeyboardInterrupt


def _end_at_once(number: int, frame: FrameType | None) -> None:
    # Workers notice that their parent is gone; server processes have ended, or were never started.
    os.write(2, b"Stopped at once.\n")
    os._exit(128 + number)


def _supervise(stopping: threading.Event, arguments: Sequence[str]) -> None:
    name, *options = arguments
    command = [sys.executable, sys.argv[0], name, f"--parent={os.getpid()}", *options]
    while not stopping.wait(PAUSE):
        # In a session of its own, a worker gets no Ctrl-C while it starts: it is stopped below, and by nothing else.
        with subprocess.Popen(command, start_new_session=True) as process:  # noqa: S603 - our own command
            while process.poll() is None and not stopping.wait(PAUSE):
                pass
            if stopping.is_set():
                _end(process)
            else:
                logger.error("A process of %s ended with exit code %s and is replaced.", name, process.returncode)


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(WORKER_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()


def _logging() -> dict[str, Any]:
    """Our own settings, so that granian's lines are JSON too."""
    return settings.LOGGING | {"loggers": settings.LOGGING["loggers"] | {"_granian": {}, "granian.access": {}}}
