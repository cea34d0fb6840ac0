"""Clients that send or read slowly: how many threads of the server may wait for them.

Granian takes the headers, and holds connections, without any of these threads. It reads a body, and sends an answer in
parts, on the thread that makes the answer, for as long as the client likes: four slow clients stopped four threads.
Such a read has no timeout, and cannot be left to another thread: a request that ends before the read of its body makes
granian 2.8 wait for it with the interpreter's lock held, and the whole process stands still.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from io import IOBase
from time import monotonic
from typing import Any

from access.addresses import network
from access.http.bodies import body_length
from access.refusals import Refusal

THREADS = "IRU_SERVER_THREADS"  # the environment variable in which `serve` tells its processes their number of threads
AUTHENTICATED = "iru.authenticated"  # set in a request's META as soon as its sender is known

MOMENT = 0.05  # seconds in which a body has arrived, unless its client or the network is slow
SECONDS = 10.0  # for every body,
RATE = 16 * 1024  # and one second more for each so many bytes of it
# Bytes that are read between two looks at the clock: few at first, because a client that sends one byte a second holds
# its thread until they are there.
FIRST, PIECE = 16, 1024

type Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


class ServerBusy(Refusal):
    """As many threads as may are waiting for slow bodies already."""

    status = 503

    def __init__(self) -> None:
        super().__init__("The server is waiting for too many slow requests.")

    def headers(self) -> dict[str, str]:
        return {"Retry-After": "5"}


class BodyTooSlow(Refusal):
    status = 408

    def __init__(self) -> None:
        super().__init__("The request body arrived too slowly.")


def has_body(environ: Mapping[str, Any]) -> bool:
    return environ.get("CONTENT_LENGTH", "") not in {"", "0"} or "HTTP_TRANSFER_ENCODING" in environ


class SlowClients:
    """The application, whose bodies are read by a limited number of threads, and whose answers are handed over whole.

    Strangers hold at most half of the threads with their bodies, and one address of theirs at most half of that. Known
    clients hold at most half as well, and all together at most all but one. Others are refused with ServerBusy.
    """

    def __init__(self, application: Application, threads: int) -> None:
        self._application = application
        self._places = Places(threads)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if not has_body(environ):
            return _whole(self._application(environ, start_response))
        body = TimedBody(environ, self._places)
        environ["wsgi.input"] = body
        try:
            return _whole(self._application(environ, start_response))
        finally:
            body.release()


class Places:
    """The threads that read a body now. A single thread has nothing to share, and reads one body at a time."""

    def __init__(self, threads: int) -> None:
        self._everybody = max(1, threads - 1)
        self._half = max(1, threads // 2)
        self._address = max(1, threads // 4)
        self._changed = threading.Condition()
        self._held: dict[TimedBody, float] = {}  # since when

    def take(self, body: "TimedBody") -> None:
        """Raise ServerBusy, unless a place is free within a moment.

        Bodies that arrive at once are many, and give their places back at once. Slow ones are not waited for.
        """
        with self._changed:
            if not self._free(body):
                young = any(monotonic() - since < MOMENT for since in self._held.values())
                if not (young and self._changed.wait_for(lambda: self._free(body), MOMENT)):
                    raise ServerBusy
            self._held[body] = monotonic()

    def release(self, body: "TimedBody") -> None:
        with self._changed:
            if self._held.pop(body, None) is not None:
                self._changed.notify_all()

    def _free(self, body: "TimedBody") -> bool:
        group = [other.stranger for other in self._held if (other.stranger is None) == (body.stranger is None)]
        if len(self._held) >= self._everybody or len(group) >= self._half:
            return False
        return body.stranger is None or group.count(body.stranger) < self._address


class TimedBody(IOBase):
    """The `wsgi.input` of one request. Its `read` raises ServerBusy and BodyTooSlow beside the server's own errors."""

    def __init__(self, environ: dict[str, Any], places: Places) -> None:
        self.stranger: str | None = None  # the network of a client that is not known
        self._environ = environ
        self._input = environ["wsgi.input"]
        self._places = places
        self._start: float | None = None
        self._position = 0

    def read(self, size: int = -1, /) -> bytes:
        """`size` bytes, and fewer only at the end: as the server's own input has it."""
        if self._start is None:
            self._start = self._begin()
        data = bytearray()
        while size < 0 or len(data) < size:
            asked = FIRST if self._position < PIECE else PIECE
            asked = asked if size < 0 else min(asked, size - len(data))
            piece = self._input.read(asked)
            data += piece
            self._position += len(piece)
            if len(piece) < asked:
                self.release()
                break
            if monotonic() - self._start > SECONDS + self._position / RATE:
                raise BodyTooSlow
        if self._position == body_length(self._environ):
            self.release()
        return bytes(data)

    def release(self) -> None:
        """Give the place back: the body has been read, or its request is over."""
        self._places.release(self)

    def _begin(self) -> float:
        # By now ProxyMiddleware has found the client's address, and the caller knows who sends the body.
        if AUTHENTICATED not in self._environ:
            self.stranger = network(self._environ.get("REMOTE_ADDR", "")) or "?"
        self._places.take(self)
        return monotonic()


def _whole(answer: Iterable[bytes]) -> list[bytes]:
    """The answer in one piece. Granian sends that by itself, and keeps the thread of one in several pieces waiting."""
    try:
        return [b"".join(answer)]
    finally:
        if close := getattr(answer, "close", None):
            close()
