"""The entry point for AI assistants: the API's operations as tools, by the Model Context Protocol (MCP).

HostMiddleware calls it at /mcp on the hosts of the API. It has no sessions and no streams: each message is answered by
itself, in JSON. docs/decisions/mcp.md has the reasons.
"""

from collections.abc import Callable
from typing import Any, cast

from django.conf import settings
from django.http import HttpResponse

from access.http.bodies import BodyStream
from access.http.requests import RoutedRequest
from access.labels import PRODUCT
from access.refusals import Refusal
from devices.api import errors
from devices.api.errors import ApiError
from devices.api.identity import ApiRequest, identify, with_limits
from devices.api.rendering import JSON, json_response, origin_of
from devices.mcp import calls, messages
from devices.mcp.messages import LEGACY, MODERN, Request, RpcError
from devices.mcp.tools import listed, tools

SERVER = {"name": "iru-endpoint", "title": PRODUCT, "version": "1"}
CAPABILITIES: dict[str, Any] = {"tools": {}}
INSTRUCTIONS = """\
The devices of one organization, with their users, blueprints, library and tags. Each tool is an operation of the
organization's API, and is listed only if the token may call it. Lists come in pages: ask for few rows with `limit`,
filter where you can, and go on with `offset`, `page` or `cursor`. Tools that change something act at once: ask the
person first.
"""
KEY_PREFIX = "sk_live:"  # before the token in X-API-Key, in configurations of the public product
SHOWN = 100  # characters of a name in an error
# A client asks again each time, because a permission may have been taken away since.
NOT_CACHED = {"ttlMs": 0, "cacheScope": "private"}

type Method = Callable[[ApiRequest, dict[str, Any]], dict[str, Any] | HttpResponse]


class McpOff(Refusal):
    status = 403

    def __init__(self) -> None:
        super().__init__("MCP is off for this token. An administrator can enable it for the token, under Access.")


def mcp(request: RoutedRequest) -> HttpResponse:
    """Answer one message. Errors outside the protocol have the bodies of the API."""
    called = cast("ApiRequest", request)
    try:
        response = _answer(called)
    except Exception as error:  # noqa: BLE001 - every error is answered in JSON
        response = errors.answer(request, error).response()
    return with_limits(called, response)


def _answer(request: ApiRequest) -> HttpResponse:
    if request.headers.get("Origin", origin_of(request)) != origin_of(request):
        # A page of another site could reach a server in its visitor's network.
        raise ApiError(403, {"detail": "Calls from pages of other sites are refused."})
    if "HTTP_AUTHORIZATION" not in request.META and (key := request.META.get("HTTP_X_API_KEY")):
        request.META["HTTP_AUTHORIZATION"] = f"Bearer {key.removeprefix(KEY_PREFIX)}"
    identify(request, "mcp")
    if not request.token.mcp:
        raise McpOff
    if request.method != "POST":
        raise errors.method_not_allowed(str(request.method), "POST")
    if not request.accepts(JSON):
        raise ApiError(406, {"detail": f"The answer is {JSON}, which the request does not accept."})
    if request.content_type != JSON:
        raise errors.unsupported_media_type(request.META.get("CONTENT_TYPE", ""))
    return _respond(request, BodyStream(request, settings.DATA_UPLOAD_MAX_MEMORY_SIZE).read_all())


def _respond(request: ApiRequest, body: bytes) -> HttpResponse:
    message, revision = None, MODERN
    try:
        revision = messages.revision_of(request.headers)
        message = messages.read(body)
        if message is None:
            return HttpResponse(status=202)
        messages.check_headers(message, request.headers)
        result = _result(request, message, revision)
    except RpcError as error:
        return json_response(error.body(message.id if message else None), error.status(revision))
    if isinstance(result, HttpResponse):
        return result
    return json_response({"jsonrpc": "2.0", "id": message.id, "result": result})


def _result(request: ApiRequest, message: Request, revision: str) -> dict[str, Any] | HttpResponse:
    method = METHODS[revision].get(message.method)
    if method is None:
        raise RpcError(messages.METHOD_NOT_FOUND, f"Method not found: {message.method[:SHOWN]}")
    result = method(request, message.params)
    if revision == MODERN and isinstance(result, dict):
        result |= {"resultType": "complete", "_meta": {messages.META_SERVER: SERVER}}
    return result


def _initialize(request: ApiRequest, params: dict[str, Any]) -> dict[str, Any]:
    # A client that does not speak the revision that is answered here ends the connection.
    return {
        "protocolVersion": LEGACY,
        "capabilities": CAPABILITIES,
        "serverInfo": SERVER,
        "instructions": INSTRUCTIONS,
    }


def _discover(request: ApiRequest, params: dict[str, Any]) -> dict[str, Any]:
    return {
        "supportedVersions": messages.REVISIONS,
        "capabilities": CAPABILITIES,
        "instructions": INSTRUCTIONS,
        **NOT_CACHED,
    }


def _ping(request: ApiRequest, params: dict[str, Any]) -> dict[str, Any]:
    return {}


def _list_tools(request: ApiRequest, params: dict[str, Any]) -> dict[str, Any]:
    if params.get("cursor") is not None:
        raise RpcError(messages.INVALID_PARAMS, "There is no such cursor: all tools are on one page.")
    return {"tools": listed(request.token)}


def _list_tools_uncached(request: ApiRequest, params: dict[str, Any]) -> dict[str, Any]:
    return {**_list_tools(request, params), **NOT_CACHED}


def _call_tool(request: ApiRequest, params: dict[str, Any]) -> dict[str, Any] | HttpResponse:
    name, arguments = params.get("name"), params.get("arguments")
    if not isinstance(name, str) or name not in tools():
        shown = name[:SHOWN] if isinstance(name, str) else "its name is not a text"
        raise RpcError(messages.INVALID_PARAMS, f"Unknown tool: {shown}")
    if not isinstance(arguments, dict | None):
        raise RpcError(messages.INVALID_PARAMS, "The arguments of a tool are an object.")
    return calls.call(request, tools()[name], arguments or {})


METHODS: dict[str, dict[str, Method]] = {
    LEGACY: {"initialize": _initialize, "ping": _ping, "tools/list": _list_tools, "tools/call": _call_tool},
    MODERN: {"server/discover": _discover, "tools/list": _list_tools_uncached, "tools/call": _call_tool},
}
