"""Processes of the server are killed."""

import os
import random
import signal
from collections.abc import Callable

import pytest

from tests.faults.conftest import Trial
from tests.faults.installation import Installation, children, command, seconds
from tests.processes import wait_for

pytestmark = pytest.mark.faults
type Trials = Callable[[str], Trial]

KILLS = int(os.environ.get("IRU_FAULTS_KILLS", "200"))
PROCESSES = 4


def server_processes(installation: Installation) -> set[int]:
    """The processes that serve: children of `manage.py serve` that are not helpers of Python's multiprocessing."""
    assert installation.server is not None
    assert installation.server.poll() is None, installation.log()[-3000:]
    lines = {pid: command(pid) for pid in children(installation.server.pid)}
    return {pid for pid, line in lines.items() if line and "resource_tracker" not in line}


def replace(installation: Installation, pid: int) -> int:
    """Kill a process of the server. Returns the one that takes its place."""
    before = server_processes(installation)
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: server_processes(installation) - before, 30)
    (newest,) = server_processes(installation) - before
    return newest


def test_killed_mid_write(installation: Installation, trial: Trials) -> None:
    installation.serve("--processes", str(PROCESSES))

    def cause() -> None:
        chosen, newest = random.Random(4711), 0
        for _ in range(KILLS):
            # Granian gives up when one process ends twice in a row within a few seconds.
            newest = replace(installation, chosen.choice(sorted(server_processes(installation) - {newest})))
            seconds(chosen.uniform(0.2, 0.8))

    # A client whose process was killed gets no answer. Its next call is answered by another one.
    trial(f"{KILLS} x a server process killed").run(cause, broken=True, writers=6, readers=1, pause=0.02, recovers=10)
