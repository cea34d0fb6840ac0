import json
from typing import Any, Protocol

import pytest

from access.models import ApiToken
from devices.mcp.messages import LEGACY, META_CAPABILITIES, META_REVISION, MODERN, REVISION
from tests.types import Call, IssuedApiToken, IssueToken, Response


class Rpc(Protocol):
    """One request to /mcp: a method with its params, sent as a client of this revision sends it."""

    def __call__(
        self,
        method: str,
        params: dict[str, Any] | None = None,
        token: ApiToken | str | None = None,
        *,
        revision: str = MODERN,
        **options: Any,
    ) -> Response: ...


@pytest.fixture
def rpc(api: Call) -> Rpc:
    def rpc(
        method: str,
        params: dict[str, Any] | None = None,
        token: ApiToken | str | None = None,
        *,
        revision: str = MODERN,
        **options: Any,
    ) -> Response:
        headers = {"accept": "application/json, text/event-stream", REVISION: revision}
        params = dict(params or {})
        if revision == MODERN:
            params.setdefault("_meta", {META_REVISION: MODERN, META_CAPABILITIES: {}})
            headers["Mcp-Method"] = method
            if method == "tools/call" and isinstance(params.get("name"), str) and params["name"].isascii():
                headers["Mcp-Name"] = params["name"]
        headers.update(options.pop("headers", {}))
        message = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}
        # Python's own writer has no limit for the depth of a value.
        options = {"data": json.dumps(message), "content_type": "application/json", **options}
        return api("POST", "/mcp", token, headers=headers, **options)

    return rpc


@pytest.fixture
def mcp_token(issue_token: IssueToken) -> IssueToken:
    """`mcp_token("list_devices")`: a token with these permissions and MCP."""

    def issue(*permissions: str, mcp: bool = True, mcp_sensitive: bool = False, **fields: Any) -> IssuedApiToken:
        token = issue_token(*permissions, **fields)
        token.mcp, token.mcp_sensitive = mcp, mcp_sensitive
        token.save(update_fields=["mcp", "mcp_sensitive"])
        return token

    return issue


BOTH = pytest.mark.parametrize("revision", [LEGACY, MODERN])
