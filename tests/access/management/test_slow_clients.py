"""The promise of access.http.slow_clients, kept by a real server: its threads are not in the hands of slow clients."""

import socket
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from select import select
from time import sleep

import pytest
from django.db import connection

from access.sqlite3.base import PATIENCE
from tests import processes
from tests.browser.servers import free_port
from tests.types import IssueToken

# About threads and sockets, which are the same on both databases.
pytestmark = [pytest.mark.slow, pytest.mark.sqlite_only, pytest.mark.django_db(transaction=True)]
HEADERS = "Host: 127.0.0.1\r\nContent-Length: 10000\r\n"


@pytest.fixture
def port() -> Iterator[int]:
    port = free_port()
    with processes.managed("serve", "--port", str(port), "--threads", "4"):
        processes.wait_for(lambda: processes.status(port, "/app/v1/ping") == 200, 60)
        yield port


def answers_to(port: int, path: str) -> bool:
    return processes.status(port, path) == 200


def begin(port: int, head: str, body: bytes = b"") -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=20)
    client.sendall(f"{head}\r\n{HEADERS}\r\n".encode() + body)
    return client


def test_requests_are_answered_while_bodies_do_not_arrive(port: int, issue_token: IssueToken) -> None:
    token = issue_token("create_tag").secret
    form = "Cookie: csrf=" + "a" * 32 + "\r\nContent-Type: application/x-www-form-urlencoded"
    heads = [
        f"POST /sign-in/ HTTP/1.1\r\n{form}",
        f"POST /api/v1/tags HTTP/1.1\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json",
    ]
    with ExitStack() as stack:
        clients = [stack.enter_context(begin(port, head, b"a")) for head in heads for _ in range(8)]
        for path in ("/app/v1/ping", "/sign-in/") * 4:
            processes.wait_for(partial(answers_to, port, path), 30)
        # One stranger, because they have one address, and two calls wait in their places; the others are refused.
        processes.wait_for(lambda: len(answered(clients)) >= 13, 60)
        answers = [client.recv(12) for client in answered(clients)]
        assert answers == [b"HTTP/1.1 503"] * 13
        # The API does not read the body of a stranger at all.
        assert stack.enter_context(begin(port, "POST /api/v1/tags HTTP/1.1")).recv(12) == b"HTTP/1.1 401"


def test_reads_are_answered_while_all_turns_wait_for_the_write_lock(port: int, issue_token: IssueToken) -> None:
    token = issue_token("create_tag", "list_tags").secret
    head = f"Authorization: Bearer {token}\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 16"
    other = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)

    def read() -> int | None:
        return processes.status(port, "/api/v1/tags", {"Authorization": f"Bearer {token}"})

    assert read() == 200  # the first call takes longer
    with ExitStack() as stack:
        stack.callback(other.close)
        other.execute("BEGIN IMMEDIATE")
        clients = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(4)]
        for number, client in enumerate(clients):
            stack.callback(client.close)
            client.sendall(f'POST /api/v1/tags HTTP/1.1\r\n{head}\r\n\r\n{{"name": "Tag{number}"}}'.encode())
        sleep(0.3)  # until they wait, which the server shows nowhere
        assert read() == 200
        assert answered(clients) == [], f"the read waited for {PATIENCE} s, until the changes were refused"
        other.execute("ROLLBACK")
        assert [client.recv(12) for client in clients] == [b"HTTP/1.1 201"] * 4


def answered(clients: list[socket.socket]) -> list[socket.socket]:
    return select(clients, [], [], 0)[0]
