"""Many clients at once, slow ones, those that leave, and those that speak no HTTP."""

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import pytest

from tests.faults import table
from tests.faults.conftest import Trial
from tests.faults.installation import Installation, seconds
from tests.faults.load import NO_ANSWER, TIMED_OUT, Call, Client, Status, read

pytestmark = pytest.mark.faults
type Trials = Callable[[str], Trial]

CLIENTS = 500
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends RST


@pytest.fixture(autouse=True)
def server(installation: Installation) -> None:
    installation.serve()


def test_500_clients(installation: Installation, trial: Trials) -> None:
    content = installation.content
    calls: list[Call] = []

    def one(number: int) -> None:
        client = Client([installation.port], content.secret, timeout=60)
        device = content.devices[number % len(content.devices)]
        calls.append(client.call("GET", f"/devices/{device}"))
        if number % 5 == 0:
            calls.append(client.call("POST", "/tags", {"name": f"Tag {number}"}))
        client.close()

    def cause() -> None:
        threads = [threading.Thread(target=one, args=(number,)) for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    trial(f"{CLIENTS} clients at once: the others").run(cause, hangs=30)
    line = table.add(f"{CLIENTS} clients at once: they", installation.kind, calls)
    assert {call.status for call in calls} <= {200, 201, 503}, line
    acknowledged = [call.json()["name"] for call in calls if call.status == 201]
    client = Client([installation.port], content.secret)
    names = {tag["name"] for tag in read(client, "/tags")["results"]}
    client.close()
    assert set(acknowledged) <= names


def connected(installation: Installation) -> socket.socket:
    return socket.create_connection(("127.0.0.1", installation.port), timeout=60)


def head(line: str, secret: str, **headers: Any) -> bytes:
    named = {"Host": "127.0.0.1", "Authorization": f"Bearer {secret}", **headers}
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in named.items()]
    return "\r\n".join([f"{line} HTTP/1.1", *lines, "", ""]).encode()


@contextmanager
def trickling(installation: Installation, beginning: bytes, more: bytes, number: int) -> Iterator[list[socket.socket]]:
    """Inside, clients have sent the beginning, and send one byte more a second."""
    stop = threading.Event()
    with ExitStack() as stack:
        clients = []
        for _ in range(number):
            clients.append(client := stack.enter_context(connected(installation)))
            client.sendall(beginning)

        def trickle() -> None:
            while not stop.wait(1):
                for client in clients:
                    with suppress(OSError):
                        client.send(more)

        thread = threading.Thread(target=trickle)
        thread.start()
        try:
            yield clients
        finally:
            stop.set()
            thread.join()


SLOW = 200


@pytest.mark.parametrize("what", ["headers", "bodies", "readers"])
def test_slow_clients(installation: Installation, trial: Trials, what: str) -> None:
    content = installation.content
    if what == "headers":
        beginning, more = b"GET /api/v1/devices HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ", b"x"
    elif what == "bodies":
        beginning = head("POST /api/v1/tags", content.secret, Content_Type="application/json", Content_Length=9000)
        beginning, more = beginning + b"{", b" "
    else:  # they ask for a long answer again and again, and read nothing of it
        beginning, more = head("GET /api/v1/devices?limit=300", content.secret) * 20, b""

    def cause() -> None:
        with trickling(installation, beginning, more, SLOW):
            seconds(10)

    # While slow bodies hold the places for bodies, the body of another client may be refused with 503.
    trial(f"{SLOW} slow clients: {what}").run(cause, hangs=20 if what == "readers" else 8)


LEAVERS = 650


def test_disconnects(installation: Installation, trial: Trials) -> None:
    content = installation.content
    body = json.dumps({"content": "left"}).encode()
    note = f"/api/v1/devices/{content.devices[-1]}/notes"
    whole = head(f"POST {note}", content.secret, Content_Type="application/json", Content_Length=len(body)) + body
    get = head("GET /api/v1/devices?limit=300", content.secret)

    def cause() -> None:
        for number in range(LEAVERS):
            client = connected(installation)
            sent = (whole, get, whole[: -len(body) // 2], get[:40])[number % 4]
            client.sendall(sent)
            if number % 3 == 0:
                time.sleep(0.005)
            if number % 2:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            client.close()

    # The calls of those who left are still carried out, and the others wait for them.
    trial(f"{LEAVERS} clients leave in the middle").run(cause, hangs=30, recovers=10)


MALFORMED = {
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(60),
    "no line": b"\r\n\r\n\r\n",
    "binary": bytes(range(256)) * 4,
    "no version": b"GET /\r\n\r\n",
    "version 9": b"GET / HTTP/9.9\r\nHost: 127.0.0.1\r\n\r\n",
    "no host": b"GET /api/v1/devices HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /api/v1/devices HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: other.test\r\n\r\n",
    "host with a space": b"GET /api/v1/devices HTTP/1.1\r\nHost: 127.0.0.1 other\r\n\r\n",
    "negative length": b"POST /api/v1/tags HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n\r\n",
    "no number as length": b"POST /api/v1/tags HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: ten\r\n\r\n",
    "huge length": b"POST /api/v1/tags HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: " + b"9" * 30 + b"\r\n\r\n",
    "two lengths": b"POST /api/v1/tags HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "length and chunks": b"POST /api/v1/tags HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 4\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /api/v1/devices HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "wrong chunk": b"POST /api/v1/tags HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
    "unknown coding": b"POST /api/v1/tags HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: secret\r\n\r\n",
    "NUL in a header": b"GET /api/v1/devices HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: a\x00b\r\n\r\n",
    "line break in a header": b"GET /api/v1/devices HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: a\rb\r\n\r\n",
    "folded header": b"GET /api/v1/devices HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: a\r\n  b\r\n\r\n",
    "header without a name": b"GET /api/v1/devices HTTP/1.1\r\nHost: 127.0.0.1\r\n: a\r\n\r\n",
    "blank before the colon": b"GET /api/v1/devices HTTP/1.1\r\nHost : 127.0.0.1\r\n\r\n",
    "1,000 headers": b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X-A: a\r\n" * 1000 + b"\r\n",
    "long header": b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: " + b"a" * 300_000 + b"\r\n\r\n",
    "long path": b"GET /" + b"a" * 300_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "path of no UTF-8": b"GET /api/v1/\xff\xfe%ff%00 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "whole address": b"GET http://other.test/api/v1/devices HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "CONNECT": b"CONNECT other.test:443 HTTP/1.1\r\nHost: other.test:443\r\n\r\n",
    "asterisk": b"OPTIONS * HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "own method": b"BREW /api/v1/devices HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "upgrade": b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    "waits for 100": b"POST /api/v1/tags HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nExpect: 200-ok\r\n\r\n",
}


def test_malformed(installation: Installation, trial: Trials) -> None:
    calls: list[Call] = []

    def cause() -> None:
        for name, sent in MALFORMED.items():
            calls.append(send(installation, name, sent))

    trial("malformed HTTP: the others").run(cause)
    line = table.add("malformed HTTP: they", installation.kind, calls)
    wrong = {call.method: call.status for call in calls if isinstance(call.status, int) and call.status >= 500}
    assert not wrong, (line, wrong)
    assert not [call.method for call in calls if call.status == TIMED_OUT], line
    # Nothing that was sent asked with a token, so no answer may have content.
    assert not [call.method for call in calls if call.status == 200 and b"device_id" in call.body]


def send(installation: Installation, name: str, sent: bytes) -> Call:
    start = time.monotonic()
    status: Status = NO_ANSWER
    body = b""
    with connected(installation) as client:
        client.settimeout(5)
        try:
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)
            while piece := client.recv(65536):
                body += piece
        except TimeoutError:
            status = TIMED_OUT
        except OSError:
            pass
    if body.startswith(b"HTTP/1."):
        status = int(body.split(b" ", 2)[1])
    return Call(start, time.monotonic(), name, status, body)
