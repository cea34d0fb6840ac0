from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson
from django.http import HttpRequest, HttpResponse

JSON = "application/json"


def origin_of(request: HttpRequest) -> str:
    """The scheme and host at which the caller reached the API. Links to files use them too."""
    return f"{request.scheme}://{request.get_host()}"


def json_response(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """`body` as compact JSON."""
    return HttpResponse(
        orjson.dumps(body), content_type=JSON, status=status, headers=dict(headers) if headers else None
    )


def json_text(text: str | bytes, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """A response with JSON text that is rendered already. Status 200."""
    return HttpResponse(text, content_type=JSON, headers=dict(headers) if headers else None)


class ResponseWithHeaders(NamedTuple):
    """The result of an operation together with response headers."""

    result: Any
    headers: Mapping[str, str]


def no_content(status: int) -> HttpResponse:
    """An empty body. It has a content type, because one published client fails on a response without one."""
    return HttpResponse(b"", content_type=JSON, status=status)
