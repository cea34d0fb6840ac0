"""Who is calling, as far as the network can tell."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest


def parse(text: str) -> IPv4Address | IPv6Address | None:
    """The address that `text` is, or None. A v4 address in v6 clothes is the v4 address; a zone is left out."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    # A server that listens on v6 shows all v4 clients in one /64: without this they would share one count of attempts.
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address


def is_trusted_proxy(text: str) -> bool:
    address = parse(text)
    return address is not None and any(address in proxy for proxy in trusted_proxies())


def trusted_proxies() -> list[IPv4Network | IPv6Network]:
    """The networks of IRU_TRUSTED_PROXIES. Raises ImproperlyConfigured where one of them is none."""
    return _networks(tuple(settings.IRU_TRUSTED_PROXIES))


def client_address(request: HttpRequest) -> str:
    """Address of the client; ProxyMiddleware has put it there where a trusted proxy stood between. May be empty."""
    return str(request.META.get("REMOTE_ADDR", ""))


def network(text: str) -> str:
    """What attempts are counted by: a v4 address, or the /64 that one v6 customer usually holds."""
    address = parse(text)
    return str(ip_network((address, 64), strict=False)) if isinstance(address, IPv6Address) else str(address or text)


@lru_cache(maxsize=1)
def _networks(texts: tuple[str, ...]) -> list[IPv4Network | IPv6Network]:
    try:
        return [ip_network(text.strip(), strict=False) for text in texts]
    except ValueError as error:
        raise ImproperlyConfigured(f"IRU_TRUSTED_PROXIES holds addresses and networks: {error}.") from None
