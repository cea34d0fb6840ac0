"""How many statements a connect may cost: a fleet of thousands connects within minutes."""

import plistlib
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from access.models import Tenant
from tests.devices.mdm.conftest import NewDevice, stored
from tests.devices.sending import send

pytestmark = pytest.mark.django_db
MOST = 8
FRAME = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE SAVEPOINT")


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
