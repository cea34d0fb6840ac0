"""One POST to the URL of a webhook, within limits that its receiver cannot exceed.

The name is resolved once, and the connection is made to an address that was checked, so that a second answer of the
name server changes nothing. A proxy is asked for that address too, never for the name, which it would resolve itself.
TLS proves the name. There is no redirect and no second request, and the deadline is for all of it together: a receiver
that sends one byte each second ends at the same moment as one that sends none.
"""

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass
from ssl import SSLContext
from typing import Any
from urllib.parse import urlsplit

import httpcore

from access.outgoing import Proxy, ProxyRefused, expect_tunnel, proxy_for, tls_context
from access.webhooks.destinations import Address, Refused, resolve

# With LOG_LEVEL=DEBUG, httpcore would log the headers of each answer.
logging.getLogger("httpcore").setLevel(logging.WARNING)

SECONDS = 5.0
CONNECT_SECONDS = 2.0  # for one of several addresses
KEPT = 64 * 1024  # bytes of the answer
USER_AGENT = "Iru-Endpoint-Webhooks/1"


class Undelivered(Exception):
    """There is no answer. The message says why, for the person who looks at the delivery."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    text: str  # the first KEPT bytes of the body
    media_type: str = ""


class Deadline:
    """A moment, and the seconds that are left until then."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self, limit: float | None = None) -> float:
        """The seconds for the next step. Raises ReadTimeout when there are none."""
        seconds = self._end - time.monotonic()
        if seconds <= 0:
            raise httpcore.ReadTimeout
        return seconds if limit is None else min(limit, seconds)


def post(url: str, body: bytes, headers: dict[str, str], *, seconds: float = SECONDS) -> Answer:
    """Send the body of a webhook once. Raises Undelivered, also for an address that is not allowed."""
    return send("POST", url, body, {"Content-Type": "application/json"} | headers, seconds=seconds)


def send(method: str, url: str, body: bytes, headers: dict[str, str], *, seconds: float = SECONDS) -> Answer:
    """Make one request to an address that somebody of a tenant chose. Raises Undelivered like `post`."""
    deadline = Deadline(seconds)
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 443
    try:
        addresses = resolve(host, port, deadline.left())
        with httpcore.ConnectionPool(
            ssl_context=_tls(), network_backend=_Pinned(addresses, deadline, proxy_for(host)), http2=False, retries=0
        ) as pool:
            sent = {"Host": parts.netloc, "Content-Length": str(len(body))}
            sent |= {"User-Agent": USER_AGENT, "Accept-Encoding": "identity", "Connection": "close"} | headers
            with pool.stream(method, url, headers=list(sent.items()), content=body) as response:
                types = [value.decode("latin-1") for name, value in response.headers if name.lower() == b"content-type"]
                return Answer(response.status, _beginning(response.iter_stream()), *types[:1])
    except Refused as error:
        raise Undelivered(str(error)) from None
    except (TimeoutError, httpcore.TimeoutException):
        raise Undelivered(f"No answer within {seconds:g} seconds.") from None
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol, OSError) as error:
        raise Undelivered(_reason(error)) from None


def _beginning(chunks: Iterable[bytes]) -> str:
    """The first part of a body, as text. The rest is not read, and an end that does not come is not waited for."""
    kept = bytearray()
    try:
        for chunk in chunks:
            kept += chunk
            if len(kept) >= KEPT:
                break
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError):
        pass  # the status has arrived, and it decides
    return bytes(kept[:KEPT]).decode(errors="replace").replace("\0", "\N{REPLACEMENT CHARACTER}")


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())[:200]
    kinds: list[tuple[type[Exception], str]] = [
        (httpcore.ConnectError, "The connection failed"),
        (httpcore.ProtocolError, "The answer is not HTTP"),
    ]
    start = next((words for kind, words in kinds if isinstance(error, kind)), "The connection broke off")
    return f"{start}: {text}." if text else f"{start}."


def _tls() -> SSLContext:
    return tls_context()


class _Pinned(httpcore.NetworkBackend):
    """Connects to the given addresses, whatever name is asked for, and by the proxy if there is one."""

    def __init__(self, addresses: list[Address], deadline: Deadline, proxy: Proxy | None) -> None:
        self._addresses, self._deadline, self._proxy = addresses, deadline, proxy
        self._backend = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> "_Timed":
        error: Exception = httpcore.ConnectError()
        for address in self._addresses:
            limit = CONNECT_SECONDS if address != self._addresses[-1] else None
            try:
                return self._connect(str(address), port, limit)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as failed:
                error = failed
        raise error

    def _connect(self, address: str, port: int, limit: float | None) -> "_Timed":
        proxy = self._proxy and proxy_for(address)  # a network may be named as well
        if proxy is None:
            return _Timed(self._backend.connect_tcp(address, port, timeout=self._deadline.left(limit)), self._deadline)
        proxied = self._backend.connect_tcp(proxy.host, proxy.port, timeout=self._deadline.left(limit))
        stream = _Timed(proxied, self._deadline)
        try:
            stream.write(proxy.request(address, port))
            expect_tunnel(stream.read)
        except BaseException as failed:
            stream.close()
            if isinstance(failed, ProxyRefused):
                raise httpcore.ConnectError(str(failed)) from None
            raise
        return stream


class _Timed(httpcore.NetworkStream):
    """A connection whose steps all end at the same deadline, however many they are."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream, self._deadline = stream, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, timeout=self._deadline.left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, timeout=self._deadline.left())

    def start_tls(
        self, ssl_context: SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> "_Timed":
        left = self._deadline.left()
        return _Timed(self._stream.start_tls(ssl_context, server_hostname, timeout=left), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

    def close(self) -> None:
        self._stream.close()
