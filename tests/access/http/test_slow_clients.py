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


# --- Files ------------------------------------------------------------------------------------------------------------


class Chunks:
    """An answer in pieces, like those of Django."""

    def __init__(self, number: int) -> None:
        self.pieces = iter([b"x"] * number)
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        return self.pieces

    def close(self) -> None:
        self.closed += 1


def sending(answer: Chunks) -> Any:
    def application(environ: dict[str, Any], start_response: Any) -> Chunks:
        if "busy" not in environ:
            slow_clients.stream_answer(environ)
        return answer

    return application


def test_a_file_is_handed_over_in_pieces_and_all_else_whole() -> None:
    answer = Chunks(3)
    application = SlowClients(sending(answer), 2, transfers=2)
    streamed = application({}, None)
    assert not isinstance(streamed, list)
    assert list(streamed) == [b"x"] * 3
    streamed.close()  # type: ignore[attr-defined]
    assert answer.closed == 1
    assert application({"busy": True}, None) == [b""]


def test_a_transfer_holds_no_place_of_the_calls() -> None:
    application = SlowClients(sending(Chunks(1)), 1, transfers=4)
    addresses = ["192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.3"]
    streamed = [application({"REMOTE_ADDR": address}, None) for address in addresses]
    assert application({"busy": True}, None)  # the only thread for calls is free
    with pytest.raises(ServerBusy):  # every thread for transfers is in use
        application({"REMOTE_ADDR": "192.0.2.4"}, None)
    streamed.pop().close()  # type: ignore[attr-defined]
    with pytest.raises(ServerBusy):  # this address already has its half
        application({"REMOTE_ADDR": "192.0.2.1"}, None)
    assert application({"REMOTE_ADDR": "192.0.2.4"}, None)
    assert application({"busy": True}, None)


def test_no_more_calls_work_at_the_same_time_than_there_are_threads_for_them() -> None:
    working, most = [0], [0]
    go = Event()

    def work(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        working[0] += 1
        most[0] = max(most[0], working[0])
        go.wait(0.05)
        working[0] -= 1
        return [b"done"]

    application = SlowClients(work, 2, transfers=8)
    threads = [Thread(target=application, args=({}, None)) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert most == [2]


def test_a_call_that_fails_gives_its_place_back() -> None:
    def broken(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        slow_clients.begin_transfer(environ)
        raise RuntimeError

    application = SlowClients(broken, 1, transfers=1)
    for _ in range(3):
        with pytest.raises(RuntimeError):
            application({}, None)


def test_an_upload_that_proved_itself_leaves_its_place_among_the_bodies() -> None:
    def upload(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        environ["wsgi.input"].read(1)
        slow_clients.begin_transfer(environ)
        other = application(environ_of_another, None) if environ is first else [b""]
        return [environ["wsgi.input"].read(3), *other]

    application = SlowClients(upload, 1, transfers=2)
    first, environ_of_another = environ(BytesIO(b"form"), **stranger(1)), environ(BytesIO(b"form"), **stranger(2))
    # There is one thread for calls, and yet both bodies were read at the same time.
    assert application(first, None) == [b"ormorm"]


def test_a_file_that_is_read_too_slowly_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(slow_clients, "monotonic", lambda: clock[0])
    streamed = iter(SlowClients(sending(Chunks(100)), 1, transfers=1)({}, None))
    assert next(streamed) == b"x"
    clock[0] = slow_clients.SECONDS + 1
    with pytest.raises(StopIteration):
        next(streamed)


@pytest.mark.parametrize(("read", "closes"), [(0, True), (3, True), (4, False), (-1, False)])
def test_an_answer_to_a_body_that_was_not_read_says_that_the_connection_ends(read: int, closes: bool) -> None:
    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if read:
            environ["wsgi.input"].read(read)
        start_response("503 Service Unavailable", [("Retry-After", "5")])
        return [b""]

    answered: list[tuple[str, str]] = []
    SlowClients(application, threads=4)(
        environ(BytesIO(b"body"), REMOTE_ADDR="192.0.2.1"), lambda status, headers: answered.extend(headers)
    )
    assert (("Connection", "close") in answered) is closes
