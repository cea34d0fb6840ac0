"""Error pages. Each one says what happened and what to do next."""

import logging
import math
import sys
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from access.database import Failure, drop_if_read_only, failure_of
from access.http.observing import note_cause
from access.refusals import Refusal

logger = logging.getLogger(__name__)

BODIES = {
    408: ("This form arrived too slowly", "Nothing was changed. Go back and send it once more."),
    411: ("This form came without its length", "Nothing was changed. Use a browser, or send a Content-Length."),
    413: ("This form is too large", "Nothing was changed. Go back, shorten the text, and send it once more."),
    415: ("Files are not accepted here", "Nothing was changed. Go back and send the form without a file."),
    503: ("The server is busy", "Nothing was changed. Go back and send the form once more in a moment."),
}


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _page(request, 400, "This request could not be read", "Go back and try again.")


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _page(
        request,
        403,
        "You do not have access to this page",
        "Access is managed by your Account Owner and Admins. Ask one of them if you need it.",
    )


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return _page(
        request,
        403,
        "This form has expired",
        "Nothing was changed. Load the page again and send the form once more.",
    )


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _page(
        request,
        404,
        "Page not found",
        "It may have been removed, or the address has a typing error.",
    )


def server_error(request: HttpRequest) -> HttpResponse:
    """The page for an exception that no other page is for: `sys.exception()`, wherever it was raised.

    A lost database is one of them. No middleware could answer it: reading or saving the session fails too, and above
    every `process_exception`.
    """
    error = sys.exception()
    drop_if_read_only(error)
    match failure_of(error):
        case Failure.AWAY:
            note_cause(error)
            return unavailable(request)
        case Failure.VALUE:
            # Answered like a form that cannot be read, and logged: some field or parameter has no limit of its own.
            logger.warning("%s %s: the database refused a value: %s", request.method, request.path, error)
            return bad_request(request)
    return _page(
        request,
        500,
        "Something went wrong",
        "The error has been logged. Try again in a moment.",
    )


def refused(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    """The page for a body that was refused before its form was looked at."""
    note_cause(refusal)
    response = _page(request, refusal.status, *BODIES[refusal.status])
    for name, value in refusal.headers().items():
        response[name] = value
    return response


def unavailable(request: HttpRequest) -> HttpResponse:
    """The page for a lost database, made without a query."""
    request.user = AnonymousUser()
    vars(request).pop("_messages", None)
    response = _page(
        request,
        503,
        "The database cannot be reached",
        "Nothing was changed. Try again in a moment.",
    )
    response["Retry-After"] = "5"
    return response


def upgrading(request: HttpRequest) -> HttpResponse:
    """The page while migrations are missing, made without a query."""
    request.user = AnonymousUser()
    response = _page(request, 503, "The server is being upgraded", "Nothing was changed. Try again in a minute.")
    response["Retry-After"] = "5"
    return response


def too_many_attempts(request: HttpRequest, exception: Any) -> HttpResponse:
    minutes = math.ceil(exception.retry_after / 60)
    wait = "a moment" if exception.retry_after < 10 else f"{minutes} minute{'s' if minutes > 1 else ''}"
    response = _page(
        request,
        429,
        "Too many attempts",
        f"To protect accounts, passwords and links pause after ten attempts in five minutes. Try again in {wait}.",
    )
    response["Retry-After"] = str(exception.retry_after)
    return response


def _page(request: HttpRequest, status: int, title: str, advice: str) -> HttpResponse:
    context = {"status": status, "title": title, "advice": advice, "layout": _layout(request, status)}
    return render(request, "error.html", context, status=status)


def _layout(request: HttpRequest, status: int) -> str:
    """The shell for people who have signed in; a bare card for others, and for errors where a query may fail again."""
    if status >= 500 or not hasattr(request, "htmx"):
        return "registration/card.html"
    return "shell.html" if request.user.is_authenticated else "registration/card.html"
