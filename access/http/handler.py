"""Django's handler of requests, with less work around each one."""

from collections.abc import Iterator
from typing import Any

from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.db import connections
from django.http import HttpResponse
from django.http.response import HttpResponseBase

from access.context import end_request


class Handler(WSGIHandler):
    """The application without Django's signals of a request, except for an answer that is streamed.

    Their receivers close what a request may have left. They look through all connections and caches twice for that,
    which takes longer than the query for a token.
    """

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        request = WSGIRequest(environ)
        response: HttpResponseBase = self.get_response(request)
        cookies = [("Set-Cookie", cookie.OutputString()) for cookie in response.cookies.values()]
        start_response(f"{response.status_code} {response.reason_phrase}", [*response.items(), *cookies])
        if not isinstance(response, HttpResponse):
            return response
        return _Answer(request, response)


class _Answer:
    """The content of a response; `close` leaves the thread as it has to be before its next request."""

    def __init__(self, request: WSGIRequest, response: HttpResponse) -> None:
        self._request, self._response = request, response

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._response)

    def close(self) -> None:
        self._request.close()
        for connection in connections.all(initialized_only=True):
            connection.close_if_unusable_or_obsolete()
        end_request()
