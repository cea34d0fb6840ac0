"""An authority of simulated push services, and a push certificate of it."""

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from pytest_django.fixtures import Settings

from devices.mdm.push.client import PushClient
from devices.mdm.push.tls import push_context
from devices.mdm.simulator.apns import SimulatedApns
from devices.mdm.simulator.authority import Authority
from tests.devices.mdm.push import TOPIC

type Connect = Callable[..., PushClient]


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="session")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def context(authority: Authority, key: rsa.RSAPrivateKey, settings: Settings, tmp_path: Path) -> ssl.SSLContext:
    """TLS as the product makes it, where IRU_CA_FILE has the authority of the simulated service."""
    (file := tmp_path / "authority.pem").write_bytes(authority.pem)
    settings.IRU_CA_FILE = str(file)
    return push_context(authority.issue(key.public_key(), TOPIC), key)


@pytest.fixture
def client(context: ssl.SSLContext) -> Connect:
    """Makes a client of a simulated service."""

    def make(apns: SimulatedApns, **options: Any) -> PushClient:
        defaults: dict[str, Any] = {"host": "localhost", "port": apns.port, "topic": TOPIC, "context": context}
        return PushClient(**(defaults | options))

    return make
