"""What is said about each request to those who operate the server."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from access.context import begin_request


class ObservingMiddleware:
    """Begins the context of each request. `access.apps` has it ended when the answer is closed."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        begin_request(request.META.get("HTTP_TRACEPARENT"))
        return self.get_response(request)
