"""A simulated push service for tests that are not asyncio's, and push certificates that it accepts."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from access.audit.events import Actor
from access.models import Tenant
from devices.enrollment.push_certificates import request_certificate, upload_certificate
from devices.mdm.simulator.apns import SimulatedApns
from devices.mdm.simulator.authority import Authority
from devices.models import PushCertificate
from tests.devices.mdm.push import TOPIC

ACTOR = Actor.command("tests")


class Running:
    """A simulated service on a thread of its own, because this one waits for what the service brings about."""

    def __init__(self, service: SimulatedApns) -> None:
        self.service = service
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    @contextmanager
    def listening(self) -> Iterator[SimulatedApns]:
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self.service.start(), self._loop).result(10)
            yield self.service
            asyncio.run_coroutine_threadsafe(self.service.close(), self._loop).result(10)
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)
            self._loop.close()


def upload(tenant: Tenant, authority: Authority, topic: str = TOPIC) -> PushCertificate:
    """A push certificate of the tenant that services of this authority accept."""
    request = x509.load_pem_x509_csr(request_certificate(tenant=tenant, actor=ACTOR).encode())
    key = request.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    content = authority.issue(key, topic).public_bytes(Encoding.PEM)
    return upload_certificate(tenant=tenant, content=content, apple_account="it@accuhive.test", actor=ACTOR)
