"""Who is calling, as far as the network can tell."""

from ipaddress import ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest


def is_trusted_proxy(address: str) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return any(
        parsed in ip_network(proxy, strict=False)
        for proxy in settings.IRU_TRUSTED_PROXIES
    )


def client_address(request: HttpRequest) -> str:
    """Address of the client; ProxyMiddleware has put it there where a trusted proxy stood between. May be empty."""
    return str(request.META.get("REMOTE_ADDR", ""))


def network(address: str) -> str:
    """What attempts are counted by: a v4 address, or the /64 that one v6 customer usually holds."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    return (
        str(parsed)
        if parsed.version == 4
        else str(ip_network((parsed, 64), strict=False))
    )
