"""The first command of README, as a stranger runs it: in a process of its own, on a machine without settings."""

import json
import os
import re
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.hashers import check_password
from django.db import connection
from pytest_django import DjangoDbBlocker

from access.models import Administrator, Tenant
from devices.management.commands import quickstart
from iru.environment import BASE_DIR
from tests.browser.servers import free_port
from tests.processes import alive, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.sqlite_only]


@pytest.fixture
def port() -> int:
    return free_port()


class Machine:
    """A directory with database, settings file and static files of its own."""

    def __init__(self, path: Path) -> None:
        self.database = path / "db.sqlite3"
        self.settings = path / "settings.env"
        kept = {"PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV"}
        self.environment = {name: value for name, value in os.environ.items() if name in kept} | {
            "DATABASE_URL": f"sqlite:///{self.database}",
            "IRU_ENV_FILE": str(self.settings),
            "STATIC_ROOT": str(path / "static"),
        }
        self.running: list[subprocess.Popen[str]] = []

    def start(self, *options: str, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "quickstart", *options],
            cwd=BASE_DIR,
            env=self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # a terminal sends Ctrl-C to the whole group; so can we
            umask=0o022,  # which leaves new files readable by everybody
        )
        self.running.append(process)
        return process

    def refused(self, *options: str, **environment: str) -> str:
        """The one line on standard error of a start that fails."""
        process = self.start(*options, **environment)
        output, errors = process.communicate(timeout=60)
        assert process.returncode == 1
        assert "Traceback" not in errors
        assert "ready" not in output
        (line,) = errors.strip().splitlines()
        return line

    def database_modes(self) -> dict[str, int]:
        """Names and permissions of the database's files."""
        files = self.database.parent.glob(f"{self.database.name}*")
        return {file.name: stat.S_IMODE(file.stat().st_mode) for file in files}

    def worker_pids(self) -> set[int]:
        """Processes that ran a task: a worker's name is host, process and a random word."""
        rows = self.rows("SELECT worker_ids FROM django_tasks_database_dbtaskresult")
        return {int(name.split("-")[-2]) for (names,) in rows for name in json.loads(names)}

    def rows(self, query: str) -> list[Any]:
        connection = sqlite3.connect(self.database)
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path)
    yield machine
    for process in machine.running:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.fixture
def migrated(machine: Machine, django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Machine:
    """With a copy of this test run's empty database: most of the time of a first start goes into its migrations."""
    with django_db_blocker.unblock(), closing(sqlite3.connect(machine.database)) as copy:
        connection.ensure_connection()
        connection.connection.backup(copy)
    machine.database.chmod(0o600)
    return machine


def status(port: int, path: str, process: subprocess.Popen[str]) -> int:
    """Of a GET, once the server answers."""
    for _ in range(600):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as response:
                return int(response.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code
        except OSError:
            assert process.poll() is None, process.communicate()
            time.sleep(0.1)
    raise AssertionError("The server does not answer.")


def stop(process: subprocess.Popen[str], number: signal.Signals, *, group: bool) -> tuple[str, str]:
    """What it has said, once it has ended with exit code 0."""
    (os.killpg if group else os.kill)(process.pid, number)
    output, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    return output, errors


def test_first_and_second_start(machine: Machine, port: int) -> None:
    process = machine.start("--port", str(port))
    assert status(port, "/api/v1/devices", process) == 401
    with urllib.request.urlopen(f"http://localhost:{port}/sign-in/", timeout=10) as page:
        assert f"connect-src 'self' http://*.api.localhost:{port};" in page.headers["Content-Security-Policy"]
    wait_for(lambda: len(machine.database_modes()) == 3, 60)  # the worker has connected
    assert set(machine.database_modes().values()) == {0o600}
    output, errors = stop(process, signal.SIGINT, group=True)
    assert "Traceback" not in errors
    assert f"http://localhost:{port}/\n" in output
    assert f"http://accuhive.api.localhost:{port}/api/v1\n" in output
    assert f"http://localhost:{port}/api/v1\n" in output
    assert f"http://localhost:{port}/admin/\n" in output
    passwords = dict(re.findall(r"(\w+)@accuhive\.example +(\S+)", output))
    accounts = {
        email: (password, tenant, role, staff)
        for email, password, tenant, role, staff in machine.rows(
            "SELECT email, password, tenant_id, role, is_staff FROM access_administrator"
        )
    }
    assert set(accounts) == {"owner@accuhive.example", "operator@accuhive.example"}
    assert check_password(passwords["owner"], accounts["owner@accuhive.example"][0])
    assert check_password(passwords["operator"], accounts["operator@accuhive.example"][0])
    assert accounts["owner@accuhive.example"][2:] == ("account_owner", 0)
    assert accounts["operator@accuhive.example"][1] is None
    assert machine.rows("SELECT count(*) FROM devices_device") == [(300,)]
    assert machine.settings.stat().st_mode & 0o077 == 0
    settings = machine.settings.read_bytes()
    assert settings.splitlines().count(f"IRU_PORT={port}".encode()) == 1  # other commands tell the same addresses

    again = machine.start("--port", str(port))
    assert status(port, "/api/v1/devices", again) == 401
    output, _ = stop(again, signal.SIGTERM, group=False)
    assert f"http://accuhive.api.localhost:{port}/api/v1\n" in output
    assert "@accuhive.example" not in output
    assert machine.rows("SELECT count(*) FROM devices_device") == [(300,)]
    assert machine.settings.read_bytes() == settings


@pytest.mark.parametrize("killed", [False, True])
def test_background_work_runs_beside_the_server_and_ends_with_it(migrated: Machine, port: int, killed: bool) -> None:
    process = migrated.start("--port", str(port), "--no-fleet")
    status(port, "/app/v1/ping", process)
    wait_for(migrated.worker_pids, 60)
    (worker,) = migrated.worker_pids()
    assert alive(worker)
    if killed:
        os.killpg(process.pid, signal.SIGKILL)  # the worker is in a session of its own
        wait_for(lambda: not alive(worker), 10)
    else:
        stop(process, signal.SIGINT, group=True)
        assert not alive(worker)


def test_settings_without_their_key_are_one_line(machine: Machine, port: int) -> None:
    machine.settings.write_text("IRU_DOMAIN=localhost\n")
    line = machine.refused("--port", str(port))
    assert line == (
        f"manage.py: SECRET_KEY is not set. Set it in {machine.settings}: .env.example has the line that makes one."
    )


def test_ctrl_c_while_it_loads_is_one_line(machine: Machine, port: int) -> None:
    os.mkfifo(machine.settings)  # the settings are read until the writer closes them
    process = machine.start("--port", str(port))
    with machine.settings.open("w"):
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (130, "manage.py: stopped by Ctrl-C.\n")


def test_ctrl_c_again_and_again_is_one_line_at_most(migrated: Machine, port: int) -> None:
    process = migrated.start("--port", str(port), "--no-fleet")
    status(port, "/app/v1/ping", process)
    wait_for(migrated.worker_pids, 60)
    while process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.02)
    output, errors = process.communicate()
    assert "Traceback" not in output
    assert errors in {"", "Stopped at once.\n"}
    (worker,) = migrated.worker_pids()
    wait_for(lambda: not alive(worker), 20)


@pytest.mark.parametrize("password", ["weak-pass", "a strong enough 1"])
def test_a_chosen_password_is_used_and_not_repeated(migrated: Machine, port: int, password: str) -> None:
    process = migrated.start("--port", str(port), "--no-fleet", IRU_OWNER_PASSWORD=password)
    assert status(port, "/api/v1/devices", process) == 401
    output, errors = stop(process, signal.SIGTERM, group=True)
    warnings = errors.strip().splitlines()
    assert [line[:38] for line in warnings] == ["Warning: IRU_OWNER_PASSWORD is weak. T"] * (password == "weak-pass")
    assert password not in output + errors
    ((encoded,),) = migrated.rows("SELECT password FROM access_administrator WHERE email = 'owner@accuhive.example'")
    assert check_password(password, encoded)
    assert migrated.rows("SELECT count(*) FROM devices_device") == [(0,)]


def test_a_busy_port_is_one_line(machine: Machine) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert machine.refused("--port", str(port)) == (
            f"CommandError: Cannot serve on 127.0.0.1 port {port}: Address already in use. Try --port {port + 1}."
        )


def test_a_missing_database_directory_is_reported_in_one_line(machine: Machine, port: int, tmp_path: Path) -> None:
    line = machine.refused("--port", str(port), DATABASE_URL=f"sqlite:///{tmp_path}/missing/db.sqlite3")
    assert line == f"CommandError: The directory of the database does not exist: {tmp_path}/missing"


def test_a_file_that_is_no_database_is_reported_in_one_line(machine: Machine, port: int) -> None:
    machine.database.write_text("not a database, but long enough to look at" * 100, encoding="utf-8")
    line = machine.refused("--port", str(port))
    assert line == "CommandError: The database cannot be reached: file is not a database"


def test_a_database_server_that_is_not_there_is_one_line(machine: Machine, port: int) -> None:
    line = machine.refused("--port", str(port), DATABASE_URL="postgres://somebody@127.0.0.1:1/iru")
    assert line.startswith("CommandError: The database cannot be reached: ")


def test_settings_that_cannot_be_written_are_one_line(machine: Machine, port: int, tmp_path: Path) -> None:
    line = machine.refused("--port", str(port), IRU_ENV_FILE=f"{tmp_path}/missing/env")
    assert line == f"quickstart: cannot write the settings file {tmp_path}/missing/env: No such file or directory"


@pytest.mark.django_db
def test_an_interrupted_first_start_stores_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(**options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(quickstart, "load_demo_fleet", interrupted)
    with pytest.raises(KeyboardInterrupt):
        quickstart.Command()._first_start(with_fleet=True)
    assert not Tenant.objects.exists()
    assert not Administrator.objects.exists()
