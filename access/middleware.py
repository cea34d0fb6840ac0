import re
from collections.abc import Callable

from django.conf import settings
from django.contrib.auth import logout
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.request import split_domain_port
from django.utils import timezone

from access.addresses import is_trusted_proxy
from access.sign_in import TooManyAttempts
from access.views import errors

GetResponse = Callable[[HttpRequest], HttpResponse]
API_PATH = re.compile(r"/(?:api/v\d+|app/v1)(?:/|\Z)")


class ProxyMiddleware:
    """Believe X-Forwarded-For and X-Forwarded-Proto from the configured proxies, and from nobody else."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        forwarded_for = request.META.pop("HTTP_X_FORWARDED_FOR", "")
        forwarded_proto = request.META.pop("HTTP_X_FORWARDED_PROTO", "")
        if settings.IRU_TRUSTED_PROXIES and is_trusted_proxy(
            request.META.get("REMOTE_ADDR", "")
        ):
            # From the right: the last entry was written by our own proxy, everything left of a stranger's is hearsay.
            for address in reversed(
                [part.strip() for part in forwarded_for.split(",") if part.strip()]
            ):
                request.META["REMOTE_ADDR"] = address
                if not is_trusted_proxy(address):
                    break
            if forwarded_proto in {"http", "https"}:
                request.environ["wsgi.url_scheme"] = forwarded_proto  # type: ignore[attr-defined]
        return self.get_response(request)


class HostMiddleware:
    """Tell API requests from pages, by host and path, and name the tenant that an API host stands for.

    Sets `request.is_api`, and for API requests `request.subdomain` (None on a bare host, where the token alone names the
    tenant). An API request never reaches a page and a page host never answers the API.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self.suffix = f".api.{settings.IRU_DOMAIN}"

    def __call__(self, request: HttpRequest) -> HttpResponse:
        host = split_domain_port(request.get_host())[0]
        request.subdomain = (
            host.removesuffix(self.suffix) if host.endswith(self.suffix) else None
        )  # type: ignore[attr-defined]
        request.is_api = (
            request.subdomain is not None
            or API_PATH.match(request.path_info) is not None
        )  # type: ignore[attr-defined]
        if not request.is_api:  # type: ignore[attr-defined]
            return self.get_response(request)
        if request.subdomain is None and host not in settings.IRU_BARE_API_HOSTS:  # type: ignore[attr-defined]
            return JsonResponse(
                {"message": "no Route matched with those values"}, status=404
            )
        if settings.HTTPS and not request.is_secure() and not settings.DEBUG:
            # Not a redirect: the token has crossed the network in the open already, and its owner should learn of it.
            return JsonResponse(
                {
                    "detail": "This API is served over HTTPS only. Replace the token you sent."
                },
                status=403,
            )
        request.urlconf = settings.API_URLCONF
        return self.get_response(request)


class AdministratorMiddleware:
    """Give pages the signed-in administrator's tenant as `request.tenant`, end idle sessions, and answer a lost
    database or a refused sign-in with the page that says so."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        now = int(timezone.now().timestamp())
        seen = request.session.get("seen")
        if seen is not None and now - seen > settings.SESSION_IDLE_TIMEOUT:
            logout(request)
        elif request.user.is_authenticated and (seen is None or now - seen >= 60):
            request.session["seen"] = now
        request.tenant = request.user.tenant if request.user.is_authenticated else None  # type: ignore[attr-defined]
        if request.tenant is not None and not request.tenant.active:  # type: ignore[attr-defined]
            logout(request)
            request.tenant = None  # type: ignore[attr-defined]
        return self.get_response(request)

    def process_exception(
        self, request: HttpRequest, exception: Exception
    ) -> HttpResponse | None:
        if isinstance(exception, TooManyAttempts):
            return errors.too_many_attempts(request, exception)
        if isinstance(exception, OperationalError | InterfaceError):
            return errors.unavailable(request)
        return None
