"""Addresses: parsing, trusted proxies, the network that attempts are counted by, and the host of the pages."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest


def parse(text: str) -> IPv4Address | IPv6Address | None:
    """`text` as an address, or None. IPv4-mapped IPv6 addresses are returned as IPv4, without a zone id."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    # A server that listens on IPv6 shows all IPv4 clients in one /64; without this they would share one count.
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address


def parse_network(text: str) -> IPv4Network | IPv6Network:
    """`text` as a network in CIDR notation, or as an address, which is the network of itself alone.

    Raises ValueError for other texts, and for a network whose address has bits behind its mask.
    """
    return ip_network(text.strip())


def web_origin() -> str:
    """The scheme and host of the pages, for a text that is written without a request for one of them."""
    port = f":{settings.IRU_PORT}" if settings.IRU_PORT else ""
    return f"{settings.IRU_SCHEME}://{settings.IRU_WEB_HOSTS[0]}{port}"


def is_trusted_proxy(text: str) -> bool:
    address = parse(text)
    return address is not None and any(address in proxy for proxy in trusted_proxies())


def trusted_proxies() -> list[IPv4Network | IPv6Network]:
    """The networks of IRU_TRUSTED_PROXIES. Raises ImproperlyConfigured for an entry that is no network."""
    return _networks(tuple(settings.IRU_TRUSTED_PROXIES))


def client_address(request: HttpRequest) -> str:
    """Address of the client, as ProxyMiddleware determined it behind trusted proxies. May be empty."""
    return str(request.META.get("REMOTE_ADDR", ""))


def network(text: str) -> str:
    """The network that attempts are counted by: an IPv4 address, or the /64 of an IPv6 address."""
    address = parse(text)
    return str(ip_network((address, 64), strict=False)) if isinstance(address, IPv6Address) else str(address or text)


@lru_cache(maxsize=1)
def _networks(texts: tuple[str, ...]) -> list[IPv4Network | IPv6Network]:
    try:
        return [ip_network(text.strip(), strict=False) for text in texts]
    except ValueError as error:
        raise ImproperlyConfigured(f"IRU_TRUSTED_PROXIES holds addresses and networks: {error}.") from None
