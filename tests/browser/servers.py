"""A server started as README says, from a copy of the tree with nothing beside it."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

ROOT = Path(__file__).resolve().parents[2]
OWNER, PASSWORD = "owner@accuhive.example", "correct horse battery staple"
# What the test run set for itself must not reach a server that starts like anybody's.
OWN_SETTINGS = (
    "IRU_",
    "SECRET_KEY",
    "DATABASE_URL",
    "DEBUG",
    "STATIC_",
    "EMAIL_",
    "DEFAULT_FROM",
    "DJANGO_",
    "PYTEST_",
)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: Any


@dataclass(frozen=True, slots=True)
class Server:
    port: int
    directory: Path
    process: "subprocess.Popen[bytes]"
    environment: dict[str, str]

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def output(self) -> str:
        """Everything it printed and logged so far."""
        return (self.directory / "output").read_text()

    def call(self, path: str, token: str) -> Answer:
        """GET from the API at the bare local address, as an integration would."""
        request = Request(f"http://127.0.0.1:{self.port}{path}", headers={"Authorization": f"Bearer {token}"})
        try:
            with urlopen(request, timeout=10) as response:
                return Answer(response.status, json.loads(response.read()))
        except HTTPError as error:
            return Answer(error.code, json.loads(error.read()))

    def manage(self, *arguments: str) -> str:
        """Standard output of a management command in the same installation."""
        result = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=self.directory,
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return result.stdout


def clean_copy(directory: Path) -> None:
    """The files that a clone would hold, and those that are about to be committed."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            target = directory / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def quickstart(directory: Path, **settings: str) -> Iterator[Server]:
    """`manage.py quickstart` in a clean copy below `directory`, until it answers; stopped by Ctrl-C on leaving."""
    clean_copy(directory)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(OWN_SETTINGS)}
    environment |= {"IRU_OWNER_PASSWORD": PASSWORD, **settings}
    port = free_port()
    with (directory / "output").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "quickstart", "--port", str(port)],
            cwd=directory,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    server = Server(port, directory, process, environment)
    try:
        _wait(server)
        yield server
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


def _wait(server: Server) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.process.poll() is None:
        try:
            with urlopen(f"{server.url}/app/v1/ping", timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"The server did not start:\n{server.output}")
