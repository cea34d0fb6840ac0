"""Where a webhook may send to: the form of its URL, and the addresses that its name may have.

A person of a tenant chooses the URL, and this server sends the request. So every address is refused that only this
server can reach: of its machine, of its network, and of the cloud that it runs in.
"""

import socket
import threading
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from access.addresses import parse
from access.models.webhooks import LONGEST_URL

type Address = IPv4Address | IPv6Address

_look_up = socket.getaddrinfo

UNICAST = IPv6Network("2000::/3")  # the only part of IPv6 that is assigned to the Internet
NAT64 = IPv6Network("64:ff9b::/96")
# Tunnels, whose addresses carry an IPv4 address that is not checked: 6to4 and Teredo, and the anycast relay of 6to4.
TUNNELS = (IPv6Network("2002::/16"), IPv6Network("2001::/32"), IPv4Network("192.88.99.0/24"))
AZURE_METADATA = IPv4Address("168.63.129.16")  # the one metadata service on a public address


class Refused(Exception):
    """The URL or the address is none that a webhook may send to. The message is for the person who chose the URL."""


def checked_url(text: str) -> str:
    """The URL in the form in which it is stored. Raises Refused."""
    text = text.strip()
    if len(text) > LONGEST_URL:
        raise Refused(f"The URL may have at most {LONGEST_URL} characters.")
    if not text.isprintable() or " " in text:
        raise Refused("The URL contains a space or a control character.")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise Refused("This is not a URL.") from None
    if parts.scheme.lower() != "https" or not parts.hostname:
        raise Refused("The URL must begin with https:// and a host name.")
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        raise Refused("The URL must not contain a user name or password. Messages are signed instead.")
    if port == 0 or parts.netloc.endswith(":"):
        raise Refused("The URL contains an invalid port.")
    host = _ascii(parts.hostname)
    if (address := parse(host)) is not None and not allowed(address):
        raise Refused(forbidden(address))
    netloc = f"[{host}]" if ":" in host else host
    if port not in {None, 443}:
        netloc += f":{port}"
    query = f"?{_escaped(parts.query)}" if parts.query else ""
    return f"https://{netloc}{_escaped(parts.path) or '/'}{query}"


def resolve(host: str, port: int, seconds: float) -> list[Address]:
    """The addresses of a name that a webhook may send to, in the order of the resolver.

    Raises Refused without any, and TimeoutError if the resolver takes too long.
    """
    answers: list[list[str] | OSError | UnicodeError] = []

    def ask() -> None:
        try:
            answers.append([str(each[4][0]) for each in _look_up(host, port, type=socket.SOCK_STREAM)])
        except (OSError, UnicodeError) as error:
            answers.append(error)

    # The resolver has no time limit of its own.
    thread = threading.Thread(target=ask, name="webhook-resolver", daemon=True)
    thread.start()
    thread.join(seconds)
    if not answers:
        raise TimeoutError
    (answer,) = answers
    if not isinstance(answer, list):
        raise Refused(f"The host name {host} does not exist or cannot be resolved.")
    addresses = list(dict.fromkeys(address for text in answer if (address := parse(text)) is not None))
    good = [address for address in addresses if allowed(address)]
    if not good:
        raise Refused(forbidden(addresses[0]) if addresses else f"The host name {host} has no address.")
    return good


def allowed(address: Address) -> bool:
    """Whether a webhook may connect to the address: one of the public Internet, or of IRU_WEBHOOK_NETWORKS.

    It comes from `parse`, which returns an IPv4-mapped one as IPv4.
    """
    if address in NAT64:
        return allowed(IPv4Address(int(address) & 0xFFFFFFFF))
    if any(address in network for network in networks()):
        return True
    if address.is_multicast or not address.is_global or address == AZURE_METADATA:
        return False
    if any(address in network for network in TUNNELS):
        return False
    return isinstance(address, IPv4Address) or address in UNICAST


def forbidden(address: Address) -> str:
    return f"This server does not connect to {address}: it is not an address of the public Internet."


def networks() -> tuple[IPv4Network | IPv6Network, ...]:
    """The networks of IRU_WEBHOOK_NETWORKS. Raises ImproperlyConfigured for an entry that is no network."""
    return _networks(tuple(settings.IRU_WEBHOOK_NETWORKS))


@lru_cache(maxsize=4)
def _networks(texts: tuple[str, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
    try:
        return tuple(ip_network(text.strip(), strict=False) for text in texts)
    except ValueError as error:
        raise ImproperlyConfigured(f"IRU_WEBHOOK_NETWORKS holds addresses and networks: {error}.") from None


def _ascii(host: str) -> str:
    """The host name as certificates and DNS write it."""
    if parse(host) is not None:
        return host.lower()
    if host.isascii():
        return host.lower().rstrip(".")
    try:
        return host.encode("idna").decode().rstrip(".")
    except UnicodeError:
        raise Refused("The host name is invalid.") from None


def _escaped(text: str) -> str:
    """Path or query with the characters beyond ASCII percent-encoded."""
    return "".join(each if each.isascii() else "".join(f"%{byte:02X}" for byte in each.encode()) for each in text)
