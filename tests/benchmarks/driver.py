"""Sends requests for some seconds over some connections: wrk, or a loop in Python where the machine has no wrk."""

import http.client
import json
import selectors
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

TIMEOUT = 30  # seconds until a request counts as failed
# The requests are made once, because each one that is made costs the processor that the server may need.
SCRIPT = """
local requests = {
%s
}
local texts = {}
local number = 0
function init(args)
  for place, each in ipairs(requests) do texts[place] = wrk.format(each[1], each[2], each[3], each[4]) end
end
function request()
  number = number %% #texts + 1
  return texts[number]
end
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('\\n{"requests": %%d, "seconds": %%f, "p50": %%f, "p99": %%f, "failed": %%d}\\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""


@dataclass(frozen=True, slots=True)
class Request:
    path: str
    headers: Mapping[str, str]
    method: str = "GET"
    body: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """Answers of one run: their number, its seconds, and latencies in milliseconds. `failed` got another status."""

    requests: int
    seconds: float
    p50: float
    p99: float
    failed: int

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds


def name() -> str:
    """The driver that this machine has."""
    if not shutil.which("wrk"):
        return "a loop in Python, because wrk is not installed"
    shown = subprocess.run(["wrk", "--version"], capture_output=True, text=True, check=False).stdout
    return " ".join(shown.split()[:2])


def gets(paths: Sequence[str], headers: Mapping[str, str]) -> list[Request]:
    """A GET for each path, all with these headers."""
    return [Request(path, headers) for path in paths]


def run(port: int, requests: Sequence[Request], *, connections: int, seconds: float) -> Result:
    """Send these requests, one after the other and from the start again, for so long."""
    return (_wrk if shutil.which("wrk") else _loop)(port, requests, connections, seconds)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes
    milliseconds: float


class Client:
    """One connection, which stays open, for calls whose answers are looked at."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def send(self, request: Request) -> Answer:
        """Raises SystemExit where no answer comes."""
        start = time.perf_counter()
        try:
            self._connection.request(request.method, request.path, request.body or None, dict(request.headers))
            response = self._connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()  # the next call opens it again
            raise SystemExit(f"{request.method} {request.path} was not answered: {error!r}") from error
        milliseconds = (time.perf_counter() - start) * 1000
        return Answer(response.status, response.headers, body, milliseconds)

    def fetch(self, request: Request) -> Answer:
        """As `send`. Raises SystemExit for an answer that is no success."""
        answer = self.send(request)
        if not 200 <= answer.status < 300:
            call = f"{request.method} {request.path}"
            raise SystemExit(f"{call} was answered {answer.status}: {answer.body[:300]!r}")
        return answer


def get(port: int, path: str, headers: Mapping[str, str]) -> bytes:
    """The body of one answer. Raises SystemExit for an answer that is no success."""
    with Client(port) as client:
        return client.fetch(Request(path, headers)).body


def _wrk(port: int, requests: Sequence[Request], connections: int, seconds: float) -> Result:
    lines = ",\n".join(map(_lua, requests))
    with tempfile.TemporaryDirectory(prefix="iru-wrk-") as directory:
        (script := Path(directory) / "requests.lua").write_text(SCRIPT % lines)
        command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", f"--timeout={TIMEOUT}s"]
        command += ["-s", str(script), f"http://127.0.0.1:{port}"]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode or not ended.stdout:
        raise SystemExit(f"wrk failed: {ended.stdout}{ended.stderr}")
    return Result(**json.loads(ended.stdout.strip().splitlines()[-1]))


def _lua(request: Request) -> str:
    headers = ", ".join(f"[{json.dumps(name)}] = {json.dumps(value)}" for name, value in request.headers.items())
    body = json.dumps(request.body) if request.body else "nil"
    return f"{{{json.dumps(request.method)}, {json.dumps(request.path)}, {{{headers}}}, {body}}}"


class _Connection:
    """Sends the next request when the answer to the last one is complete."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
        self.start, self.received, self.status, self.expected = 0.0, bytearray(), 0, -1

    def send(self, request: bytes) -> None:
        self.received.clear()
        self.expected = -1
        self.start = time.perf_counter()
        self.socket.sendall(request)

    def complete(self) -> bool:
        """Read what has come. Returns whether the answer is complete."""
        part = self.socket.recv(1 << 18)
        if not part:
            raise SystemExit("The server closed a connection.")
        self.received += part
        if self.expected < 0:
            head, found, _ = self.received.partition(b"\r\n\r\n")
            if not found:
                return False
            self.status = int(head.split(b" ", 2)[1])
            fields = head.lower().split(b"\r\n")
            lengths = [int(field.split(b":")[1]) for field in fields if field.startswith(b"content-length:")]
            self.expected = len(head) + 4 + sum(lengths)  # an answer without content has no length
        return len(self.received) >= self.expected


def _text(request: Request) -> bytes:
    """The request as it is sent."""
    body = request.body.encode()
    fields = {"Host": "127.0.0.1"} | dict(request.headers) | ({"Content-Length": str(len(body))} if body else {})
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"{request.method} {request.path} HTTP/1.1\r\n{head}\r\n".encode() + body


def _loop(port: int, requests: Sequence[Request], connections: int, seconds: float) -> Result:
    texts = [_text(request) for request in requests]
    latencies: list[float] = []
    failed, sent = 0, connections
    with selectors.DefaultSelector() as selector:
        clients = [_Connection(port) for _ in range(connections)]
        begun = time.perf_counter()
        for number, client in enumerate(clients):
            selector.register(client.socket, selectors.EVENT_READ, client)
            client.send(texts[number % len(texts)])
        while (now := time.perf_counter()) - begun < seconds:
            for key, _ in selector.select(timeout=seconds - (now - begun)):
                client = key.data
                if not client.complete():
                    continue
                latencies.append(time.perf_counter() - client.start)
                failed += not 200 <= client.status < 300
                client.send(texts[sent % len(texts)])
                sent += 1
        elapsed = time.perf_counter() - begun
        for client in clients:
            client.socket.close()
    latencies.sort()
    if not latencies:
        raise SystemExit("No request was answered in time.")
    p50, p99 = (latencies[int(len(latencies) * share)] * 1000 for share in (0.5, 0.99))
    return Result(len(latencies), elapsed, p50, p99, failed)
