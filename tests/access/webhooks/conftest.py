from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from access.webhooks import client, destinations
from tests.receivers import NAME, Receiver, Resolver, make_certificate, trusting


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("receiver") / "server.pem", NAME, "localhost")


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Resolver:
    """Every name has the address of this machine."""
    resolver = Resolver(["127.0.0.1"])
    monkeypatch.setattr(destinations, "_look_up", resolver)
    return resolver


@pytest.fixture
def receiver(
    certificate: Path, resolver: Resolver, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Receiver]:
    """A receiver on this machine, whose address the setting allows and whose certificate is trusted."""
    settings.IRU_WEBHOOK_NETWORKS = ["127.0.0.1", "::1"]
    monkeypatch.setattr(client, "_tls", lambda: trusting(certificate))
    with Receiver(certificate) as receiver:
        yield receiver
