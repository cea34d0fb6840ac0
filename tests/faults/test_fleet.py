"""Devices enroll, are woken, and carry out what waits for them: nothing is broken here, they are only many.

IRU_FLEET says how many: 10,000 show what the server can do, and need half an hour on two cores.
tests/devices/mdm/test_killed.py kills the server and the worker meanwhile.
"""

import base64
import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12

from devices.mdm.simulator.apns import SimulatedApns
from devices.mdm.simulator.authority import Authority
from devices.mdm.simulator.requests import Received
from tests.devices.mdm.push import TOPIC
from tests.devices.mdm.push.service import Running
from tests.faults import table
from tests.faults.fleet import COMMANDS, Fleet, Seen
from tests.faults.installation import Installation, children
from tests.processes import wait_for

pytestmark = pytest.mark.faults

DEVICES = int(os.environ.get("IRU_FLEET", "100"))
PASSWORD = "only-for-this-test"
TICK = os.sysconf("SC_CLK_TCK")


class Pushes:
    """The pushes that have arrived, and a certificate for them as a PKCS#12 file."""

    def __init__(self, authority: Authority) -> None:
        self.by_device: Counter[bytes] = Counter()
        self.moments: list[float] = []  # of the first push for each device
        self.waiting: list[bytes] = []
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        certificate, sealed = authority.issue(key.public_key(), TOPIC), BestAvailableEncryption(PASSWORD.encode())
        self.certificate = pkcs12.serialize_key_and_certificates(b"push", key, certificate, None, sealed)

    def __call__(self, push: Received) -> None:
        self.by_device[push.token] += 1
        self.waiting.append(push.token)
        if self.by_device[push.token] == 1:
            self.moments.append(time.perf_counter())

    def rate(self) -> float:
        """Devices a second that were woken."""
        return len(self.moments) / max(self.moments[-1] - self.moments[0], 0.001)

    def forget(self) -> None:
        """Count from here on."""
        self.by_device.clear()
        self.moments.clear()
        self.waiting.clear()

    def take(self) -> bytes:
        """The tokens of the devices that were woken since the last call."""
        taken, self.waiting = self.waiting, []
        return b"".join(dict.fromkeys(taken))


@pytest.fixture
def pushes(installation: Installation, tmp_path: Path) -> Iterator[Pushes]:
    authority = Authority()
    arrived = Pushes(authority)
    (tmp_path / "authority.pem").write_bytes(authority.pem)
    with Running(SimulatedApns(arrived, authority=authority)).listening() as service:
        installation.settings |= {
            "IRU_APNS_URL": f"https://localhost:{service.port}",
            "IRU_CA_FILE": str(tmp_path / "authority.pem"),
        }
        yield arrived


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


def test_a_fleet_carries_out_its_commands_and_gets_what_its_blueprint_gives(
    installation: Installation, pushes: Pushes, tmp_path: Path
) -> None:
    (tmp_path / "push.p12").write_bytes(pushes.certificate)
    printed = installation.run("-m", "tests.faults.fleet", "enable", str(tmp_path / "push.p12"), PASSWORD)
    installation.settings["IRU_MDM_WAKE_RATE"] = "100"
    installation.serve("--processes", "2")
    fleet = Fleet(DEVICES, installation.port)
    try:
        enrolling = fleet.run("enroll", base64.b64decode(printed.splitlines()[-1]))
        assert (enrolling.enrolled, enrolling.stranded) == (DEVICES, [])
        carry_out_commands(installation, pushes, fleet, enrolling)
        get_a_profile(installation, pushes, fleet)
    finally:
        fleet.close()


def carry_out_commands(installation: Installation, pushes: Pushes, fleet: Fleet, enrolling: Seen) -> None:
    installation.run("-m", "tests.faults.fleet", "queue")
    worker = installation.start_worker()
    wait_for(lambda: len(pushes.moments) == DEVICES, 60 + DEVICES / 50)
    assert pushes.by_device.total() == DEVICES, "one push wakes a device for any number of commands"
    pushing = pushes.rate()
    installation.stop(worker)
    with measured(installation, fleet) as phase:
        phase.seen = fleet.run("connect")
    check(installation, phase.seen)
    phase.report(
        f"{DEVICES:,} devices, {len(COMMANDS)} commands each",
        sum(phase.seen.answers.values()),
        f"{DEVICES / enrolling.enrolling:.0f} enrollments/s, {pushing:.0f} pushes/s, "
        f"{phase.seen.cuts} connections repeated",
    )


def get_a_profile(installation: Installation, pushes: Pushes, fleet: Fleet) -> None:
    """One change of the Blueprint of all devices. They come when they are woken, until each has shown the profile."""
    count = "SELECT count(*) FROM devices_librarystatus WHERE status = 'success'"
    pushes.forget()
    worker = installation.start_worker()
    with measured(installation, fleet) as phase:
        installation.run("-m", "tests.faults.fleet", "assign")
        begun, limit = time.perf_counter(), 120 + DEVICES
        while installation.rows(count) != [(DEVICES,)]:
            assert time.perf_counter() - begun < limit, installation.rows(count)
            if woken := pushes.take():
                phase.seen = fleet.run("come", woken)
            else:
                time.sleep(0.2)
    installation.stop(worker)
    check(installation, phase.seen)
    phase.report(
        f"{DEVICES:,} devices, a profile for their Blueprint",
        pushes.by_device.total(),
        f"the last device had it after {phase.took:.1f} s, {pushes.rate():.0f} pushes/s",
    )


@dataclass
class Phase:
    """The connections of a part of the run, and what they cost."""

    kind: str  # of the database
    first: int  # connections before it
    seen: Seen
    took: float = 0.0  # seconds
    used: float = 0.0  # seconds of processor time of the server

    def report(self, scenario: str, answers: int, more: str) -> None:
        """A line for the table, without connections of before."""
        times = sorted(self.seen.connects[self.first :])
        table.lines.append(
            table.Line(
                scenario,
                self.kind,
                f"{len(times):,}",
                f"{len(times) / self.took:.0f} connects/s, {1000 * self.used / len(times):.1f} ms CPU",
                f"p50 {1000 * times[len(times) // 2]:.0f} p99 {1000 * times[int(len(times) * 0.99)]:.0f} ms",
                f"{answers:,}/0",
                "-",
                more,
            )
        )


@contextmanager
def measured(installation: Installation, fleet: Fleet) -> Iterator[Phase]:
    assert installation.server is not None
    serving = children(installation.server.pid)
    seen = fleet.run("rest")
    phase = Phase(installation.kind, len(seen.connects), seen)
    before, begun = cpu(serving), time.perf_counter()
    yield phase
    phase.took, phase.used = time.perf_counter() - begun, cpu(serving) - before
