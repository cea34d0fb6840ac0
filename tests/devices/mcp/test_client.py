"""The official client against a running server: each revision, and tokens that may do nothing, one thing and all."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import anyio.to_thread
import pytest
from django.db import connection
from mcp import Client, MCPError
from mcp.types import CallToolResult, TextContent

from access.audit.events import Actor
from access.models import Tenant
from access.permissions import catalogue
from access.tokens.lifecycle import create_token, revoke_token
from tests.devices.mcp.assistants import connected, run
from tests.devices.mcp.test_tools import READING, SENSITIVE, WITH_FILES
from tests.factories.devices import DeviceFactory
from tests.types import IssuedApiToken

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

COMMAND = Actor.command("test")
EVERYTHING = {each.codename for each in catalogue}
# "legacy" is 2025-11-25, and "auto" asks the server first.
MODES = pytest.mark.parametrize("mode", ["legacy", "2026-07-28", "auto"])


def bearer(token: IssuedApiToken) -> dict[str, str]:
    return {"Authorization": f"Bearer {token.secret}"}


@pytest.fixture
def issue(transactional_db: None, tenant: Tenant) -> Callable[..., Any]:
    def issue(permissions: set[str], **fields: Any) -> Any:
        issued = create_token(
            tenant=tenant, name="assistant", actor=COMMAND, permissions=permissions, mcp=True, **fields
        )
        token: Any = issued.token
        token.secret = issued.secret
        return token

    return issue


async def used(client: Client, name: str, /, **arguments: Any) -> tuple[bool, Any]:
    result = await client.call_tool(name, arguments)
    assert isinstance(result, CallToolResult)
    (first, *_) = result.content
    assert isinstance(first, TextContent)
    if result.structured_content is not None:
        value = json.loads(first.text)
        assert result.structured_content == (value if isinstance(value, dict) else {"result": value})
    return bool(result.is_error), result.structured_content if result.structured_content is not None else first.text


def in_thread(change: Callable[[], Any]) -> Awaitable[Any]:
    """A change in the database, from within the client's event loop."""

    def work() -> None:
        try:
            change()
        finally:
            connection.close()

    return anyio.to_thread.run_sync(work)


@MODES
@pytest.mark.parametrize(
    ("permissions", "sensitive"),
    [(READING - SENSITIVE, False), ({"list_devices"}, False), (EVERYTHING, False), (EVERYTHING, True)],
    ids=["read-only", "one", "all", "all and sensitive"],
)
def test_the_tools_are_the_grid(
    live_server: Any, issue: Any, tenant: Tenant, permissions: set[str], sensitive: bool, mode: str
) -> None:
    DeviceFactory.create(tenant=tenant, name="Ana's Mac")
    token = issue(permissions, mcp_sensitive=sensitive)

    async def scenario() -> None:
        async with connected(f"{live_server.url}/mcp", bearer(token), mode) as client:
            assert client.protocol_version == ("2025-11-25" if mode == "legacy" else "2026-07-28")
            listed = {tool.name for tool in (await client.list_tools()).tools}
            assert listed == permissions - WITH_FILES - (set() if sensitive else SENSITIVE)
            failed, devices = await used(client, "list_devices", limit=10)
            assert not failed
            assert [each["device_name"] for each in devices["result"]] == ["Ana's Mac"]

    run(scenario)


@MODES
def test_a_call_of_each_kind(live_server: Any, issue: Any, tenant: Tenant, mode: str) -> None:
    device = str(DeviceFactory.create(tenant=tenant, name="Ana's Mac").uuid)
    token = issue(EVERYTHING - {"list_users"}, mcp_sensitive=True)

    async def scenario() -> None:
        async with connected(f"{live_server.url}/mcp", bearer(token), mode) as client:
            assert (await used(client, "get_device", device_id=device))[1]["device_name"] == "Ana's Mac"
            assert (await used(client, "create_tag", name="VIP"))[1]["name"] == "VIP"
            assert (await used(client, "update_device", device_id=device, tags=["VIP"]))[1]["tags"] == ["VIP"]
            assert (await used(client, "create_tag", name="VIP"))[0] is True
            failed, profile = await used(client, "download_ade_public_key")
            assert (failed, profile.splitlines()[0]) == (False, "-----BEGIN CERTIFICATE-----")
            assert (await used(client, "delete_device", device_id=device)) == (False, "204 No Content")
            assert (await used(client, "get_device", device_id=device)) == (True, {"detail": "Not found."})
            failed, refusal = await used(client, "list_users")
            assert (failed, refusal["missing_permission"]["path"]) == (True, "/api/v1/users")
            with pytest.raises(MCPError, match="Unknown tool"):
                await client.call_tool("nothing", {})

    run(scenario)
    assert tenant.audit_events.filter(actor_id=str(token.id)).count() == 3


@MODES
def test_a_revocation_ends_it_at_once(live_server: Any, issue: Any, tenant: Tenant, mode: str) -> None:
    token = issue({"list_devices"})

    async def scenario() -> None:
        async with connected(f"{live_server.url}/mcp", bearer(token), mode) as client:
            assert (await used(client, "list_devices"))[0] is False
            await in_thread(lambda: revoke_token(tenant=tenant, token_id=token.id, actor=COMMAND))
            with pytest.raises(MCPError):
                await client.call_tool("list_devices", {})
            with pytest.raises(MCPError):
                await client.list_tools()

    run(scenario)


def test_the_header_of_the_public_product_works(live_server: Any, issue: Any) -> None:
    token = issue({"list_devices"})

    async def scenario() -> None:
        headers = {"X-API-Key": f"sk_live:{token.secret}", "X-MCP-Profile": "default"}
        async with connected(f"{live_server.url}/mcp", headers, "auto") as client:
            assert [tool.name for tool in (await client.list_tools()).tools] == ["list_devices"]

    run(scenario)
