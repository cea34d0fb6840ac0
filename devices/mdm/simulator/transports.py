"""How a simulated device reaches the server."""

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

TIMEOUT = 60.0  # seconds; a device waits as long for a command


class ConnectionCut(Exception):
    """The connection ended before the device had the answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server answered."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


# Method, path with the query, headers with `Host`, and body. Raises ConnectionCut.
type Transport = Callable[[str, str, dict[str, str], bytes], Answer]


def http_transport(url: str, *, context: ssl.SSLContext | None = None) -> Transport:
    """A transport to the server at this address, whatever host a request is for. Each request has its connection."""
    address = urlsplit(url)

    def send(method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        host = address.hostname or ""
        connection = (
            HTTPSConnection(host, address.port, timeout=TIMEOUT, context=context)
            if address.scheme == "https"
            else HTTPConnection(host, address.port, timeout=TIMEOUT)
        )
        try:
            connection.request(method, path, body or None, headers)
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        except (OSError, HTTPException) as error:
            raise ConnectionCut(str(error)) from error
        finally:
            connection.close()

    return send
