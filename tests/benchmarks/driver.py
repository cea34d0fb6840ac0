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

TIMEOUT = 30  # seconds until a request counts as failed
# The requests are made once, because each one that is made costs the processor that the server may need.
SCRIPT = """
local paths = {%s}
local texts = {}
local number = 0
%s
function init(args)
  for place, path in ipairs(paths) do texts[place] = wrk.format("GET", path) end
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


def run(port: int, paths: Sequence[str], headers: Mapping[str, str], *, connections: int, seconds: float) -> Result:
    """Send GETs for these paths, one after the other, for so long."""
    return (_wrk if shutil.which("wrk") else _loop)(port, paths, headers, connections, seconds)


def get(port: int, path: str, headers: Mapping[str, str]) -> bytes:
    """The body of one answer. Raises SystemExit for a status other than 200."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    try:
        client.request("GET", path, headers=dict(headers))
        answer = client.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{path} on port {port} was answered {answer.status}: {body[:300]!r}")
        return body
    finally:
        client.close()


def _wrk(port: int, paths: Sequence[str], headers: Mapping[str, str], connections: int, seconds: float) -> Result:
    lines = "\n".join(f'wrk.headers["{header}"] = {json.dumps(value)}' for header, value in headers.items())
    with tempfile.TemporaryDirectory(prefix="iru-wrk-") as directory:
        (script := Path(directory) / "requests.lua").write_text(SCRIPT % (", ".join(map(json.dumps, paths)), lines))
        command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", f"--timeout={TIMEOUT}s"]
        command += ["-s", str(script), f"http://127.0.0.1:{port}"]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode or not ended.stdout:
        raise SystemExit(f"wrk failed: {ended.stdout}{ended.stderr}")
    return Result(**json.loads(ended.stdout.strip().splitlines()[-1]))


class _Connection:
    """Sends the next request when the answer to the last one is complete."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
        self.start, self.received, self.status, self.expected = 0.0, bytearray(), b"", -1

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
            self.status = bytes(head.split(b" ", 2)[1])
            (length,) = (line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            self.expected = len(head) + 4 + int(length.split(b":")[1])
        return len(self.received) >= self.expected


def _loop(port: int, paths: Sequence[str], headers: Mapping[str, str], connections: int, seconds: float) -> Result:
    head = "".join(f"{name}: {value}\r\n" for name, value in ({"Host": "127.0.0.1"} | dict(headers)).items())
    requests = [f"GET {path} HTTP/1.1\r\n{head}\r\n".encode() for path in paths]
    latencies: list[float] = []
    failed, sent = 0, connections
    with selectors.DefaultSelector() as selector:
        clients = [_Connection(port) for _ in range(connections)]
        begun = time.perf_counter()
        for number, client in enumerate(clients):
            selector.register(client.socket, selectors.EVENT_READ, client)
            client.send(requests[number % len(requests)])
        while (now := time.perf_counter()) - begun < seconds:
            for key, _ in selector.select(timeout=seconds - (now - begun)):
                client = key.data
                if not client.complete():
                    continue
                latencies.append(time.perf_counter() - client.start)
                failed += client.status != b"200"
                client.send(requests[sent % len(requests)])
                sent += 1
        for client in clients:
            client.socket.close()
    latencies.sort()
    if not latencies:
        raise SystemExit("No request was answered in time.")
    p50, p99 = (latencies[int(len(latencies) * share)] * 1000 for share in (0.5, 0.99))
    return Result(len(latencies), seconds, p50, p99, failed)
