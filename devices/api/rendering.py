from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson
from django.http import HttpResponse

JSON = "application/json"


def json_response(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """`body` as compact JSON."""
    return HttpResponse(
        orjson.dumps(body), content_type=JSON, status=status, headers=dict(headers) if headers else None
    )


def json_text(text: str | bytes, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """JSON that was rendered before: sent as it is, with 200."""
    return HttpResponse(text, content_type=JSON, headers=dict(headers) if headers else None)


class ResponseWithHeaders(NamedTuple):
    """What an operation answers, where headers belong to it."""

    result: Any
    headers: Mapping[str, str]


def no_content(status: int) -> HttpResponse:
    """No body. The content type stays, because one published client fails on a response without any."""
    return HttpResponse(b"", content_type=JSON, status=status)
