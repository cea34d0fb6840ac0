"""Calls of the API by other doors: a request for one operation, and its answer, without the network."""

from collections.abc import Mapping
from io import BytesIO
from typing import Any, cast
from urllib.parse import urlencode

from django.core.handlers.wsgi import WSGIRequest

from access.tokens.authentication import LiveToken
from devices.api.identity import ApiRequest
from devices.api.rendering import JSON
from devices.api.routing import Operation


def request_for(
    operation: Operation,
    environ: Mapping[str, Any],
    *,
    subdomain: str | None,
    token: LiveToken,
    parameters: Mapping[str, str],
    query: Mapping[str, str],
    body: bytes = b"",
) -> ApiRequest:
    """The request that a client of the API would have sent with this token. `environ` has the variables of its sender.

    `Api.call` answers it. It has the guard of every other call, except that the token needs no secret.
    """
    path = operation.path.format(**parameters)
    inner = cast(
        "ApiRequest",
        WSGIRequest(
            {
                **environ,
                **({"CONTENT_TYPE": JSON} if operation.body is not None else {}),
                "REQUEST_METHOD": operation.method,
                "PATH_INFO": path.encode().decode("latin-1"),  # as WSGI has it
                "QUERY_STRING": urlencode(query),
                "CONTENT_LENGTH": str(len(body)),
                "wsgi.input": BytesIO(body),
            }
        ),
    )
    inner.subdomain, inner.token, inner.tenant = subdomain, token, token.tenant
    return inner
