"""The promises about threads and power failures, tested with a real server."""

import http.client
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from select import select
from typing import Any
from urllib.parse import urlsplit

import pytest

from access.audit.events import Actor
from access.models import Administrator, Tenant
from devices.models import StoredFile
from devices.storage import files
from devices.storage.embedded import INCOMING
from devices.storage.files import Reservation
from tests import processes
from tests.browser.servers import free_port
from tests.devices.files.forms import FORM, field, file, form

# About threads, sockets and files, which are the same on both databases.
pytestmark = [pytest.mark.slow, pytest.mark.sqlite_only, pytest.mark.django_db(transaction=True)]
TRANSFERS = 4
SIZE = 64 * 1024 * 1024  # more than the buffers of a connection hold
HOST = "127.0.0.1"


@pytest.fixture
def port(files_directory: Path) -> int:
    return free_port()


def serve(port: int) -> Any:
    return processes.managed("serve", "--port", str(port), "--transfers", str(TRANSFERS))


def wait_until_served(port: int) -> None:
    processes.wait_for(lambda: processes.status(port) == 200, 60)


@pytest.fixture
def reservation(tenant: Tenant, owner: Administrator) -> Reservation:
    return files.reserve(
        tenant=tenant,
        purpose=StoredFile.Purpose.CUSTOM_APP,
        name="Tools.pkg",
        origin=f"http://{HOST}",
        actor=Actor.of(owner),
    )


def begin(port: int, head: str, body: bytes = b"") -> socket.socket:
    client = socket.create_connection((HOST, port), timeout=30)
    client.sendall(f"{head}\r\nHost: {HOST}\r\n\r\n".encode() + body)
    return client


def test_downloads_that_are_not_read_hold_no_thread_of_the_calls(port: int, tenant: Tenant) -> None:
    stored = files.store(
        tenant=tenant, purpose=StoredFile.Purpose.EXPORT, name="large.csv", chunks=(bytes(1 << 20) for _ in range(64))
    )
    link = urlsplit(files.signed_url(stored, origin=f"http://{HOST}"))
    head = f"GET {link.path}?{link.query} HTTP/1.1"
    with serve(port), ExitStack() as stack:
        wait_until_served(port)
        clients = [stack.enter_context(begin(port, head)) for _ in range(2 * TRANSFERS)]
        processes.wait_for(lambda: len(select(clients, [], [], 0)[0]) == len(clients), 30)
        statuses = sorted(client.recv(12) for client in clients)
        # All clients have the same address, and an address may use half of the transfers.
        assert statuses == [b"HTTP/1.1 200"] * (TRANSFERS // 2) + [b"HTTP/1.1 503"] * (2 * TRANSFERS - TRANSFERS // 2)
        for path in ("/app/v1/ping", "/sign-in/") * 4:
            assert processes.status(port, path) == 200
        stack.close()
        processes.wait_for(lambda: processes.status(port, f"{link.path}?{link.query}") == 200, 30)


def test_uploads_that_do_not_arrive_hold_no_thread_of_the_calls(port: int, reservation: Reservation) -> None:
    start = b"".join(field(name, value) for name, value in reservation.post.fields.items()) + file(b"half")[:-2]
    head = f"POST /files/ HTTP/1.1\r\nContent-Type: {FORM}\r\nContent-Length: 1000000"
    with serve(port), ExitStack() as stack:
        wait_until_served(port)
        clients = [stack.enter_context(begin(port, head, start)) for _ in range(2 * TRANSFERS)]
        # Clients with a transfer wait for the rest of their file; the others have their answer.
        processes.wait_for(lambda: len(select(clients, [], [], 0)[0]) >= len(clients) - TRANSFERS // 2, 30)
        for path in ("/app/v1/ping", "/sign-in/") * 4:
            assert processes.status(port, path) == 200


@pytest.fixture
def incoming(files_directory: Path) -> Iterator[Path]:
    directory = files_directory / INCOMING
    yield directory
    for left in directory.glob("*"):
        left.unlink()


def test_a_server_that_is_killed_in_the_middle_leaves_no_file(
    port: int, reservation: Reservation, files_directory: Path, incoming: Path
) -> None:
    content = b"xar!" + os.urandom(1 << 20)
    whole = form(reservation.post.fields, file(content))
    head = f"POST /files/ HTTP/1.1\r\nContent-Type: {FORM}\r\nContent-Length: {len(whole)}"
    target = files_directory / reservation.post.fields["key"]
    with serve(port) as server:
        wait_until_served(port)
        with begin(port, head, whole[:-1000]):
            processes.wait_for(lambda: any(each.stat().st_size for each in incoming.glob("*")), 30)
            children = _children(server.pid)
            for pid in (server.pid, *children):
                os.kill(pid, signal.SIGKILL)
            processes.wait_for(lambda: not any(map(processes.alive, children)), 30)
    assert not target.exists()
    assert StoredFile.objects.get().state == "reserved"
    with serve(port):
        wait_until_served(port)
        connection = http.client.HTTPConnection(HOST, port, timeout=30)
        connection.request("POST", "/files/", whole, {"Content-Type": FORM})
        assert connection.getresponse().status == 204
        connection.close()
    assert target.read_bytes() == content
    assert StoredFile.objects.get().state == "uploaded"


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
