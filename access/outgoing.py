"""How this server connects to others: by which proxy, and trusting which certificate authorities.

IRU_HTTPS_PROXY is asked for a tunnel (CONNECT), in which TLS is spoken with the other server itself: the proxy sees no
content. Machines of IRU_NO_PROXY, and this one, are connected to directly.
"""

import os
import re
import socket
import ssl
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_network
from typing import Any
from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from access.addresses import parse

LONGEST_HEAD = 16 * 1024  # bytes of the proxy's answer
ACCEPTED = re.compile(rb"HTTP/1\.[01] 2\d\d(?: |\r)")


class ProxyRefused(OSError):
    """The proxy opens no tunnel. The message says why."""


@dataclass(frozen=True, slots=True)
class Proxy:
    url: str
    host: str
    port: int
    authorization: str = ""

    @property
    def name(self) -> str:
        """For people, without a password."""
        return f"{self.host}:{self.port}"

    def request(self, host: str, port: int) -> bytes:
        """What asks for a tunnel."""
        target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
        if self.authorization:
            lines.append(f"Proxy-Authorization: {self.authorization}")
        return "\r\n".join([*lines, "", ""]).encode()

    def connect(self, host: str, port: int, timeout: float | None) -> socket.socket:
        """A connection to a server through the proxy. Raises OSError."""
        connection = socket.create_connection((self.host, self.port), timeout)
        try:
            connection.sendall(self.request(host, port))
            expect_tunnel(connection.recv)
        except BaseException:
            connection.close()
            raise
        return connection


def expect_tunnel(read: Callable[[int], bytes]) -> None:
    """Read the answer to `Proxy.request`, and no byte of what follows it. Raises ProxyRefused."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = read(1)
        head += byte
        if not byte or len(head) > LONGEST_HEAD:
            raise ProxyRefused("The proxy did not answer as HTTP says.")
    if not ACCEPTED.match(head):
        line = head.split(b"\r\n")[0].decode("latin-1")[:100]
        raise ProxyRefused(f"The proxy refused the connection: {line}")


def proxy_for(host: str) -> Proxy | None:
    """The proxy for connections to this host; None if they are direct."""
    proxy = configured_proxy()
    return None if proxy is None or _is_direct(host) else proxy


def configured_proxy() -> Proxy | None:
    """Raises ImproperlyConfigured for a malformed setting."""
    return _parse(settings.IRU_HTTPS_PROXY) if settings.IRU_HTTPS_PROXY else None


def tls_context() -> ssl.SSLContext:
    """TLS that trusts the authorities of IRU_CA_FILE, or the public ones. Raises ImproperlyConfigured."""
    return _tls(settings.IRU_CA_FILE)


def new_tls_context() -> ssl.SSLContext:
    """As `tls_context`, but of the caller's own: it may add the certificate that it shows to the server."""
    return _new_tls(settings.IRU_CA_FILE)


def authorities() -> str | None:
    """The file of IRU_CA_FILE; None for the public authorities."""
    return settings.IRU_CA_FILE or None


def client_options(host: str) -> dict[str, Any]:
    """The options of an httpx.Client that speaks with this host alone."""
    proxy = proxy_for(host)
    options: dict[str, Any] = {"verify": tls_context(), "proxy": proxy.url if proxy else None}
    # Without our settings, the variables that httpx itself reads are in force: HTTPS_PROXY and NO_PROXY.
    return options | {"trust_env": not settings.IRU_HTTPS_PROXY}


def check_settings() -> None:
    """Raises ImproperlyConfigured for a malformed proxy, or a file without certificates: the start ends with it."""
    configured_proxy()
    for text in settings.IRU_NO_PROXY:
        if "/" in text:
            _network(text)
    if settings.IRU_CA_FILE:
        tls_context()


def proxy_of_environment() -> str:
    """The host of the proxy that the environment names for the libraries that read it; empty for none."""
    text = os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy") or ""
    return urlsplit(text).hostname or "" if text else ""


def _is_direct(host: str) -> bool:
    host = host.lower().strip("[]").rstrip(".")
    address = parse(host)
    if host == "localhost" or (address is not None and address.is_loopback):
        return True
    for text in settings.IRU_NO_PROXY:
        entry = text.strip().lower()
        if "/" in entry:
            if address is not None and address in _network(entry):
                return True
        elif host == entry.lstrip(".") or host.endswith("." + entry.lstrip(".")) or entry == "*":
            return True
    return False


@lru_cache(maxsize=64)
def _network(text: str) -> Any:
    try:
        return ip_network(text.strip(), strict=False)
    except ValueError:
        raise ImproperlyConfigured(f"IRU_NO_PROXY holds names, addresses and networks: {text!r} is none.") from None


@lru_cache(maxsize=4)
def _parse(text: str) -> Proxy:
    try:
        parts = urlsplit(text)
        port = parts.port or 3128
    except ValueError:
        parts, port = urlsplit(""), 0
    if parts.scheme != "http" or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ImproperlyConfigured("IRU_HTTPS_PROXY is the address of a proxy, such as http://proxy.example.com:3128.")
    authorization = ""
    if parts.username is not None:
        person = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = f"Basic {b64encode(person.encode()).decode()}"
    return Proxy(text, parts.hostname, port, authorization)


@lru_cache(maxsize=4)
def _tls(path: str) -> ssl.SSLContext:
    return _new_tls(path)


def _new_tls(path: str) -> ssl.SSLContext:
    if not path:
        import httpx  # imported here: a server process seldom calls another one

        return httpx.create_ssl_context()
    try:
        return ssl.create_default_context(cafile=path)
    except (OSError, ssl.SSLError) as error:
        raise ImproperlyConfigured(f"IRU_CA_FILE: {path} has no certificates that can be read: {error}.") from None
