"""Calls of tools: the arguments become a request of the API, and its response the result of the tool."""

from base64 import b64encode
from http import HTTPStatus
from typing import Any

import orjson
from django.http import HttpResponse

from devices.api import api, errors, idempotency
from devices.api.calls import request_for
from devices.api.errors import ApiError
from devices.api.identity import ApiRequest
from devices.api.rendering import JSON
from devices.mcp.tools import IDEMPOTENCY_KEY, Tool

LARGEST = 512 * 1024  # bytes of an answer; more than that no assistant can read at once
# What describes the body of the outer request, and nothing of the inner one.
OUTER = {"HTTP_TRANSFER_ENCODING", "HTTP_ACCEPT", "CONTENT_TYPE"}

type Result = dict[str, Any]


def call(request: ApiRequest, tool: Tool, arguments: dict[str, Any]) -> Result | HttpResponse:
    """The result of a tool. A token that ended during the call gets the API's 401 itself.

    The operation has the same guard as for every other caller. Of a token without the permission, which the guard
    refuses, the arguments are not looked at.
    """
    try:
        if tool.held_by(request.token):
            _check(request, tool, arguments)
        else:
            arguments = {}
        parameters = {name: _text(arguments.get(name, "")) for name in tool.path}
        inner = _request(request, tool, arguments, parameters)
    except ApiError as error:
        return _result(tool, error.response())
    response = api.call(tool.operation, inner, parameters)
    return response if response.status_code == HTTPStatus.UNAUTHORIZED else _result(tool, response)


def _check(request: ApiRequest, tool: Tool, arguments: dict[str, Any]) -> None:
    if not tool.allowed_for(request.token):
        raise ApiError(403, {"detail": "Sensitive tools are not allowed for this token. Ask an administrator."})
    # The API ignores names that it does not know. A person sees a misspelled filter; an assistant would believe the
    # answer, so it is named.
    messages = {name: ["This tool has no such argument."] for name in sorted(arguments.keys() - tool.arguments)}
    messages |= {name: ["This field is required."] for name in sorted(tool.path) if arguments.get(name) in (None, "")}
    if messages:
        raise ApiError(400, messages)


def _request(outer: ApiRequest, tool: Tool, arguments: dict[str, Any], parameters: dict[str, str]) -> ApiRequest:
    """The request that a client of the API would have sent, by the sender of `outer`."""
    given = {name: value for name, value in arguments.items() if name in tool.body}
    body = _json(given) if tool.operation.body is not None else b""
    environ = {name: value for name, value in outer.META.items() if name not in OUTER}
    if tool.operation.creates and arguments.get(IDEMPOTENCY_KEY) is not None:
        environ[f"HTTP_{idempotency.HEADER.upper().replace('-', '_')}"] = _text(arguments[IDEMPOTENCY_KEY])
    query = {name: _text(arguments[name]) for name in tool.query if arguments.get(name) is not None}
    return request_for(
        tool.operation,
        environ,
        subdomain=outer.subdomain,
        token=outer.token,
        parameters=parameters,
        query=query,
        body=body,
    )


def _text(value: Any) -> str:
    """A value as it stands in a path or a query: the parts of a list are separated by commas."""
    match value:
        case str():
            return value
        case list():
            return ",".join(each if isinstance(each, str) else _json(each).decode() for each in value)
        case _:
            return _json(value).decode()


def _json(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        # It reads deeper values than it writes.
        raise ApiError(400, {"detail": "A value is nested too deeply."}) from None


def _result(tool: Tool, response: HttpResponse) -> Result:
    body, failed = response.content, response.status_code >= HTTPStatus.BAD_REQUEST
    if len(body) > LARGEST and tool.operation.method == "GET":
        return _result(tool, _too_large(len(body)).response())
    result: Result = {"isError": failed}
    if not body:
        texts = [f"{response.status_code} {HTTPStatus(response.status_code).phrase}"]
    else:
        try:
            texts = [body.decode()]
        except UnicodeDecodeError:
            return {"content": [_file(tool, response)], **result}
        if response.headers["Content-Type"] == JSON:
            # Always an object, as the earlier revision has it.
            value = orjson.Fragment(body)
            result["structuredContent"] = value if body.startswith(b"{") else {"result": value}
    named = (*tool.operation.doc.headers, idempotency.REPLAYED)
    headers = [f"{name}: {response[name]}" for name in named if name in response.headers]
    texts += ["\n".join(headers)] if headers else []
    return {"content": [{"type": "text", "text": text} for text in texts], **result}


def _file(tool: Tool, response: HttpResponse) -> dict[str, Any]:
    """An answer that is no text, as MCP has it: a resource inside the answer."""
    return {
        "type": "resource",
        "resource": {
            "uri": f"iru:{tool.operation.id}",
            "mimeType": response.headers["Content-Type"],
            "blob": b64encode(response.content).decode(),
        },
    }


def _too_large(size: int) -> ApiError:
    detail = (
        f"The answer has {size:,} bytes, and a tool answers at most {LARGEST:,}. Ask for fewer rows or filter them."
    )
    return ApiError(errors.too_large().status, {"detail": detail})
