"""JSON-RPC messages, and the two revisions of MCP that they may follow.

Revision 2025-11-25 begins with `initialize`. Since 2026-07-28 every request stands alone: it has its revision and the
client's capabilities in `params._meta`, and repeats its method and the tool's name in headers.
"""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

LEGACY, MODERN = "2025-11-25", "2026-07-28"
REVISIONS = [MODERN, LEGACY]
REVISION = "MCP-Protocol-Version"
# Keys of `_meta` that the protocol reserves.
META_REVISION = "io.modelcontextprotocol/protocolVersion"
META_CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
META_SERVER = "io.modelcontextprotocol/serverInfo"

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
HEADER_MISMATCH = -32020
UNSUPPORTED_REVISION = -32022
# The HTTP status of an error. The earlier revision has one only for messages that are no request.
MODERN_STATUS = {METHOD_NOT_FOUND: 404}
LEGACY_STATUS = {METHOD_NOT_FOUND: 200, INVALID_PARAMS: 200}

_ENCODED = re.compile(r"=\?base64\?(.*)\?=")


class RpcError(Exception):
    """Ends the request with this error of the protocol."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(code, message, data)
        self.code, self.message, self.data = code, message, data

    def body(self, id: str | int | None) -> dict[str, Any]:
        error = {"code": self.code, "message": self.message}
        if self.data is not None:
            error["data"] = self.data
        return {"jsonrpc": "2.0", "id": id, "error": error}

    def status(self, revision: str) -> int:
        return (LEGACY_STATUS if revision == LEGACY else MODERN_STATUS).get(self.code, 400)


@dataclass(frozen=True, slots=True)
class Request:
    """A message that has an answer."""

    id: str | int
    method: str
    params: dict[str, Any]

    @property
    def meta(self) -> dict[str, Any]:
        meta = self.params.get("_meta")
        return meta if isinstance(meta, dict) else {}


def read(body: bytes) -> Request | None:
    """The request in a body; None for a notification or a response, which have no answer. Raises RpcError."""
    try:
        message = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise RpcError(PARSE_ERROR, "The body is not JSON.") from None
    match message:
        case {"jsonrpc": "2.0", "method": str(), "id": bool()}:
            pass
        case {"jsonrpc": "2.0", "method": str(method), "id": str() | int() as id}:
            params = message.get("params")
            if isinstance(params, dict | None):
                return Request(id, method, params or {})
        case {"jsonrpc": "2.0", "method": str()} if "id" not in message:
            return None
        case {"jsonrpc": "2.0", "result": _} | {"jsonrpc": "2.0", "error": _} if "method" not in message:
            return None
    raise RpcError(INVALID_REQUEST, "The body is not one request, notification or response of JSON-RPC 2.0.")


def revision_of(headers: Mapping[str, str]) -> str:
    """The revision in the header. The earlier one, if there is no header: many of its clients send none.

    Raises RpcError for a revision that is not served.
    """
    revision = headers.get(REVISION, LEGACY)
    if revision not in REVISIONS:
        raise RpcError(
            UNSUPPORTED_REVISION, "Unsupported protocol version", {"supported": REVISIONS, "requested": revision}
        )
    return revision


def check_headers(request: Request, headers: Mapping[str, str]) -> None:
    """Raise RpcError unless the headers say the same as the message: a proxy may have decided by the headers alone."""
    named = request.meta.get(META_REVISION)
    if headers.get(REVISION) != MODERN:
        if named is not None and named != headers.get(REVISION):
            raise _mismatch(REVISION)
        return
    if missing := [key for key in (META_REVISION, META_CAPABILITIES) if key not in request.meta]:
        raise RpcError(INVALID_PARAMS, f"params._meta lacks {', '.join(missing)}.")
    if named != MODERN:
        raise _mismatch(REVISION)
    if headers.get("Mcp-Method") != request.method:
        raise _mismatch("Mcp-Method")
    name = request.params.get("name")
    if request.method == "tools/call" and isinstance(name, str) and _decoded(headers.get("Mcp-Name", "")) != name:
        raise _mismatch("Mcp-Name")


def _mismatch(header: str) -> RpcError:
    return RpcError(HEADER_MISMATCH, f"The header {header} is missing, or differs from the message.")


def _decoded(value: str) -> str | None:
    """The value of a header, which may be Base64 in the protocol's own brackets."""
    encoded = _ENCODED.fullmatch(value)
    if encoded is None:
        return value
    try:
        return base64.b64decode(encoded[1], validate=True).decode()
    except ValueError:
        return None
