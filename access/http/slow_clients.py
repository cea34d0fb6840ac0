"""Clients that send or read slowly: how many threads of the server may wait for them.

Granian takes the headers, and holds connections, without any of these threads. It reads a body, and sends an answer in
parts, on the thread that makes the answer, for as long as the client likes: four slow clients stopped four threads.
Such a read has no timeout, and cannot be left to another thread: a request that ends before the read of its body makes
granian 2.8 wait for it with the interpreter's lock held, and the whole process stands still.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from io import IOBase
from time import monotonic
from typing import Any

from access.addresses import network
from access.http.bodies import body_length
from access.refusals import Refusal

# `serve` passes the number of threads, and of transfer threads, to its processes in these environment variables.
THREADS, TRANSFERS = "IRU_SERVER_THREADS", "IRU_SERVER_TRANSFERS"
TRANSFER = "iru.transfer"  # the key of a request's Transfer in its META
AUTHENTICATED = "iru.authenticated"  # set in a request's META as soon as its sender is known

MOMENT = 0.05  # seconds in which a body has arrived, unless its client or the network is slow
SECONDS = 10.0  # for every body,
RATE = 16 * 1024  # and one second more for each so many bytes of it
# Bytes that are read between two looks at the clock: few at first, because a client that sends one byte a second holds
# its thread until they are there.
FIRST, PIECE = 16, 1024
TRANSFER_PIECE = 16 * 1024  # bytes that the slowest client sends in a second; a transfer may have gigabytes

type Application = Callable[[dict[str, Any], Any], Iterable[bytes]]

_thread = threading.local()  # `transfer`: that of the request which the thread serves


class ServerBusy(Refusal):
    """As many threads as may are waiting for slow bodies already."""

    status = 503
    cause = "busy"

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

    An upload or download of a file is a transfer: it holds one of `transfers` further threads, and none of the others.
    """

    def __init__(self, application: Application, threads: int, transfers: int = 0) -> None:
        self._application = application
        self._places = Places(threads)
        # The threads for transfers must not raise the number of calls that run at the same time.
        self._turns = Turns(threads) if transfers else None
        self._transfers = TransferPlaces(transfers or max(1, threads // 4))

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if self._turns is not None:
            self._turns.acquire()
        transfer = environ[TRANSFER] = _thread.transfer = Transfer(environ, self._turns, self._transfers)
        try:
            if not has_body(environ):
                return _handed_over(self._application(environ, start_response), transfer)
            body = transfer.body = TimedBody(environ, self._places)
            environ["wsgi.input"] = body
            try:
                return _handed_over(self._application(environ, _closing(start_response, body)), transfer)
            finally:
                body.release()
        except BaseException:
            transfer.end()
            raise


class Turns:
    """A semaphore whose permits go to those who wait longest.

    With the standard library's, a thread that has just released a permit takes it again before the one that waits for
    it has woken up: under load, some requests wait for a hundred others.
    """

    def __init__(self, number: int) -> None:
        self._free = number
        self._lock = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()

    def acquire(self) -> None:
        with self._lock:
            if self._free:
                self._free -= 1
                return
            mine = threading.Lock()
            mine.acquire()
            self._waiting.append(mine)
        mine.acquire()  # until a permit is handed over

    def release(self) -> None:
        with self._lock:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._free += 1


class TransferPlaces:
    """The threads that send or receive files now. One network holds at most half of them."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._lock = threading.Lock()
        self._held: list[str] = []

    def take(self, network: str) -> None:
        """Take a place. Raises ServerBusy if none is free."""
        with self._lock:
            share = max(1, self._number // 2)
            if len(self._held) >= self._number or self._held.count(network) >= share:
                raise ServerBusy
            self._held.append(network)

    def release(self, network: str) -> None:
        with self._lock:
            self._held.remove(network)


class Transfer:
    """The state of a request that may send or receive a file. It does so after `begin`, once it is authorized."""

    def __init__(self, environ: dict[str, Any], turns: "Turns | None", places: TransferPlaces) -> None:
        self.body: TimedBody | None = None
        self.active = False  # whether the answer is a file
        self._environ, self._turns, self._places = environ, turns, places
        self._network: str | None = None
        self._over = False

    def begin(self) -> None:
        """Take a place among the transfers, and release the one among the calls. Raises ServerBusy."""
        if self._network is None:
            address = network(self._environ.get("REMOTE_ADDR", "")) or "?"
            self._places.take(address)
            self._network = address
            self.end_turn()
            if self.body is not None:
                self.body.transfer()

    def end(self) -> None:
        """Release the place, among the transfers or the calls."""
        if self._over:
            return
        self._over = True
        _thread.transfer = None  # a thread must not keep the header with the token until its next request
        if self._network is None:
            self.end_turn()
        else:
            self._places.release(self._network)

    def end_turn(self) -> None:
        """Let another call run."""
        if self._turns is not None:
            self._turns.release()
            self._turns = None


class StreamedAnswer:
    """The answer in pieces. Each holds the thread until the client has received it. Too slow a client gets no more."""

    def __init__(self, answer: Iterable[bytes], transfer: Transfer) -> None:
        self._answer, self._pieces, self._transfer = answer, iter(answer), transfer
        self._start = monotonic()
        self._position = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if monotonic() - self._start > SECONDS + self._position / RATE:
            raise StopIteration  # the Content-Length shows the client that the file is incomplete
        piece = next(self._pieces)
        self._position += len(piece)
        return piece

    def close(self) -> None:
        _close(self._answer)
        self._transfer.end()


def begin_transfer(environ: Mapping[str, Any]) -> None:
    """Make this request a transfer: from now on it holds a thread for files, and no other. Raises ServerBusy.

    Call it only after the sender is authorized.
    """
    if transfer := environ.get(TRANSFER):
        transfer.begin()


def let_others_run() -> None:
    """Let another call run while the call of this thread waits for the database.

    It goes on without a turn, so that calls which began later do not stand between it and the lock that it then holds.
    """
    if transfer := getattr(_thread, "transfer", None):
        transfer.end_turn()


def stream_answer(environ: Mapping[str, Any]) -> None:
    """Make this request a transfer whose answer is a file: the answer is sent in pieces. Raises ServerBusy."""
    if transfer := environ.get(TRANSFER):
        transfer.begin()
        transfer.active = True


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
        self._piece = PIECE
        self.complete = False  # whether it was read to its end

    def transfer(self) -> None:
        """Release the body's place, because the request now holds one among the transfers."""
        self.release()
        self._piece = TRANSFER_PIECE

    def read(self, size: int = -1, /) -> bytes:
        """`size` bytes, and fewer only at the end: as the server's own input has it."""
        if self._start is None:
            self._start = self._begin()
        data = bytearray()
        while size < 0 or len(data) < size:
            asked = FIRST if self._position < PIECE else self._piece
            asked = asked if size < 0 else min(asked, size - len(data))
            piece = self._input.read(asked)
            data += piece
            self._position += len(piece)
            if len(piece) < asked:
                self.complete = True
                self.release()
                break
            if monotonic() - self._start > SECONDS + self._position / RATE:
                raise BodyTooSlow
        if self._position == body_length(self._environ):
            self.complete = True
            self.release()
        return bytes(data)

    def release(self) -> None:
        """Give the place back: the body has been read, or its request is over."""
        self._places.release(self)

    def _begin(self) -> float:
        if self._piece == TRANSFER_PIECE:
            return monotonic()
        # By now ProxyMiddleware has found the client's address, and the caller knows who sends the body.
        if AUTHENTICATED not in self._environ:
            self.stranger = network(self._environ.get("REMOTE_ADDR", "")) or "?"
        self._places.take(self)
        return monotonic()


def _closing(start_response: Any, body: TimedBody) -> Any:
    """`start_response`, with `Connection: close` if the body was not read: the server then closes the connection.

    Without the header the client would send its next request there, and get no answer.
    """

    def start(status: str, headers: list[tuple[str, str]], *arguments: Any) -> Any:
        if not body.complete:
            headers = [*headers, ("Connection", "close")]
        return start_response(status, headers, *arguments)

    return start


def _handed_over(answer: Iterable[bytes], transfer: Transfer) -> Iterable[bytes]:
    """The answer in one piece. Granian sends that by itself, and keeps the thread of one in several pieces waiting."""
    if transfer.active:
        return StreamedAnswer(answer, transfer)
    try:
        return [b"".join(answer)]
    finally:
        _close(answer)
        transfer.end()


def _close(answer: Iterable[bytes]) -> None:
    if close := getattr(answer, "close", None):
        close()
