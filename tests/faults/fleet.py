"""A fleet of simulated devices in processes of their own, and what has to be done for it in the database.

Run as a script, `enable FILE PASSWORD` stores a push certificate and prints an enrollment profile in base64, `queue`
puts the COMMANDS into the queue of every device, and `assign` gives their Blueprint a profile.
"""

import base64
import logging
import multiprocessing
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import django

from devices.mdm.simulator.device import CONNECT, SimulatedDevice
from devices.mdm.simulator.enrolling import NotEnrolled
from devices.mdm.simulator.keys import KeyPool
from devices.mdm.simulator.kinds import KINDS
from devices.mdm.simulator.transports import Answer, ConnectionCut

COMMANDS: dict[str, dict[str, Any]] = {
    "set_device_name": {"DeviceName": "Reception"},
    "restart_device": {},
    "update_inventory": {},
}
FLEET_KINDS = ("mac", "iphone", "ipad")
PROCESSES, THREADS = 2, 8
TOKEN = 32  # bytes
PAUSE = 0.2  # seconds before a device whose connection was cut tries again
PATIENCE = 120.0  # seconds that a device goes on trying


@dataclass
class Seen:
    """What the devices have met with."""

    enrolled: int = 0
    enrolling: float = 0.0  # seconds
    connects: list[float] = field(default_factory=list)  # seconds of each, from the first byte to the last
    cuts: int = 0  # connections that ended without an answer, and answers that were 503
    answers: Counter[tuple[str, str]] = field(default_factory=Counter)
    again: list[str] = field(default_factory=list)  # commands that came after the server had taken their answer
    stranded: list[str] = field(default_factory=list)  # devices that gave up

    def add(self, other: "Seen") -> None:
        self.enrolled += other.enrolled
        self.enrolling = max(self.enrolling, other.enrolling)
        self.connects += other.connects
        self.cuts += other.cuts
        self.answers += other.answers
        self.again += other.again
        self.stranded += other.stranded


class Wire:
    """How the devices of one process reach the server: a connection for each thread, kept for one session."""

    def __init__(self, port: int, seen: Seen) -> None:
        self._port, self._seen, self._here = port, seen, threading.local()

    def __call__(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        connection = getattr(self._here, "connection", None)
        if connection is None:
            connection = self._here.connection = HTTPConnection("127.0.0.1", self._port, timeout=30)
        begun = time.perf_counter()
        try:
            connection.request(method, path, body or None, headers)
            # Head and body of a request are two packets, and the second would wait for the answer to the first.
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            response = connection.getresponse()
            answer = Answer(response.status, dict(response.getheaders()), response.read())
        except (OSError, HTTPException) as error:
            self.close()
            raise ConnectionCut(str(error)) from error
        if headers.get("Content-Type") == CONNECT:
            self._seen.connects.append(time.perf_counter() - begun)
        if answer.status == 503:
            raise ConnectionCut("503")
        return answer

    def close(self) -> None:
        if (connection := getattr(self._here, "connection", None)) is not None:
            connection.close()
        self._here.connection = None


class Watched(SimulatedDevice):
    """A device that remembers which answers the server has taken."""

    def __init__(self, *arguments: Any, seen: Seen, **fields: Any) -> None:
        super().__init__(*arguments, **fields)
        self._seen, self._taken = seen, set[str]()

    def respond(self, delivery: dict[str, Any]) -> Answer:
        uuid = delivery["CommandUUID"]
        if uuid in self._taken:
            self._seen.again.append(f"{self.serial_number} {delivery['Command']['RequestType']} {uuid}")
        answer = super().respond(delivery)
        if answer.status == 200:
            self._taken.add(uuid)
        return answer


class Part:
    """The devices of one process."""

    def __init__(self, numbers: Sequence[int], port: int) -> None:
        self.seen = Seen()
        self._wire, keys = Wire(port, self.seen), KeyPool(4)
        self._devices = [
            Watched(KINDS[FLEET_KINDS[number % 3]], number, transport=self._wire, keys=keys, seen=self.seen)
            for number in numbers
        ]

    def enroll(self, profile: bytes) -> None:
        begun = time.perf_counter()
        self._each(lambda device: device.enroll(profile))
        self.seen.enrolling = time.perf_counter() - begun
        self.seen.enrolled = sum(device.enrolled for device in self._devices)

    def connect(self, _: bytes) -> None:
        self._each(SimulatedDevice.connect)
        for device in self._devices:
            self.seen.answers.update(device.conversation)

    def rest(self, _: bytes) -> None:
        """Nothing: what was seen so far is asked for."""

    def come(self, tokens: bytes) -> None:
        """The devices with these push tokens, of 32 bytes each, were woken."""
        woken = {tokens[at : at + TOKEN] for at in range(0, len(tokens), TOKEN)}
        self._each(SimulatedDevice.connect, [device for device in self._devices if device.push_token in woken])

    def _each(self, act: Any, devices: Sequence[Watched] | None = None) -> None:
        def until_done(device: SimulatedDevice) -> Any:
            end = time.monotonic() + PATIENCE
            while True:
                try:
                    return act(device)
                except ConnectionCut:
                    self.seen.cuts += 1
                except NotEnrolled as error:
                    return self.seen.stranded.append(f"{device.serial_number}: {error}")
                finally:
                    self._wire.close()
                if time.monotonic() > end:
                    return self.seen.stranded.append(device.serial_number)
                time.sleep(PAUSE)

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(until_done, self._devices if devices is None else devices))


def _live(pipe: Connection, numbers: Sequence[int], port: int) -> None:
    part = Part(numbers, port)
    while (order := pipe.recv()) is not None:
        act, argument = order
        getattr(part, act)(argument)
        pipe.send(part.seen)


class Fleet:
    """Devices 1 to `number`, in PROCESSES processes."""

    def __init__(self, number: int, port: int) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._pipes: list[Connection] = []
        for first in range(PROCESSES):
            here, there = spawn.Pipe()
            numbers = range(first + 1, number + 1, PROCESSES)
            spawn.Process(target=_live, args=(there, numbers, port), daemon=True).start()
            self._pipes.append(here)

    def run(self, act: str, argument: bytes = b"") -> Seen:
        """Have all devices do this, and return what they have met with so far."""
        for pipe in self._pipes:
            pipe.send((act, argument))
        seen = Seen()
        for pipe in self._pipes:
            seen.add(pipe.recv())
        return seen

    def close(self) -> None:
        for pipe in self._pipes:
            pipe.send(None)


# --- In the database --------------------------------------------------------------------------------------------------


def enable(file: str, password: str) -> None:
    from access.audit.events import Actor
    from access.models import Tenant
    from devices.enrollment.profiles import enrollment_profile
    from devices.enrollment.push_certificates import import_certificate
    from devices.models import Blueprint

    tenant = Tenant.objects.get()
    content = Path(file).read_bytes()
    actor = Actor.command("test")
    import_certificate(tenant=tenant, content=content, password=password, apple_account="", actor=actor)
    Blueprint.objects.update(enrollment_code_active=True)
    sys.stdout.write(base64.b64encode(enrollment_profile(Blueprint.objects.get())).decode() + "\n")


def queue() -> None:
    from devices.models import Device
    from tests.devices.sending import send

    for device in Device.objects.filter(mdm_enabled=True, serial_number__startswith="SIM").iterator():
        for command, body in COMMANDS.items():
            send(device, command, **body)


def assign() -> None:
    from access.audit.events import Actor
    from access.models import Tenant
    from devices.library.assignment import assign_library_item
    from devices.library.profiles import create_profile
    from devices.models import Blueprint
    from tests.factories.devices import PROFILE

    actor, tenant = Actor.command("test"), Tenant.objects.get()
    families = dict.fromkeys(("runs_on_mac", "runs_on_iphone", "runs_on_ipad"), True)
    item = create_profile(tenant=tenant, actor=actor, file=PROFILE.encode(), name="Dock", **families)
    assign_library_item(
        tenant=tenant,
        blueprint_id=Blueprint.objects.get().uuid,
        library_item_id=item.uuid,
        node_id=None,
        actor=actor,
    )


if __name__ == "__main__":
    django.setup()
    logging.disable(logging.CRITICAL)
    scripts: dict[str, Any] = {"enable": enable, "queue": queue, "assign": assign}
    scripts[sys.argv[1]](*sys.argv[2:])
