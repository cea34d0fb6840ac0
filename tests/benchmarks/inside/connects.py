"""Enrolls simulated Macs, and prints the cost of each kind of their connects: statements, and processor time."""

import plistlib
import time
from io import BytesIO
from typing import TYPE_CHECKING, Any

from tests.benchmarks.inside import answer, start

if TYPE_CHECKING:
    from access.models import Tenant
    from devices.mdm.simulator.device import SimulatedDevice
    from devices.mdm.simulator.transports import Answer

FRAME = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE SAVEPOINT")
IDLE = "idle, and nothing waits"
DELIVERED = "idle, and a command"
NEXT = "an answer, and the next command"
LAST = "an answer, and nothing follows"
COMMANDS = ("restart_device", "shutdown_device")


class Door:
    """A transport to our application in this process. It notes the cost of the last request."""

    def __init__(self) -> None:
        from django.core.wsgi import get_wsgi_application
        from django.db import connection

        self._application, self._connection = get_wsgi_application(), connection
        self.milliseconds, self.statements = 0.0, 0

    def __call__(self, method: str, path: str, headers: dict[str, str], body: bytes) -> "Answer":
        from devices.mdm.simulator.transports import Answer

        answered: list[tuple[str, dict[str, str]]] = []

        def start_response(status: str, fields: list[tuple[str, str]], _: Any = None) -> Any:
            answered.append((status, dict(fields)))

        environ = _environ(method, path, headers, body)
        begun = time.process_time()
        response: Any = self._application(environ, start_response)
        content = b"".join(response)
        response.close()
        self.milliseconds = (time.process_time() - begun) * 1000
        ((status, fields),) = answered
        return Answer(int(status.split()[0]), fields, content)

    def counting(self, device: "SimulatedDevice", *arguments: Any, **fields: Any) -> Any:
        """The answer to a message, whose statements are counted. Counting them takes time."""
        from django.test.utils import CaptureQueriesContext

        with CaptureQueriesContext(self._connection) as captured:
            said = device.say(*arguments, **fields)
        self.statements = sum(not query["sql"].startswith(FRAME) for query in captured)
        return said


def _environ(method: str, path: str, headers: dict[str, str], body: bytes) -> dict[str, Any]:
    path, _, query = path.partition("?")
    fields = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}
    return {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SCRIPT_NAME": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_TYPE": fields.pop("HTTP_CONTENT_TYPE", ""),
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(body),
        "wsgi.errors": BytesIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        **fields,
    }


def costs(tenant: "Tenant", devices: int, turns: int) -> dict[str, dict[str, list[float]]]:
    """Statements and milliseconds of every connect, by its kind. Each device has so many turns of each kind."""
    from devices.mdm.simulator.device import SimulatedDevice
    from devices.mdm.simulator.keys import KeyPool
    from devices.mdm.simulator.kinds import KINDS

    door, keys, profile = Door(), KeyPool(3), enrollment_profile_of(tenant)
    found: dict[str, dict[str, list[float]]] = {
        kind: {"statements": [], "milliseconds": []} for kind in (IDLE, DELIVERED, NEXT, LAST)
    }
    for number in range(1, devices + 1):
        device = SimulatedDevice(KINDS["mac"], number, transport=door, keys=keys)
        device.enroll(profile)
        device.connect()  # its first inventory
        for turn in range(turns):
            _turn(tenant, door, device, found, counted=turn == turns - 1)
    return found


def _turn(
    tenant: "Tenant", door: Door, device: "SimulatedDevice", found: dict[str, dict[str, list[float]]], *, counted: bool
) -> None:
    """One connect of each kind. If they are `counted`, their statements are noted instead of their time."""
    from devices.models import Device
    from tests.devices.sending import send

    def note(kind: str, *message: str, **fields: Any) -> bytes:
        said = door.counting(device, *message, **fields) if counted else device.say(*message, **fields)
        if said.status != 200:
            raise SystemExit(f"A connect was answered {said.status}.")
        name, value = ("statements", door.statements) if counted else ("milliseconds", door.milliseconds)
        found[kind][name].append(value)
        return said.body

    note(IDLE, "Idle")
    stored = Device.objects.get(tenant=tenant, serial_number=device.serial_number)
    for command in COMMANDS:
        send(stored, command)
    given = plistlib.loads(note(DELIVERED, "Idle"))
    given = plistlib.loads(note(NEXT, "Acknowledged", CommandUUID=given["CommandUUID"]))
    note(LAST, "Acknowledged", CommandUUID=given["CommandUUID"])


def enrollment_profile_of(tenant: "Tenant") -> bytes:
    """An enrollment profile of the tenant, which gets a simulated push certificate for it."""
    from access.audit.events import Actor
    from devices.enrollment.profiles import enrollment_profile
    from devices.enrollment.push_certificates import store_simulated
    from devices.mdm.simulator.authority import Authority
    from devices.mdm.simulator.keys import new_key
    from devices.wire.push_certificates import PushIdentity

    key, topic = new_key(2048), "com.apple.mgmt.External.benchmarks"
    certificate = Authority().issue(key.public_key(), topic)
    identity = PushIdentity(certificate, key, topic, certificate.not_valid_after_utc)
    store_simulated(tenant=tenant, identity=identity, actor=Actor.command("benchmarks"))
    blueprint = tenant.blueprints.order_by("pk")[0]
    tenant.blueprints.update(enrollment_code_active=True)
    blueprint.refresh_from_db()
    return enrollment_profile(blueprint, simulated=True)


if __name__ == "__main__":
    devices, turns = start()
    from access.models import Tenant

    answer(costs(Tenant.objects.get(), int(devices), int(turns)))
