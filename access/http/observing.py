"""The context, the metrics and the span of each request."""

from collections.abc import Callable
from time import perf_counter, time_ns

from django.db import connection
from django.http import HttpRequest, HttpResponse

from access import context, metrics, tracing
from access.context import Context
from access.database import Failure, failure_of
from access.refusals import Refusal

DATABASE = "database"  # the cause of a 503
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}  # other words are whatever a stranger typed


class ObservingMiddleware:
    """Begins the context of each request, and counts it. `access.apps` ends the context when the answer is closed."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        here = context.begin_request(request.META.get("HTTP_TRACEPARENT"))
        start = perf_counter()
        response = self._traced(request, here) if tracing.on() else self.get_response(request)
        metrics.request_seconds.observe(
            perf_counter() - start, operation_of(request, here), f"{response.status_code // 100}xx"
        )
        if response.status_code == 503:
            metrics.unavailable.inc(here.cause or "other")
            if here.cause == DATABASE:
                metrics.database_failures.inc("request")
        return response

    def _traced(self, request: HttpRequest, here: Context) -> HttpResponse:
        start, method = time_ns(), str(request.method)
        with connection.execute_wrapper(context.time_statement):
            response = self.get_response(request)
        tracing.record(
            here,
            operation=operation_of(request, here),
            method=method if method in METHODS else "_OTHER",
            status=response.status_code,
            start=start,
            end=time_ns(),
        )
        return response


def operation_of(request: HttpRequest, here: Context) -> str:
    """The URL name of a page, else the id of an operation, the name of a door, or `other`: one of a fixed number."""
    match = request.resolver_match
    return (match.view_name if match else here.operation) or "other"


def note_cause(error: BaseException | None) -> None:
    """Say that the answer is a 503 because of this error."""
    if isinstance(error, Refusal):
        context.note_cause(error.cause)
    elif failure_of(error) is Failure.AWAY:
        context.note_cause(DATABASE)
    elif isinstance(error, OSError):
        context.note_cause("storage")
