"""Middleware that pages need and the API does not. On an API request each of these steps aside: together they cost more
than answering one device, and an API host neither sets nor reads a cookie."""

from typing import Any

from django.contrib.auth import middleware as auth
from django.contrib.messages import middleware as messages
from django.contrib.sessions import middleware as sessions
from django.http import HttpResponse
from django.middleware import clickjacking, common, csp, csrf, security
from django_htmx import middleware as htmx
from whitenoise import middleware as whitenoise

from access.http import middleware


class PageOnly:
    get_response: Any  # the classes beside this one each have a type of their own for it

    def __call__(self, request: Any) -> HttpResponse:
        response: HttpResponse
        if request.is_api:
            response = self.get_response(request)
            return response
        try:
            response = super().__call__(request)  # type: ignore[misc] # the class beside this one has it
        except middleware.DATABASE_LOST:
            # Reading or saving a session fails here, above the reach of any process_exception.
            return middleware.unavailable(request)
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
    def process_view(self, request: Any, callback: Any, *args: Any) -> Any:
        return None if request.is_api else super().process_view(request, callback, *args)


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
