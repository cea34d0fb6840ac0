"""Devices enroll, are woken, and carry out what waits for them: nothing is broken here, they are only many.

IRU_FLEET says how many: 10,000 show what the server can do, and need half an hour on two cores.
tests/devices/mdm/test_killed.py kills the server and the worker meanwhile.
"""

import base64
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults import table
from tests.faults.fleet import COMMANDS, Fleet, Pushes, Seen, push_service
from tests.faults.installation import Installation, children
from tests.processes import wait_for

pytestmark = pytest.mark.faults

DEVICES = int(os.environ.get("IRU_FLEET", "100"))
TOPIC = "com.apple.mgmt.External.1b3f2c7e-52f9-4f1d-9d06-6a4f27f1f8a4"
PASSWORD = "only-for-this-test"
TICK = os.sysconf("SC_CLK_TCK")


@pytest.fixture
def pushes(installation: Installation, tmp_path: Path) -> Iterator[Pushes]:
    with push_service(TOPIC, PASSWORD) as service:
        (tmp_path / "authority.pem").write_bytes(service.authority)
        installation.settings |= {
            "IRU_APNS_URL": f"https://localhost:{service.port}",
            "IRU_CA_FILE": str(tmp_path / "authority.pem"),
        }
        yield service


@contextmanager
def enrolled(installation: Installation, pushes: Pushes, tmp_path: Path) -> Iterator[tuple[Fleet, Seen]]:
    """The fleet, enrolled, with its commands in the queues. A worker is not needed for that."""
    (tmp_path / "push.p12").write_bytes(pushes.certificate)
    printed = installation.run("-m", "tests.faults.fleet", "enable", str(tmp_path / "push.p12"), PASSWORD)
    installation.serve("--processes", "2")
    fleet = Fleet(DEVICES, installation.port)
    try:
        seen = fleet.run("enroll", base64.b64decode(printed.splitlines()[-1]))
        assert (seen.enrolled, seen.stranded) == (DEVICES, [])
        installation.run("-m", "tests.faults.fleet", "queue")
        yield fleet, seen
    finally:
        fleet.close()


def check(installation: Installation, seen: Seen) -> None:
    """Each command was carried out, and none came again after the server had taken its answer."""
    assert seen.stranded == []
    assert seen.again == []
    # A restart whose answer was lost twice is not delivered a third time, and ends as failed.
    wrong = installation.rows(
        "SELECT device_id, command, status, attempts, error_chain FROM devices_devicecommand"
        " WHERE status <> 3 AND NOT (status = 4 AND command = 'restart_device' AND attempts = 2)"
    )
    assert wrong == []
    names = "', '".join(COMMANDS)
    [(sent,)] = installation.rows(f"SELECT count(*) FROM devices_devicecommand WHERE command IN ('{names}')")
    assert sent == len(COMMANDS) * DEVICES
    assert "SIM" in installation.rows("SELECT max(serial_number) FROM devices_device")[0][0]
    installation.manage("verify_audit")


def cpu(pids: list[int]) -> float:
    """Seconds of processor time of these processes so far."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICK


def test_a_fleet_carries_out_its_commands(installation: Installation, pushes: Pushes, tmp_path: Path) -> None:
    with enrolled(installation, pushes, tmp_path) as (fleet, enrolling):
        worker = installation.start_worker()
        wait_for(lambda: pushes.arrived()[1] == DEVICES, 60 + DEVICES / 50)
        number, _, pushing = pushes.arrived()
        assert number == DEVICES, "one push wakes a device for any number of commands"
        installation.stop(worker)
        assert installation.server is not None
        serving = children(installation.server.pid)
        before, begun = cpu(serving), time.perf_counter()
        seen = fleet.run("connect")
        took, used = time.perf_counter() - begun, cpu(serving) - before
    check(installation, seen)
    times = sorted(seen.connects)
    table.lines.append(
        table.Line(
            f"{DEVICES:,} devices, {len(COMMANDS)} commands each",
            installation.kind,
            f"{len(times):,}",
            f"{len(times) / took:.0f} connects/s, {1000 * used / len(times):.1f} ms CPU",
            f"p50 {1000 * times[len(times) // 2]:.0f} p99 {1000 * times[int(len(times) * 0.99)]:.0f} ms",
            f"{sum(seen.answers.values()):,}/0",
            "-",
            f"{DEVICES / enrolling.enrolling:.0f} enrollments/s, {DEVICES / max(pushing, 0.001):.0f} pushes/s",
        )
    )
