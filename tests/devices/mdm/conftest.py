from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from access.models import ApiToken, Tenant
from devices.commands import COMMANDS
from devices.enrollment import authorities
from devices.enrollment.profiles import enrollment_profile
from devices.library.ipa_apps import create_app
from devices.mdm.simulator.device import SimulatedDevice
from devices.mdm.simulator.keys import KeyPool
from devices.mdm.simulator.kinds import KINDS
from devices.mdm.simulator.transports import Answer
from devices.models import AdeIntegration, Blueprint, Device, LibraryItem, PushCertificate
from tests.devices.mdm.in_house import Clock, upload
from tests.devices.sending import ACTOR
from tests.factories.devices import AdeTokenFactory, BlueprintFactory, PushCertificateFactory
from tests.types import IssueToken

# A key takes a part of a second. The devices and the authorities of a whole run share these.
KEYS = KeyPool(3)

type NewDevice = Callable[..., SimulatedDevice]


def transport(method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
    """Through the whole of Django, as a request of a device comes in."""
    content_type = headers.pop("Content-Type", "")
    client = Client(raise_request_exception=False)
    response = client.generic(method, path, body, content_type=content_type, headers=headers)
    return Answer(response.status_code, response.headers, b"".join(response))


@pytest.fixture(autouse=True)
def shared_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    def generate(*, public_exponent: int, key_size: int) -> object:
        return KEYS(key_size)

    monkeypatch.setattr(authorities, "generate_private_key", generate)


@pytest.fixture
def blueprint(tenant: Tenant) -> Blueprint:
    return BlueprintFactory.create(tenant=tenant, name="Office")


@pytest.fixture
def mdm(tenant: Tenant, blueprint: Blueprint) -> Tenant:
    """The tenant, with all that it needs for its devices to enroll."""
    PushCertificateFactory.create(tenant=tenant)
    return tenant


@pytest.fixture
def new_device(mdm: Tenant, blueprint: Blueprint) -> NewDevice:
    """`new_device("iphone")`: a device that is enrolled; with `enrolled=False`, one that is not yet."""
    numbers = count(1)

    def new(kind: str = "mac", *, enrolled: bool = True, number: int | None = None) -> SimulatedDevice:
        device = SimulatedDevice(KINDS[kind], number or next(numbers), transport=transport, keys=KEYS)
        if enrolled:
            device.enroll(enrollment_profile(blueprint))
        return device

    return new


@pytest.fixture
def listing(mdm: Tenant, blueprint: Blueprint) -> AdeIntegration:
    """A server at Apple, with no device on its list yet. The devices of the tenant are simulated ones."""
    PushCertificate.objects.filter(tenant=mdm).update(simulated=True)
    return AdeTokenFactory.create(tenant=mdm, blueprint=blueprint)


@pytest.fixture
def token(issue_token: IssueToken) -> ApiToken:
    return issue_token("list_devices", "get_device_details", "get_device_commands", "delete_device", *COMMANDS)


def stored(device: SimulatedDevice) -> Device:
    """The row of a simulated device."""
    return Device.objects.get(serial_number=device.serial_number)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(timezone, "now", clock)
    return clock


@pytest.fixture
def directory(settings: Any, tmp_path: Path) -> Path:
    """The directory of the stored files in this test."""
    place = tmp_path / "files"
    settings.STORAGES = {**settings.STORAGES, "files": {**settings.STORAGES["files"], "OPTIONS": {"location": place}}}
    return place


@pytest.fixture
def app(directory: Path, tenant: Tenant) -> LibraryItem:
    """An in-house app for iPhones and iPads."""
    return create_app(tenant=tenant, actor=ACTOR, name="Expenses", file_key=upload(tenant))


@pytest.fixture
def phone(new_device: NewDevice, clock: Clock) -> SimulatedDevice:
    """An iPhone whose inventory is known."""
    device = new_device("iphone")
    device.connect()
    return device
