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


# Runs management commands, one for each line, in one process: starting one takes longer than most commands.
COMMANDS = """
import io, json, sys
import django
django.setup()
from django.core.management import call_command
from django.db import close_old_connections
for line in sys.stdin:
    output = io.StringIO()
    try:
        call_command(*json.loads(line), stdout=output, stderr=io.StringIO())
        answer = {"output": output.getvalue()}
    except (Exception, SystemExit) as error:
        answer = {"error": repr(error)}
    close_old_connections()
    print(json.dumps(answer), flush=True)
"""


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
    commands: "subprocess.Popen[str]"  # runs COMMANDS

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
        assert self.commands.stdin
        assert self.commands.stdout
        self.commands.stdin.write(json.dumps(arguments) + "\n")
        self.commands.stdin.flush()
        answer = json.loads(self.commands.stdout.readline())
        assert "error" not in answer, answer["error"]
        return str(answer["output"])


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
    commands = subprocess.Popen(
        [sys.executable, "-c", COMMANDS],
        cwd=directory,
        env=environment | {"DJANGO_SETTINGS_MODULE": "iru.settings"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    server = Server(port, directory, process, environment, commands)
    try:
        _wait(server)
        yield server
    finally:
        commands.communicate(timeout=20)
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


def _wait(server: Server) -> None:
    deadline = time.monotonic() + 180  # all workers of a run start at once
    while time.monotonic() < deadline and server.process.poll() is None:
        try:
            with urlopen(f"{server.url}/app/v1/ping", timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"The server did not start:\n{server.output}")
