"""How many statements a connect may cost: a fleet of thousands connects within minutes."""

import plistlib
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from access.models import Tenant
from devices.mdm.questions import ask_inventory
from devices.mdm.simulator.device import SimulatedDevice
from devices.mdm.simulator.transports import Answer
from devices.models import Enrollment
from tests.devices.mdm.conftest import NewDevice, stored
from tests.devices.sending import send

pytestmark = pytest.mark.django_db
MOST = 8
FRAME = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE SAVEPOINT")
# Of an answer that says what the last one said. A supervised Mac is asked for its users after its information. Once a
# day the declarations of a device are planned anew.
MOST_AGAIN = {
    "mac": {"Idle": 11, "DeviceInformation": 11, "ProfileList": 9, "InstalledApplicationList": 9},
    "iphone": {"Idle": 10, "ProfileList": 9},
    "apple_tv": {"Idle": 9, "ProfileList": 9},
}
# Of the first answer of the first device to each question. It is stored in up to three categories of Prism. At its
# first contact a device is compared with its Blueprint, and its declarations are planned.
MOST_AT_FIRST = {
    "mac": {
        "Idle": 14,
        "DeviceInformation": 43,
        "ProfileList": 34,
        "CertificateList": 16,
        "InstalledApplicationList": 20,
        "SecurityInfo": 43,
        "UserList": 17,
        "ActivationLockBypassCode": 17,
    },
    "iphone": {
        "Idle": 23,
        "DeviceInformation": 40,
        "ProfileList": 19,
        "CertificateList": 16,
        "InstalledApplicationList": 17,
        "ActivationLockBypassCode": 17,
    },
    "apple_tv": {
        "Idle": 21,
        "DeviceInformation": 31,
        "ProfileList": 19,
        "CertificateList": 16,
        "InstalledApplicationList": 12,
    },
}


@contextmanager
def counted(most: int, what: str) -> Iterator[None]:
    with CaptureQueriesContext(connection) as captured:
        yield
    statements = [query["sql"] for query in captured if not query["sql"].startswith(FRAME)]
    print(f"{what}: {len(statements)} statements on {connection.vendor}")  # noqa: T201 - `pytest -s` shows it
    assert len(statements) <= most, "\n".join(statement[:200] for statement in statements)


def test_a_connect_costs_few_statements(new_device: NewDevice) -> None:
    device = new_device()
    device.connect()
    for command in ("restart_device", "update_inventory", "shutdown_device"):
        send(stored(device), command)
    with counted(MOST, "Idle, and a delivery"):
        first = plistlib.loads(device.say("Idle").body)
    with counted(MOST, "An answer, and the next delivery"):
        second = plistlib.loads(device.say("Acknowledged", CommandUUID=first["CommandUUID"]).body)
    assert first["Command"]["RequestType"] == "RestartDevice"
    assert second["Command"]["RequestType"] == "DeviceInformation"
    with counted(MOST, "NotNow, and the next delivery"):
        device.say("NotNow", CommandUUID=second["CommandUUID"])


def test_a_stranger_costs_one_statement(new_device: NewDevice, tenant: Tenant) -> None:
    device = new_device()
    tenant.device_certificates.all().delete()
    with counted(1, "An unknown certificate"):
        assert device.say("Idle").status == 400


class Counting:
    """A transport that counts the statements of each connect, by the request that the device answers with it."""

    def __init__(self, device: SimulatedDevice) -> None:
        self.statements: dict[str, list[str]] = {}
        self._given = ""
        self._send = device.transport
        device.transport = self

    def __call__(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        if path != "/connect":
            return self._send(method, path, headers, body)
        with CaptureQueriesContext(connection) as captured:
            answer = self._send(method, path, headers, body)
        answered, self._given = self._given or "Idle", ""
        if answer.body:
            self._given = plistlib.loads(answer.body)["Command"]["RequestType"]
        self.statements[answered] = [query["sql"] for query in captured if not query["sql"].startswith(FRAME)]
        return answer

    def check(self, most: dict[str, int]) -> None:
        for answered, statements in self.statements.items():
            print(f"{answered}: {len(statements)} statements on {connection.vendor}")  # noqa: T201 - `pytest -s` shows it
            allowed = most.get(answered, MOST)
            assert len(statements) <= allowed, f"{answered}: " + "\n".join(sql[:200] for sql in statements)


@pytest.mark.parametrize("kind", MOST_AT_FIRST)
def test_an_inventory_that_says_nothing_new_costs_as_little_as_a_command(kind: str, new_device: NewDevice) -> None:
    device = new_device(kind)
    first = Counting(device)
    device.connect()
    first.check(MOST_AT_FIRST[kind])
    enrollment = Enrollment.objects.get()
    ask_inventory(stored(device), enrollment)
    device.connect()  # a Mac has another profile now, which it was given meanwhile
    ask_inventory(stored(device), enrollment)
    again = Counting(device)
    device.connect()
    assert {"DeviceInformation", "SecurityInfo", "InstalledApplicationList"} <= again.statements.keys()
    again.check(MOST_AGAIN.get(kind, {}))
    changed = {
        sql.split('"')[1]
        for statements in again.statements.values()
        for sql in statements
        if sql.startswith(("UPDATE", "INSERT", "DELETE"))
    }
    assert changed <= {"devices_devicecommand", "devices_enrollment"}
