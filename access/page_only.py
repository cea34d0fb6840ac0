"""Middleware that pages need and the API does not. On an API request each of these steps aside: together they cost more
than answering one device, and an API host neither sets nor reads a cookie."""

from collections.abc import Callable
from typing import Any

from django.contrib.auth import middleware as auth
from django.contrib.messages import middleware as messages
from django.contrib.sessions import middleware as sessions
from django.http import HttpRequest, HttpResponse
from django.middleware import clickjacking, common, csp, csrf, security
from django_htmx import middleware as htmx
from whitenoise import middleware as whitenoise

from access import middleware

GetResponse = Callable[[HttpRequest], HttpResponse]


class PageOnly:
    get_response: GetResponse

    def __call__(self, request: Any) -> HttpResponse:
        if request.is_api:
            return self.get_response(request)
        response: HttpResponse = super().__call__(request)  # type: ignore[misc]
        return response


class SecurityMiddleware(PageOnly, security.SecurityMiddleware):
    pass


class ContentSecurityPolicyMiddleware(PageOnly, csp.ContentSecurityPolicyMiddleware):
    pass


class WhiteNoiseMiddleware(PageOnly, whitenoise.WhiteNoiseMiddleware):
    pass


class SessionMiddleware(PageOnly, sessions.SessionMiddleware):
    pass


class CommonMiddleware(PageOnly, common.CommonMiddleware):
    pass


class CsrfViewMiddleware(PageOnly, csrf.CsrfViewMiddleware):
    def process_view(self, request: Any, *args: Any) -> HttpResponse | None:  # type: ignore[override]
        return None if request.is_api else super().process_view(request, *args)


class AuthenticationMiddleware(PageOnly, auth.AuthenticationMiddleware):
    pass


class AdministratorMiddleware(PageOnly, middleware.AdministratorMiddleware):
    pass


class MessageMiddleware(PageOnly, messages.MessageMiddleware):
    pass


class HtmxMiddleware(PageOnly, htmx.HtmxMiddleware):
    pass


class XFrameOptionsMiddleware(PageOnly, clickjacking.XFrameOptionsMiddleware):
    pass
