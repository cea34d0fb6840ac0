"""The server and the worker are killed while fifty devices are woken and answer their commands."""

import asyncio
import os
import signal
import subprocess
import threading
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.db.models import Q
from django.utils import timezone

from access.models import Tenant
from devices.declarations import planning
from devices.mdm.simulator.apns import SimulatedApns
from devices.mdm.simulator.authority import Authority
from devices.mdm.simulator.device import SimulatedDevice
from devices.mdm.simulator.requests import Received
from devices.mdm.simulator.transports import Answer, http_transport
from devices.models import Blueprint, DeviceCommand, Enrollment
from devices.wire import plists
from tests.browser.servers import free_port
from tests.database import repeated
from tests.devices.mdm.conftest import NewDevice, stored
from tests.devices.mdm.push.service import Running, upload
from tests.devices.mdm.woken import WokenDevices
from tests.devices.sending import send
from tests.processes import managed, status, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

DEVICES = 50
SENT: dict[str, dict[str, Any]] = {
    "enable_lost_mode": {"Message": "Lost"},
    "clear_passcode": {},
    "set_device_name": {"DeviceName": "Named"},
}
CARRIED_OUT = {"EnableLostMode", "ClearPasscode", "Settings"}
HANDED_OVER = 10  # pushes, before the worker is killed
ANSWERED = 60  # commands, before the server is killed
DONE = 240.0  # seconds on a busy machine


class Witness:
    """A transport that notes what a device and the server have told each other, as far as the device knows it."""

    def __init__(self, url: str) -> None:
        self._send = http_transport(url)
        self.acknowledged: list[str] = []  # the ids of commands whose answer the server has taken
        self.delivered_again: list[str] = []  # those that it has delivered after that

    def __call__(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        answer = self._send(method, path, headers, body)
        if path == "/connect" and answer.status == 200:
            answered = plists.loads(body).get("CommandUUID")
            given = plists.loads(answer.body).get("CommandUUID") if answer.body else None
            if answered is not None:
                self.acknowledged.append(str(answered))
            if given in self.acknowledged:
                self.delivered_again.append(str(given))
        return answer


class Hesitant(WokenDevices):
    """The handler of a push service that hands over a few pushes, and leaves the others unanswered until it goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.held = 0
        self.goes_on = threading.Event()

    def __call__(self, push: Received) -> Any:
        if self.goes_on.is_set() or self.pushes.total() < HANDED_OVER:
            return super().__call__(push)
        self.held += 1
        return asyncio.Event().wait()


@pytest.fixture
def authority() -> Authority:
    return Authority()


@pytest.fixture
def mdm(tenant: Tenant, blueprint: Blueprint, authority: Authority) -> Tenant:
    upload(tenant, authority)
    return tenant


@pytest.fixture
def fleet(new_device: NewDevice) -> list[SimulatedDevice]:
    """Devices with three commands each, which have told everything about themselves."""
    devices = [new_device("iphone") for _ in range(DEVICES)]
    DeviceCommand.objects.all().delete()  # the questions about the inventory
    for device in devices:
        planning.plan(stored(device), stored(device).enrollments.get())  # it knows of its declarations
        for command, body in SENT.items():
            send(stored(device), command, **body)
    return devices


def test_no_command_is_lost_or_delivered_after_its_answer(
    fleet: list[SimulatedDevice], authority: Authority, tmp_path: Path
) -> None:
    port, woken = free_port(), Hesitant()
    witness = Witness(f"http://127.0.0.1:{port}")
    woken.devices = fleet
    for device in fleet:
        device.transport = witness
    (tmp_path / "authority.pem").write_bytes(authority.pem)
    with Running(SimulatedApns(woken, authority=authority)).listening() as apns, ExitStack() as stack:
        extra = {"IRU_APNS_URL": f"https://localhost:{apns.port}", "IRU_CA_FILE": str(tmp_path / "authority.pem")}

        def start(*arguments: str) -> "subprocess.Popen[bytes]":
            return stack.enter_context(managed(*arguments, output=tmp_path / f"{arguments[0]}.log", extra=extra))

        def serve() -> "subprocess.Popen[bytes]":
            server = start("serve", "--port", str(port))
            wait_for(lambda: status(port, "/readyz") == 200, DONE)
            return server

        server, worker = serve(), start("worker")
        wait_for(lambda: woken.held == DEVICES - HANDED_OVER, DONE)
        kill(worker)
        woken.goes_on.set()
        start("worker")
        deadline = time.monotonic() + DONE
        while len(witness.acknowledged) < ANSWERED:
            moment(deadline)
        kill(server)
        serve()
        while DeviceCommand.objects.unfinished().exists():
            moment(deadline)
            assert witness.delivered_again == []

    assert all(set(device.state.done) == CARRIED_OUT for device in fleet)
    rows = DeviceCommand.objects.values_list("device__serial_number", "command", "status")
    assert sorted(rows) == sorted(
        (device.serial_number, command, DeviceCommand.Status.COMPLETED) for device in fleet for command in SENT
    )
    cut = [fault for fault in woken.faults if "ConnectionCut" in fault or "answered 503" in fault]
    assert woken.faults == cut != [], "sessions were cut, and that is the worst of it"


def kill(process: "subprocess.Popen[bytes]") -> None:
    """As `kill -9` of the process and its children."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(20)


def moment(deadline: float) -> None:
    assert time.monotonic() < deadline
    time.sleep(0.5)
    time_passes()


def time_passes() -> None:
    """What becomes due within minutes is due now: the lease of a killed worker, and a device that has not answered."""
    now = timezone.now()
    for enrollment in Enrollment.objects.filter(Q(push_due_at__gt=now) | Q(lease_until__gt=now)):
        # One by one, as the product does: an update of all would wait for the worker's, which has others first.
        due = enrollment.push_due_at and min(enrollment.push_due_at, now)
        row = Enrollment.objects.filter(pk=enrollment.pk)
        repeated(partial(row.update, push_due_at=due, lease_until=None))
