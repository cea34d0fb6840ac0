"""`manage.py serve`: one line for each mistake, and a server with its worker otherwise."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.migrations.recorder import MigrationRecorder
from django.tasks import TaskResultStatus
from django_tasks_db.models import DBTaskResult

from access.management import serving
from access.management.commands import serve
from access.management.serving import Server
from access.sign_in.upkeep import clear_attempts
from tests import processes
from tests.browser.servers import free_port

pytestmark = pytest.mark.slow


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`refused("--port", "1")`: the one line that a start ends with."""
    monkeypatch.setattr(serve, "stop_on_signals", lambda: None)

    def refused(*arguments: str) -> str:
        with pytest.raises(CommandError) as error:
            call_command("serve", *arguments)
        (line,) = str(error.value).splitlines()
        return line

    return refused


@pytest.mark.parametrize(
    ("taken", "asked"), [("127.0.0.1", "127.0.0.1"), ("127.0.0.1", "0.0.0.0"), ("0.0.0.0", "127.0.0.1"), ("::", "::1")]
)
def test_a_port_in_use_is_refused(refused: Any, taken: str, asked: str) -> None:
    # Granian would share it: half of the calls would reach the other server.
    with listening(taken) as port:
        assert refused("--host", asked, "--port", str(port)) == (
            f"Cannot serve on {asked} port {port}: Address already in use. Try --port {port + 1}."
        )


def test_a_port_that_was_taken_during_the_set_up_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "Granian", None)  # it would serve
    with listening("127.0.0.1") as port, pytest.raises(CommandError, match="Address already in use"):
        Server(address="127.0.0.1", port=port).run()


@contextmanager
def listening(address: str) -> Iterator[int]:
    """A free port on which a server like ours listens."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind((address, 0))
        taken.listen()
        yield taken.getsockname()[1]


@pytest.mark.django_db
def test_a_database_that_lacks_a_migration_is_refused(refused: Any) -> None:
    MigrationRecorder.Migration.objects.filter(app="access").latest("name").delete()
    assert refused("--port", str(free_port())) == (
        "The database is not up to date (migrations missing: 1). Run: uv run manage.py migrate"
    )


@pytest.mark.django_db
def test_missing_static_files_are_refused(refused: Any, settings: Any, tmp_path: Path) -> None:
    storage = "whitenoise.storage.CompressedManifestStaticFilesStorage"
    settings.STATIC_ROOT = str(tmp_path)
    settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": storage}}
    assert refused("--port", str(free_port())) == (
        "The static files have not been collected. Run: uv run manage.py collectstatic --no-input"
    )


def test_a_certificate_needs_its_key(refused: Any) -> None:
    port = str(free_port())
    assert refused("--port", port, "--certificate", "/dev/null") == "--certificate and --key go together."
    assert refused("--port", port, "--certificate", "/missing", "--key", "/missing") == "There is no file /missing."


def test_https_that_no_request_can_come_over_is_refused(refused: Any, settings: Any) -> None:
    # Each page would redirect to itself, and each call would be answered 403.
    settings.HTTPS, settings.IRU_TRUSTED_PROXIES = True, []
    assert refused("--port", str(free_port())).startswith("IRU_SCHEME is https and IRU_TRUSTED_PROXIES is empty")


@pytest.mark.django_db
def test_settings_that_cannot_be_right_are_one_line() -> None:
    environment = processes.environment() | {"IRU_SCHEME": "ftp"}
    command = [sys.executable, "manage.py", "serve"]
    run = subprocess.run(command, cwd=processes.ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (1, "manage.py: IRU_SCHEME is http or https.\n")


@pytest.mark.django_db(transaction=True)
def test_a_server_with_a_worker(tmp_path: Path) -> None:
    port, output = free_port(), tmp_path / "output"
    row = clear_attempts.enqueue()
    with processes.managed("serve", "--port", str(port), "--with-worker", output=output) as server:
        processes.wait_for(lambda: processes.status(port) == 200, 60)
        processes.wait_for(lambda: DBTaskResult.objects.get(id=row.id).status == TaskResultStatus.SUCCESSFUL, 60)
        assert processes.status(port, headers={"X-Long": "x" * 60_000}) == 200
        assert processes.status(port, headers={"X-Long": "x" * 200_000}) == 431
        worker = int(DBTaskResult.objects.get(id=row.id).worker_ids[-1].split("-")[-2])
        assert processes.alive(worker)
        server.send_signal(signal.SIGTERM)
        assert server.wait(20) == 0
    assert not processes.alive(worker)
    messages = [json.loads(line)["message"] for line in output.read_text().splitlines()]
    assert f"Listening at: http://127.0.0.1:{port}" in messages


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the system binds no process to a core")
@pytest.mark.parametrize("options", [[], ["--any-core"]])
def test_each_process_keeps_to_a_core_of_its_own(options: list[str]) -> None:
    port, cores = free_port(), os.sched_getaffinity(0)
    with processes.managed("serve", "--port", str(port), "--processes", "2", *options) as server:
        processes.wait_for(lambda: processes.status(port) == 200, 60)

        def kept() -> list[frozenset[int]]:
            """The cores of the threads of each server process: they have more threads than any other child."""
            children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
            try:
                threads = [[int(task.name) for task in Path(f"/proc/{child}/task").iterdir()] for child in children]
                cores = [[os.sched_getaffinity(thread) for thread in each] for each in threads if len(each) > 2]
            except OSError:  # a thread has ended meanwhile
                return []
            return [frozenset().union(*each) for each in cores]

        if options or len(cores) == 1:
            processes.wait_for(lambda: kept() == [cores, cores], 60)
        else:
            processes.wait_for(lambda: [len(each) for each in kept()] == [1, 1] and len(set(kept())) == 2, 60)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the system binds no process to a core")
def test_servers_of_different_parents_keep_to_different_cores() -> None:
    """Two services of one machine, with a process each: as siblings alone, both would take the first core."""
    first, *rest = sorted(os.sched_getaffinity(0))
    bind = "import os; from access.http.cores import keep_to_one_core as k; k(); print(*os.sched_getaffinity(0))"
    service = [sys.executable, "-c", f"import subprocess, sys; subprocess.run([sys.executable, '-c', {bind!r}])"]
    with ExitStack() as stack:
        for _ in range(8):  # more than other tests start at the same time
            other = stack.enter_context(subprocess.Popen(["sleep", "60"]))
            stack.callback(other.kill)
            os.sched_setaffinity(other.pid, {first})
        kept = int(subprocess.run(service, cwd=processes.ROOT, capture_output=True, check=True).stdout)
    assert kept != first or not rest
