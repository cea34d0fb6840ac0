"""PostgreSQL's client programs. No credential is on a command line, which every user of the machine can read."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from django.conf import settings
from django.db import connection

from access.maintenance.refusals import Refused

SERVICE = "iru"
# The limits of the product's own statements are not for a program that reads or writes every row.
UNLIMITED = "-c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0"
KILL_AFTER = 10.0  # seconds
_VERSION = re.compile(r"\(PostgreSQL\) (\d+)")


def find(name: str, *, newest: int | None = None) -> str:
    """The path of the program. Raises Refused if it is missing, older than the server, or newer than `newest`."""
    directory: str = settings.IRU_POSTGRESQL_PROGRAMS
    server = connection.get_database_version()[0]
    advice = (
        f"Install PostgreSQL's client programs of version {server} (in Debian: postgresql-client-{server}), or name "
        "their directory in IRU_POSTGRESQL_PROGRAMS."
    )
    path = shutil.which(name, path=directory or None)
    if path is None:
        raise Refused(f"{name} was not found in {directory or 'the PATH'}. {advice}")
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603 - ours
    match = _VERSION.search(said)
    if match is None:
        raise Refused(f"{path} does not say its version. {advice}")
    version = int(match[1])
    if version < server:
        raise Refused(f"{path} has version {version}, which is older than the server, {server}. {advice}")
    if newest is not None and version > newest:
        raise Refused(
            f"{path} has version {version}: it uses settings that the server, {server}, does not know. {advice}"
        )
    return path


@contextmanager
def environment() -> Iterator[dict[str, str]]:
    """The environment in which a program finds the database as the service `iru`."""
    from psycopg import pq  # not on SQLite

    known = {option.keyword.decode() for option in pq.Conninfo.get_defaults()}
    parameters = {
        name: str(value)
        for name, value in connection.get_connection_params().items()
        if name in known and value not in (None, "")
    }
    password = parameters.pop("password", None)
    parameters["options"] = f"{parameters.get('options', '')} {UNLIMITED}".strip()
    if any("\n" in value for value in parameters.values()):
        raise Refused("A value of DATABASE_URL has a line break in it.")
    with tempfile.TemporaryDirectory(prefix="iru-") as directory:  # for its owner alone
        file = Path(directory) / "service"
        lines = [f"[{SERVICE}]", *(f"{name}={value}" for name, value in parameters.items())]
        file.write_text("\n".join(lines) + "\n")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        # The environment of a process can be read by its own user only.
        yield inherited | {"PGSERVICEFILE": str(file)} | ({"PGPASSWORD": password} if password else {})


@contextmanager
def running(
    *command: str, environment: dict[str, str] | None = None, reads: bool = False
) -> Iterator["subprocess.Popen[bytes]"]:
    """Start a program that ends well within the block, or is ended by it. Raises Refused with its message otherwise."""
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(  # noqa: S603 - a program of PostgreSQL, with arguments of ours
            command,
            env=environment,
            stdin=subprocess.PIPE if reads else subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
        try:
            with suppress(BrokenPipeError):  # it ended, and its message says why
                yield process
                if process.stdin:
                    process.stdin.close()
            process.wait()
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(KILL_AFTER)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
            if process.stdin:
                with suppress(BrokenPipeError):
                    process.stdin.close()
        if process.returncode:
            errors.seek(0)
            lines = errors.read().decode(errors="replace").strip().splitlines()
            raise Refused(f"{Path(command[0]).name} failed: {' '.join(lines[:3]) or f'exit {process.returncode}'}")
