"""Clients that read and change all the time, and that remember each answer and each change that was acknowledged."""

import http.client
import json
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

HANGS = 20.0  # seconds after which a client gives up
NO_ANSWER, TIMED_OUT = "no answer", "time-out"
GOOD = {200, 201, 204}
UNAVAILABLE = 503

type Status = int | str


@dataclass(frozen=True, slots=True)
class Call:
    start: float
    end: float
    method: str
    status: Status
    body: bytes = b""
    retry_after: str | None = None

    @property
    def good(self) -> bool:
        return self.status in GOOD

    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """One client with one connection to each port, which it uses in turn. A broken connection is opened again."""

    def __init__(self, ports: Sequence[int], secret: str, timeout: float = HANGS) -> None:
        self._ports, self._secret, self._timeout = ports, secret, timeout
        self._connections: dict[int, http.client.HTTPConnection] = {}
        self.turn = 0

    def call(self, method: str, path: str, body: Any = None, *, secret: str | None = None) -> Call:
        port = self._ports[self.turn % len(self._ports)]
        self.turn += 1
        headers = {"Authorization": f"Bearer {secret or self._secret}", "Content-Type": "application/json"}
        if method == "POST" and path != "/tokens":  # its answer has a secret, and is never stored
            headers["Idempotency-Key"] = uuid.uuid4().hex
        start = time.monotonic()
        try:
            connection = self._connections.get(port)
            if connection is None:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=self._timeout)
                self._connections[port] = connection
            connection.request(method, f"/api/v1{path}", body and json.dumps(body), headers)
            response = connection.getresponse()
            content = response.read()
        except TimeoutError:
            return self._broken(port, start, method, TIMED_OUT)
        except (OSError, http.client.HTTPException):
            return self._broken(port, start, method, NO_ANSWER)
        return Call(start, time.monotonic(), method, response.status, content, response.headers["Retry-After"])

    def close(self) -> None:
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()

    def _broken(self, port: int, start: float, method: str, status: Status) -> Call:
        self._connections.pop(port).close()
        return Call(start, time.monotonic(), method, status)


@dataclass(slots=True)
class Ledger:
    """The changes that were acknowledged, and those whose outcome the client does not know."""

    tags: dict[str, str] = field(default_factory=dict)  # the asset tag of a device
    unknown_tags: dict[str, set[str]] = field(default_factory=dict)
    notes: dict[str, set[str]] = field(default_factory=dict)
    revoked: list[str] = field(default_factory=list)  # secrets
    alive: list[str] = field(default_factory=list)  # secrets of tokens that were created, and not revoked
    late: int = 0  # answers other than 401 and 503 to a revoked token
    acknowledged: int = 0


class Load:
    """Threads that call a server until they are stopped: reads, changes of devices, new notes, and new tokens that are
    used, revoked and used again."""

    def __init__(
        self,
        ports: Sequence[int],
        secret: str,
        devices: Sequence[str],
        *,
        writers: int = 3,
        readers: int = 2,
        tokens: int = 1,
        pause: float = 0.15,
    ) -> None:
        self._ports, self._secret, self._devices, self._pause = ports, secret, devices, pause
        self.calls: list[Call] = []
        self.ledger = Ledger()
        self.hold = threading.Event()  # while it is set, the clients call nothing
        self._stop = threading.Event()
        self._lock = threading.Lock()
        jobs: list[Callable[[Client, int], None]] = [
            *[self._change] * writers,
            *[self._read] * readers,
            *[self._use_tokens] * tokens,
        ]
        self._threads = [
            threading.Thread(target=self._run, args=(job, number), daemon=True) for number, job in enumerate(jobs)
        ]

    @contextmanager
    def running(self) -> Iterator["Load"]:
        for thread in self._threads:
            thread.start()
        try:
            yield self
        finally:
            self.stop()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, job: Callable[[Client, int], None], number: int) -> None:
        client = Client(self._ports, self._secret)
        client.turn = number  # so that the clients do not all begin at the same port
        while not self._stop.is_set():
            if not self.hold.is_set():
                job(client, number)
            self._stop.wait(self._pause)
        client.close()

    def _call(self, client: Client, method: str, path: str, body: Any = None) -> Call:
        call = client.call(method, path, body)
        with self._lock:
            self.calls.append(call)
        return call

    def _read(self, client: Client, number: int) -> None:
        device = self._devices[(number + len(self.calls)) % len(self._devices)]
        for path in ("/devices?limit=50", f"/devices/{device}", "/tags", "/token"):
            if not self._stop.is_set():
                self._call(client, "GET", path)

    def _change(self, client: Client, number: int) -> None:
        device, text = self._devices[number], uuid.uuid4().hex
        ledger = self.ledger
        call = self._call(client, "PATCH", f"/devices/{device}", {"asset_tag": text})
        if call.good:
            ledger.tags[device] = text
            ledger.unknown_tags.pop(device, None)
        else:
            ledger.unknown_tags.setdefault(device, set()).add(text)
        note = self._call(client, "POST", f"/devices/{device}/notes", {"content": text})
        if note.good:
            ledger.notes.setdefault(device, set()).add(text)
        with self._lock:
            ledger.acknowledged += call.good + note.good

    def _use_tokens(self, client: Client, number: int) -> None:
        created = self._call(client, "POST", "/tokens", {"name": uuid.uuid4().hex, "permissions": []})
        if not created.good:
            return
        token = created.json()
        secret = token["token"]
        self.ledger.acknowledged += 1
        client.call("GET", "/token", secret=secret)
        if not self._call(client, "DELETE", f"/tokens/{token['id']}").good:
            return  # the outcome is unknown
        self.ledger.acknowledged += 1
        self.ledger.revoked.append(secret)
        for _ in self._ports:
            if client.call("GET", "/token", secret=secret).status == 200:
                self.ledger.late += 1

    def lost(self) -> int:
        """The acknowledged changes that the server no longer has. Call it once the server answers again."""
        client = Client(self._ports[:1], self._secret)
        lost = 0
        for device, text in self.ledger.tags.items():
            now = read(client, f"/devices/{device}")["asset_tag"]
            lost += now != text and now not in self.ledger.unknown_tags.get(device, ())
        for device, texts in self.ledger.notes.items():
            lost += len(texts - {note["content"] for note in read(client, f"/devices/{device}/notes")})
        for secret in self.ledger.revoked:
            lost += client.call("GET", "/token", secret=secret).status != 401
        client.close()
        return lost


def read(client: Client, path: str) -> Any:
    """The answer to a GET, which may be refused for a while, because the database has much to do."""
    for _ in range(20):
        call = client.call("GET", path)
        if call.status != UNAVAILABLE:
            break
        time.sleep(1)
    assert call.status == 200, (path, call.status, call.body)
    return call.json()


def statuses(calls: Iterable[Call]) -> dict[Status, int]:
    return dict(sorted(Counter(call.status for call in calls).items(), key=lambda item: str(item[0])))


def longest_gap(calls: Iterable[Call], *, reads: bool) -> float:
    """The longest time without a good answer to a read, or to a change."""
    good = sorted(call.end for call in calls if call.good and (call.method == "GET") is reads)
    return max((after - before for before, after in pairwise(good)), default=0.0)


def recovery(calls: Iterable[Call], ended: float) -> float:
    """Seconds from `ended` until each call that began since then succeeds."""
    since = sorted((call for call in calls if call.start >= ended), key=lambda call: call.end)
    bad = [call.end for call in since if not call.good]
    good = [call.end for call in since if call.good and (not bad or call.end > max(bad))]
    assert good, "no call succeeded since the fault ended"
    return (max(bad) if bad else good[0]) - ended
