import re
from collections.abc import Callable
from functools import cache
from typing import Any, cast
from zoneinfo import available_timezones

from django.conf import settings
from django.contrib.auth import logout
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.request import UnreadablePostError, split_domain_port, validate_host
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.csp import ContentSecurityPolicyMiddleware
from django.middleware.security import SecurityMiddleware
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.module_loading import import_string
from django_htmx.http import HttpResponseClientRedirect

from access.addresses import client_address, is_trusted_proxy, parse, trusted_proxies
from access.context import current, note_operation, note_sender
from access.database import commits, may_repeat, retried
from access.http import errors
from access.http.bodies import read_page
from access.http.requests import RoutedRequest
from access.http.slow_clients import AUTHENTICATED, has_body
from access.models import Administrator
from access.refusals import Refusal
from access.sign_in.attempts import TooManyAttempts, report_refusal
from access.sign_in.second_step import is_missing
from access.sign_in.sessions import SEEN_AT, STARTED_AT, SessionStore

type GetResponse = Callable[[HttpRequest], HttpResponse]
# More slashes than one make the path unknown, not a page. So does any path under /api that no version has.
API_PATH = re.compile(r"/+(?:api|app/+v1)(?:/|\Z)")
FILES_PATH = re.compile(r"/(?:files|tenants)/")
WITHOUT_SECOND_STEP = re.compile(r"/(?:account|theme|session|sign-out|suspended)/")
COMMITS = "iru.commits"  # the number before the view, in the META of a request
# For a rehearsal on a machine whose name for devices nothing resolves: the path names the tenant.
MDM_PATH = re.compile(r"/mdm/(?P<label>[a-z0-9-]{1,63})(?P<path>/.*)")
MCP_PATH = re.compile(r"/mcp/?\Z")


class ProxyMiddleware:
    """Apply X-Forwarded-For and X-Forwarded-Proto of the configured proxies, and ignore them from other clients."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        trusted_proxies()  # a malformed setting stops the start instead of each request

    def __call__(self, request: HttpRequest) -> HttpResponse:
        forwarded_for = request.META.pop("HTTP_X_FORWARDED_FOR", "")
        forwarded_proto = request.META.pop("HTTP_X_FORWARDED_PROTO", "")
        if settings.IRU_TRUSTED_PROXIES and is_trusted_proxy(request.META.get("REMOTE_ADDR", "")):
            # From the right: our proxy wrote the last entry. Entries left of an untrusted address can be forged.
            for text in reversed(forwarded_for.split(",")):
                address = parse(text.strip())
                if address is None:
                    break
                request.META["REMOTE_ADDR"] = str(address)
                if not is_trusted_proxy(str(address)):
                    break
            if forwarded_proto in {"http", "https"}:
                request.META["wsgi.url_scheme"] = forwarded_proto
        return self.get_response(request)


class HostMiddleware:
    """Give each request to the door that its host and path name, and name the tenant that an API host stands for.

    The API is called here, so that it passes none of the middleware below: together they cost more than answering one
    device, and an API host neither sets nor reads a cookie. The same hosts serve uploads and downloads of files, and
    AI assistants. Devices have hosts of their own. Only the hosts of IRU_WEB_HOSTS show pages.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.pages = get_response
        self.api: GetResponse = import_string(settings.IRU_API)
        self.files: GetResponse = import_string(settings.IRU_FILES)
        self.mcp: GetResponse = import_string(settings.IRU_MCP)
        self.mdm: Callable[[HttpRequest, str, str], HttpResponse] = import_string(settings.IRU_MDM)
        self.suffix = f".api.{settings.IRU_DOMAIN}".lower()
        self.mdm_suffix = f".mdm.{settings.IRU_DOMAIN}".lower()
        # No browser or proxy may store records and secrets, also where a person opens them in a browser.
        self.api_headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
        if settings.SECURE_HSTS_SECONDS:
            self.api_headers["Strict-Transport-Security"] = f"max-age={settings.SECURE_HSTS_SECONDS}; includeSubDomains"
        # Those below that set the headers of pages: a page that is refused here does not reach them.
        security = SecurityMiddleware(ContentSecurityPolicyMiddleware(XFrameOptionsMiddleware(errors.bad_request)))
        security.redirect = False  # to a host that is not ours
        self.refuse = cast("GetResponse", security)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request = cast("RoutedRequest", request)
        try:
            host = split_domain_port(request.get_host())[0]
        except DisallowedHost:
            host = ""
        request.subdomain = host.removesuffix(self.suffix) if host.endswith(self.suffix) else None
        # Each door is one condition here.
        if host.endswith(self.mdm_suffix):
            return self._answer_device(request, host.removesuffix(self.mdm_suffix), request.path_info)
        if (path := MDM_PATH.match(request.path_info)) and validate_host(host, settings.IRU_BARE_API_HOSTS):
            return self._answer_device(request, path["label"], path["path"])
        if FILES_PATH.match(request.path_info):
            note_operation("files")
            return self._call_api(request, host, self.files)
        if MCP_PATH.match(request.path_info):
            note_operation("mcp")
            return self._call_api(request, host, self.mcp)
        if self._names_the_api(host) or API_PATH.match(request.path_info):
            return self._call_api(request, host, self.api)
        response = self.pages(request) if validate_host(host, settings.IRU_WEB_HOSTS) else self.refuse(request)
        if context := current():  # not to callers of the API: the public one has no such header
            response.headers["X-Request-Id"] = context.request_id
        return response

    def _answer_device(self, request: HttpRequest, label: str, path: str) -> HttpResponse:
        if settings.HTTPS and not request.is_secure() and not settings.DEBUG:
            return HttpResponse(status=400)  # never 403, which would end an enrollment, and no redirect
        response = self.mdm(request, label, path)
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        return response

    def _names_the_api(self, host: str) -> bool:
        """Whether every path of the host belongs to the API, and is answered in JSON."""
        bare = validate_host(host, settings.IRU_BARE_API_HOSTS) and not validate_host(host, settings.IRU_WEB_HOSTS)
        return bare or f".{host}".endswith(self.suffix)

    def _call_api(self, request: RoutedRequest, host: str, door: GetResponse) -> HttpResponse:
        response = self._answer_call(request, host, door)
        for name, value in self.api_headers.items():
            response.headers.setdefault(name, value)
        return response

    def _answer_call(self, request: RoutedRequest, host: str, door: GetResponse) -> HttpResponse:
        if request.subdomain is None and not validate_host(host, settings.IRU_BARE_API_HOSTS):
            return JsonResponse({"message": "no Route matched with those values"}, status=404)
        if settings.HTTPS and not request.is_secure() and not settings.DEBUG:
            # No redirect: the token was sent in clear already, and its owner has to learn of it.
            return JsonResponse(
                {"detail": "This API is served over HTTPS only. Replace the token you sent."}, status=403
            )
        return door(request)


class HeadMiddleware:
    """Answer a HEAD of a page as its GET, whose views need not name it. The server leaves the body out."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.method != "HEAD":
            return self.get_response(request)
        request.method = "GET"
        response = self.get_response(request)
        request.method = "HEAD"
        return response


class BodyMiddleware:
    """Read the body of a page's request before anything else looks at it, CSRF protection included.

    A body that is too large, too slow or has a file is answered here, with nothing of it on the disk.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Callable[..., Any], *_: Any) -> HttpResponse | None:
        if not has_body(request.META):
            return None
        if request.user.is_authenticated:
            request.META[AUTHENTICATED] = True
        try:
            read_page(request, view, signed_in=request.user.is_authenticated)
        except UnreadablePostError:
            return errors.bad_request(request)
        except Refusal as refusal:
            return errors.refused(request, refusal)
        return None


class RetryMiddleware:
    """Run a view once more whose transaction PostgreSQL gave up for another one. It is the last middleware."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *_: Any) -> None:
        request.META[COMMITS] = commits()

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if request.resolver_match is None or not may_repeat(exception, request.META[COMMITS]):
            return None
        if request.FILES:  # which can be read once
            return None
        view, arguments, named = request.resolver_match
        try:
            return retried(lambda: cast("HttpResponse", view(request, *arguments, **named)))
        except Exception:  # noqa: BLE001 - the first one is answered: the same request may succeed in a moment
            return None


class TimeZoneMiddleware:
    """Have times written, and dates read, in the time zone that the browser names in its cookie (`zone.js`)."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        zone = request.COOKIES.get("zone", "")
        with timezone.override(zone if zone in _zones() else None):
            return self.get_response(request)


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


class AdministratorMiddleware:
    """Set `request.tenant` for pages, end idle and old sessions, and answer 429 to too many password attempts."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        person = request.user
        if isinstance(person, Administrator):
            now = int(timezone.now().timestamp())
            seen = request.session.get(SEEN_AT, now)
            # Saving a session moves its expiry date, so its age is counted from the sign-in.
            age = now - request.session.get(STARTED_AT, 0)
            if now - seen > settings.SESSION_IDLE_TIMEOUT or age > settings.SESSION_COOKIE_AGE:
                logout(request)
            elif SEEN_AT not in request.session or now - seen >= 60:
                cast("SessionStore", request.session).touch(SEEN_AT, now)
        # AdministratorBackend has read the tenant with the person, and returns no person of an inactive tenant.
        request.tenant = tenant = getattr(request.user, "tenant", None)  # type: ignore[attr-defined] # PageRequest declares it
        if tenant is not None:
            note_sender(tenant.subdomain)
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *_: Any) -> HttpResponse | None:
        """Lead people who have to set up two-step verification to it, from every page but those they need for it."""
        if WITHOUT_SECOND_STEP.match(request.path_info) or not is_missing(request):
            return None
        if "HX-Request" in request.headers:  # a redirect would end up inside the page; this one replaces it
            return HttpResponseClientRedirect(reverse("account"))
        return redirect("account")

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, TooManyAttempts):
            return None
        report_refusal(exception, client_address(request))
        return errors.too_many_attempts(request, exception)
