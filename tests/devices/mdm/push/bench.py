"""Pushes per CPU-second: `uv run --dev python -m tests.devices.mdm.push.bench`, ours against httpx with HTTP/2.

A simulated service in a process of its own takes the pushes of both, in turn. Only the processor's time of the client
is counted, so other work on the machine changes the figures little, and their ratio less.
"""

import argparse
import asyncio
import multiprocessing
import ssl
import time
from collections.abc import Awaitable, Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import httpx
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from django.conf import settings

from devices.mdm.push.client import PushClient
from devices.mdm.push.results import Delivered, Push
from devices.mdm.push.tls import push_context
from devices.mdm.simulator.apns import SimulatedApns
from devices.mdm.simulator.requests import HEADERS
from tests.devices.mdm.push import TOPIC, pushes

type Send = Callable[[Sequence[Push]], Awaitable[None]]
AT_ONCE = 500  # what the loop takes


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure pushes per CPU-second, ours against httpx.")
    parser.add_argument("--pushes", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    here, there = multiprocessing.Pipe()
    service = multiprocessing.get_context("spawn").Process(target=_serve, args=(there,), daemon=True)
    service.start()
    here.send(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    port, authority, certificate = here.recv()
    try:
        with TemporaryDirectory() as folder:
            (file := Path(folder) / "authority.pem").write_bytes(authority)
            settings.configure(IRU_CA_FILE=str(file))
            context = push_context(x509.load_der_x509_certificate(certificate), key)
            ours, theirs = asyncio.run(_measure(port, context, options.pushes, options.rounds))
    finally:
        service.kill()
        service.join()
    print(f"ours   {ours:7,.0f} pushes per CPU-second")
    print(f"httpx  {theirs:7,.0f} pushes per CPU-second")
    print(f"ratio  {ours / theirs:7.1f}")


async def _measure(port: int, context: ssl.SSLContext, count: int, rounds: int) -> tuple[float, float]:
    """The best round of each: a busy machine makes rounds worse, and none better."""
    batch = pushes(count)
    other = httpx.AsyncClient(http2=True, verify=context, timeout=120)
    async with PushClient(host="localhost", port=port, topic=TOPIC, context=context, timeout=120) as client, other:

        async def ours(part: Sequence[Push]) -> None:
            results = await client.send(part)
            assert all(isinstance(result, Delivered) for result in results)

        async def theirs(part: Sequence[Push]) -> None:
            await asyncio.gather(*(_post(other, port, push) for push in part))

        await ours(batch[:10])  # opens the connections
        await theirs(batch[:10])
        times = [(await _seconds(ours, batch), await _seconds(theirs, batch)) for _ in range(rounds)]
    return count / min(one for one, _ in times), count / min(other for _, other in times)


async def _seconds(send: Send, batch: Sequence[Push]) -> float:
    start = time.process_time()
    for first in range(0, len(batch), AT_ONCE):
        await send(batch[first : first + AT_ONCE])
    return time.process_time() - start


async def _post(client: httpx.AsyncClient, port: int, push: Push) -> None:
    answer = await client.post(
        f"https://localhost:{port}/3/device/{push.token.hex()}",
        headers={
            "apns-topic": TOPIC,
            "apns-push-type": "mdm",
            "apns-priority": "10",
            "apns-expiration": str(int(time.time()) + 604_800),
            "apns-id": str(uuid4()),
        },
        json={"mdm": push.magic},
    )
    assert answer.status_code == 200


def _serve(pipe: Connection) -> None:
    HEADERS.update({"accept", "accept-encoding", "content-length", "content-type", "user-agent"})  # httpx sends them

    async def run() -> None:
        async with SimulatedApns() as apns:
            key = load_pem_public_key(pipe.recv())
            assert isinstance(key, rsa.RSAPublicKey)
            certificate = apns.authority.issue(key, TOPIC).public_bytes(Encoding.DER)
            pipe.send((apns.port, apns.authority.pem, certificate))
            await asyncio.Event().wait()

    asyncio.run(run())


if __name__ == "__main__":
    main()
