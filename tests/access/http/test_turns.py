"""How many calls work at the same time, when the server has further threads for transfers."""

import threading
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest

from access.http.slow_clients import SlowClients, begin_transfer, let_others_run
from tests.processes import wait_for

CALLS = 2
WAIT = 20  # seconds, for a thread that should get on
MOMENT = 0.2  # seconds, for a thread that should wait


class Application:
    """Counts the calls that are in it. Each waits until the test ends it."""

    def __init__(self) -> None:
        self.entered = threading.Semaphore(0)
        self.proceed = {path: threading.Event() for path in "abcd"}
        self.transfer = {path: threading.Event() for path in "abcd"}
        self.began = threading.Semaphore(0)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        self.entered.release()
        if path == "a":
            assert self.transfer[path].wait(WAIT)
            begin_transfer(environ)
            self.began.release()
        assert self.proceed[path].wait(WAIT)
        if path == "d":
            raise RuntimeError("a fault of the application")
        return [b"answer"]

    def close(self) -> None:
        """End all calls, so that a test that failed does not wait for them."""
        for event in (*self.transfer.values(), *self.proceed.values()):
            event.set()

    def enters(self, seconds: float = WAIT) -> bool:
        return self.entered.acquire(timeout=seconds)


def test_a_transfer_gives_its_turn_to_a_call_and_every_call_gives_it_back() -> None:
    application = Application()
    server = SlowClients(application, CALLS, transfers=CALLS)

    def call(path: str) -> list[bytes]:
        return list(server({"PATH_INFO": path, "REMOTE_ADDR": "192.0.2.1"}, None))

    with ThreadPoolExecutor(4) as threads, closing(application):
        calls: dict[str, Future[list[bytes]]] = {path: threads.submit(call, path) for path in "ab"}
        assert application.enters()
        assert application.enters()
        calls["c"] = threads.submit(call, "c")
        assert not application.enters(MOMENT), "more calls work than there are threads for calls"
        application.transfer["a"].set()
        assert application.began.acquire(timeout=WAIT)
        assert application.enters(), "a transfer holds the turn of a call"
        # The end of a transfer is no second turn for calls.
        application.proceed["a"].set()
        assert calls["a"].result(WAIT) == [b"answer"]
        calls["d"] = threads.submit(call, "d")
        assert not application.enters(MOMENT)
        application.proceed["b"].set()
        assert application.enters()
        # A call that fails gives its turn back, too.
        for path in "cd":
            application.proceed[path].set()
        assert calls["c"].result(WAIT) == [b"answer"]
        with pytest.raises(RuntimeError):
            calls["d"].result(WAIT)
        for path in "bc":
            calls[path] = threads.submit(call, path)
            assert application.enters(), "a turn is lost"


def test_a_call_that_waits_for_the_database_lets_another_run() -> None:
    application = Application()
    server = SlowClients(waiting(application), 1, transfers=1)

    def call(path: str) -> list[bytes]:
        return list(server({"PATH_INFO": path, "REMOTE_ADDR": "192.0.2.1"}, None))

    with ThreadPoolExecutor(3) as threads, closing(application):
        first = threads.submit(call, "b")
        assert application.enters()
        second = threads.submit(call, "c")
        assert not application.enters(MOMENT)
        application.transfer["b"].set()
        assert application.enters()
        # It gave its turn away once, however often it waits, and its end is no second turn.
        application.proceed["b"].set()
        assert first.result(WAIT) == [b"answer"]
        third = threads.submit(call, "d")
        assert not application.enters(MOMENT)
        application.close()
        assert second.result(WAIT) == [b"answer"]
        with pytest.raises(RuntimeError):
            third.result(WAIT)


def waiting(application: Application) -> Any:
    def wait(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "b":
            application.entered.release()
            assert application.transfer[path].wait(WAIT)
            let_others_run()
            let_others_run()
            assert application.proceed[path].wait(WAIT)
            return [b"answer"]
        return application(environ, start_response)

    return wait


def test_a_call_that_waits_is_next() -> None:
    begun: list[str] = []
    first, waits = threading.Event(), threading.Event()

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        begun.append(environ["PATH_INFO"])
        if environ["PATH_INFO"] == "first":
            first.set()
            assert waits.wait(WAIT)
        return [b"answer"]

    server: Any = SlowClients(application, 1, transfers=1)

    def call(*paths: str) -> None:
        for path in paths:
            server({"PATH_INFO": path, "REMOTE_ADDR": "192.0.2.1"}, None)

    with ThreadPoolExecutor(2) as threads:
        busy = threads.submit(call, "first", "second", "third")
        assert first.wait(WAIT)
        patient = threads.submit(call, "patient")
        wait_for(lambda: server._turns._waiting, WAIT)
        waits.set()
        busy.result(WAIT)
        patient.result(WAIT)
    assert begun == ["first", "patient", "second", "third"]
