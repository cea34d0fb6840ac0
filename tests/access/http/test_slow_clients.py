"""Slow clients: how many threads wait for them, and for how long. Each test has as many threads of its own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from io import BytesIO
from threading import Event, Thread
from typing import Any

import pytest

from access.http import slow_clients
from access.http.slow_clients import AUTHENTICATED, BodyTooSlow, ServerBusy, SlowClients
from tests.processes import wait_for


class Stalled(BytesIO):
    """A body that does not arrive until `go`."""

    def __init__(self) -> None:
        super().__init__(b"body")
        self.go = Event()

    def read(self, size: int | None = -1, /) -> bytes:
        self.go.wait(60)
        return super().read(size)


def environ(body: BytesIO, **values: Any) -> dict[str, Any]:
    return {"wsgi.input": body, "CONTENT_LENGTH": str(len(body.getvalue())), **values}


def echo(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """An application that answers a request with its body, or with the name of the refusal."""
    if "wsgi.input" not in environ:
        return [b"no body"]
    try:
        return [environ["wsgi.input"].read(4)]
    except (ServerBusy, BodyTooSlow) as refusal:
        return [type(refusal).__name__.encode()]


class Crowd:
    """Requests that are made at the same time, each by a thread."""

    def __init__(self, application: SlowClients) -> None:
        self.application = application
        self.bodies: list[Stalled] = []
        self.threads: list[Thread] = []
        self.answers: list[bytes] = []

    def send(self, **values: Any) -> None:
        self.bodies.append(Stalled())
        self.threads.append(Thread(target=self._send, args=(self.bodies[-1], values)))
        self.threads[-1].start()

    def _send(self, body: Stalled, values: dict[str, Any]) -> None:
        self.answers += self.application(environ(body, **values), None)

    def end(self) -> None:
        for body in self.bodies:
            body.go.set()
        for thread in self.threads:
            thread.join(30)


@pytest.fixture
def crowd() -> Iterator[Callable[[int], Crowd]]:
    with ExitStack() as stack:

        def crowd(threads: int) -> Crowd:
            made = Crowd(SlowClients(echo, threads))
            stack.callback(made.end)
            return made

        yield crowd


def known(number: int) -> dict[str, Any]:
    return {AUTHENTICATED: True, "REMOTE_ADDR": "192.0.2.1"}


def stranger(number: int) -> dict[str, Any]:
    return {"REMOTE_ADDR": f"192.0.2.{number}"}


def same_address(number: int) -> dict[str, Any]:
    return {"REMOTE_ADDR": f"2001:db8::{number}"}  # one network


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sender", "threads", "held"),
    [
        *[(stranger, 1, 1), (stranger, 2, 1), (stranger, 4, 2), (stranger, 8, 4)],
        *[(same_address, 4, 1), (same_address, 8, 2)],
        *[(known, 1, 1), (known, 2, 1), (known, 4, 2), (known, 8, 4)],
    ],
)
def test_slow_bodies_hold_a_share_of_the_threads(crowd: Any, sender: Any, threads: int, held: int) -> None:
    made = crowd(threads)
    for number in range(threads + 1):
        made.send(**sender(number))
    wait_for(lambda: len(made.answers) > threads - held, 30)
    assert made.answers == [b"ServerBusy"] * (threads + 1 - held)
    assert made.application({}, None) == [b"no body"]
    if threads > 2:  # one place for all is taken otherwise
        other = stranger if sender == known else known
        assert made.application(environ(BytesIO(b"call"), **other(0)), None) == [b"call"]
    if sender == same_address:
        assert made.application(environ(BytesIO(b"form"), **stranger(0)), None) == [b"form"]
    made.end()
    assert made.answers.count(b"body") == held
    assert made.application(environ(BytesIO(b"form"), **sender(0)), None) == [b"form"]


def test_bodies_that_arrive_at_once_wait_for_each_other(crowd: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slow_clients, "MOMENT", 60)
    made = crowd(4)
    for _ in range(32):
        made.send(**stranger(0))
    made.end()
    assert made.answers == [b"body"] * 32


def test_a_body_gives_its_place_back_when_it_is_read(crowd: Any) -> None:
    """A request that works for long holds no other up."""
    read, done = Event(), Event()

    def slow(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        environ["wsgi.input"].read(4)
        read.set()
        done.wait(60)
        return [b""]

    made = crowd(1)
    made.application = SlowClients(slow, 1)
    for _ in range(2):
        read.clear()
        made.send()
        made.bodies[-1].go.set()
        assert read.wait(30)
    done.set()


@pytest.mark.parametrize(("seconds", "answer"), [(0.5, b"BodyTooSlow"), (60.0, b"x" * 40)])
def test_a_body_has_a_deadline(monkeypatch: pytest.MonkeyPatch, seconds: float, answer: bytes) -> None:
    class Dripping(BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            clock[0] += size or 0  # one byte a second
            return super().read(size)

    def read_all(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        try:
            return [environ["wsgi.input"].read(40)]
        except BodyTooSlow:
            return [b"BodyTooSlow"]

    clock = [0.0]
    monkeypatch.setattr(slow_clients, "monotonic", lambda: clock[0])
    monkeypatch.setattr(slow_clients, "SECONDS", seconds)
    application = SlowClients(read_all, 1)
    for _ in range(2):  # the place is free again afterwards
        assert application(environ(Dripping(b"x" * 40)), None) == [answer]


def test_the_errors_of_the_server_are_raised_by_the_read(crowd: Any) -> None:
    class Broken(BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        crowd(4).application(environ(Broken(b"body")), None)


def test_an_answer_in_parts_is_handed_over_whole() -> None:
    """Granian lets the thread of an answer in parts wait for its client."""

    class Parts:
        closed = False

        def __iter__(self) -> Iterator[bytes]:
            yield from (b"a", b"b")

        def close(self) -> None:
            self.closed = True

    parts = Parts()
    assert SlowClients(lambda environ, start_response: parts, 4)({}, None) == [b"ab"]
    assert parts.closed
