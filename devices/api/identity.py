"""Who sends a call: its token, its tenant, and whether the tenant may make one more call."""

from django.http import HttpResponse

from access import limits
from access.addresses import client_address
from access.audit.events import Actor
from access.audit.security import SecurityEvent, report
from access.context import note_sender
from access.http.requests import RoutedRequest
from access.http.slow_clients import AUTHENTICATED
from access.limits import Allowance
from access.models import Tenant
from access.tokens.authentication import AuthenticationFailed, Beside, LiveToken, authenticate
from access.tokens.usage import Call
from devices.api import errors


class ApiRequest(RoutedRequest):
    """A request that has passed the guard: its token, also as actor, and the tenant at which every query starts."""

    token: LiveToken
    tenant: Tenant
    actor: Actor
    allowance: Allowance  # missing where the call counts against no limit


def identify(request: ApiRequest, operation: str, beside: Beside | None = None) -> None:
    """Set the token and the tenant of a request for `operation`, which becomes that of the token's last use.

    The call counts against the limits of the tenant; `with_limits` adds their headers to its answer. Raises
    AuthenticationFailed, the 404 of an inactive tenant, and the 429 of one that has made all its calls.
    """
    try:
        request.token = authenticate(
            request.META.get("HTTP_AUTHORIZATION"),
            subdomain=request.subdomain,
            call=Call(client_address(request), request.META.get("HTTP_USER_AGENT", ""), operation),
            beside=beside,
        )
    except AuthenticationFailed as failure:
        # Queried only after a failure, so that a successful call does not pay for it.
        if request.subdomain is not None and not is_active(request.subdomain):
            raise errors.tenant_not_found() from None
        if failure.sent:
            report(SecurityEvent.TOKEN_REFUSED, client_address(request))
        raise
    request.META[AUTHENTICATED] = True
    token = request.token
    request.tenant = token.tenant
    note_sender(token.subdomain, token.id)
    request.allowance = limits.take(token.tenant_id, token.limits)
    if request.allowance.refused:
        report(SecurityEvent.CALLS_REFUSED, client_address(request), tenant=token.subdomain)
        raise errors.too_many_calls(request.allowance.wait)


def with_limits(request: ApiRequest, response: HttpResponse) -> HttpResponse:
    """The response, with what is left of the tenant's limits where the call counted against them."""
    if hasattr(request, "allowance"):
        for name, value in request.allowance.headers():
            response.headers[name] = value
    return response


def is_active(subdomain: str) -> bool:
    """Whether there is such a tenant, and it is active."""
    return Tenant.objects.filter(subdomain=subdomain, active=True).exists()
