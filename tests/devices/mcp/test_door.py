"""The wire of /mcp: who may speak, in which revision, and how what is not understood is answered."""

import uuid
from typing import Any

import pytest

from access.models import ApiToken, Tenant
from devices.mcp.messages import LEGACY, META_CAPABILITIES, META_REVISION, MODERN, REVISION, REVISIONS
from devices.mcp.tools import tools
from tests.devices.mcp.conftest import BOTH, Rpc
from tests.factories.access import ApiTokenFactory
from tests.types import Call, IssueToken, Response

META = {META_REVISION: MODERN, META_CAPABILITIES: {}}


def error(response: Response) -> tuple[int, int]:
    """The HTTP status, and the code of the protocol's error."""
    return response.status_code, response.json()["error"]["code"]


@BOTH
def test_a_list_of_tools_is_one_json_answer(rpc: Rpc, mcp_token: IssueToken, revision: str) -> None:
    answer = rpc("tools/list", token=mcp_token("list_devices"), revision=revision)
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/json"
    assert answer["Cache-Control"] == "no-store"
    assert "Mcp-Session-Id" not in answer.headers
    assert not answer.cookies
    body = answer.json()
    assert (body["jsonrpc"], body["id"]) == ("2.0", 7)
    assert [tool["name"] for tool in body["result"]["tools"]] == ["list_devices"]


def test_each_revision_begins_in_its_own_way(rpc: Rpc, mcp_token: IssueToken) -> None:
    token = mcp_token()
    hello = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    begun = rpc("initialize", hello, token, revision=LEGACY).json()["result"]
    assert (begun["protocolVersion"], begun["capabilities"]) == (LEGACY, {"tools": {}})
    assert begun["serverInfo"]["name"]
    other = rpc("initialize", {**hello, "protocolVersion": "2024-11-05"}, token, revision=LEGACY).json()
    assert other["result"]["protocolVersion"] == LEGACY
    assert rpc("ping", token=token, revision=LEGACY).json()["result"] == {}

    found = rpc("server/discover", token=token).json()["result"]
    assert (found["supportedVersions"], found["capabilities"]) == (REVISIONS, {"tools": {}})
    assert (found["resultType"], found["cacheScope"], found["ttlMs"]) == ("complete", "private", 0)


@pytest.mark.parametrize("method", ["resources/list", "prompts/list", "sampling/createMessage", "", "tools/List"])
def test_an_unknown_method_is_the_error_of_the_protocol(rpc: Rpc, mcp_token: IssueToken, method: str) -> None:
    token = mcp_token()
    assert error(rpc(method, token=token)) == (404, -32601)
    assert error(rpc(method, token=token, revision=LEGACY)) == (200, -32601)


def test_a_method_of_the_other_revision_is_unknown(rpc: Rpc, mcp_token: IssueToken) -> None:
    token = mcp_token()
    assert error(rpc("initialize", token=token)) == (404, -32601)
    assert error(rpc("ping", token=token)) == (404, -32601)
    assert error(rpc("server/discover", token=token, revision=LEGACY)) == (200, -32601)


@pytest.mark.parametrize(
    "message",
    [
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}},
        {"jsonrpc": "2.0", "id": 7, "result": {}},
        {"jsonrpc": "2.0", "id": 7, "error": {"code": 1, "message": "no"}},
    ],
)
def test_notifications_and_responses_are_accepted_without_an_answer(
    api: Call, mcp_token: IssueToken, message: dict[str, Any]
) -> None:
    answer = api("POST", "/mcp", mcp_token(), json=message)
    assert (answer.status_code, answer.content) == (202, b"")


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b" ", -32700),
        (b"{", -32700),
        (b'"\\ud800"', -32700),
        (b"[" * 100_000, -32700),
        (b"[]", -32600),
        (b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', -32600),  # a batch
        (b"null", -32600),
        (b"{}", -32600),
        (b'{"jsonrpc":"1.0","id":1,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":true,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":{},"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":7}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}', -32600),
    ],
)
def test_what_is_no_message_is_refused(api: Call, mcp_token: IssueToken, sent: bytes, code: int) -> None:
    answer = api("POST", "/mcp", mcp_token(), data=sent, content_type="application/json")
    assert error(answer) == (400, code)
    assert answer.json()["id"] is None


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "OPTIONS"])
def test_there_is_no_stream_and_no_session(api: Call, mcp_token: IssueToken, method: str) -> None:
    answer = api(method, "/mcp", mcp_token(), headers={"accept": "text/event-stream"})
    assert (answer.status_code, answer["Allow"]) == (405, "POST")
    assert answer.json() == {"detail": f'Method "{method}" not allowed.'}


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://elsewhere.api.iru.test", "", "x"])
def test_a_foreign_origin_is_refused_before_all_else(rpc: Rpc, mcp_token: IssueToken, origin: str) -> None:
    for token in (mcp_token("list_devices"), None):
        assert rpc("tools/list", token=token, headers={"origin": origin}).status_code == 403


def test_its_own_origin_is_none_of_them(rpc: Rpc, mcp_token: IssueToken, tenant: Tenant) -> None:
    assert rpc("tools/list", token=mcp_token(), headers={"origin": tenant.api_origin}).status_code == 200


@pytest.mark.parametrize("revision", ["1900-01-01", "2025-06-18", "2026-07-28 ", "x", "", "é"])
def test_an_unknown_revision_is_a_400_that_names_the_known_ones(
    rpc: Rpc, api: Call, mcp_token: IssueToken, revision: str
) -> None:
    answer = rpc("tools/list", token=mcp_token(), revision=revision)
    assert error(answer) == (400, -32022)
    assert answer.json()["error"]["data"]["supported"] == REVISIONS
    notification = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    assert api("POST", "/mcp", mcp_token(), json=notification, headers={REVISION: revision}).status_code == 400


@pytest.mark.parametrize(
    ("params", "headers", "code"),
    [
        ({"_meta": {}}, {}, -32602),
        ({"_meta": {META_REVISION: MODERN}}, {}, -32602),
        ({"_meta": "x"}, {}, -32602),
        ({"_meta": {**META, META_REVISION: LEGACY}}, {}, -32020),
        ({"_meta": {**META, META_REVISION: None}}, {}, -32020),
        ({}, {"Mcp-Method": "tools/list"}, -32020),
        ({}, {"Mcp-Method": ""}, -32020),
        ({}, {"Mcp-Name": "get_device"}, -32020),
        ({}, {"Mcp-Name": "=?base64?!?="}, -32020),
        ({"_meta": META}, {REVISION: LEGACY}, -32020),
    ],
)
def test_headers_that_differ_from_the_message_are_refused(
    rpc: Rpc, mcp_token: IssueToken, params: dict[str, Any], headers: dict[str, str], code: int
) -> None:
    token = mcp_token("list_devices")
    assert error(rpc("tools/call", {"name": "list_devices", **params}, token, headers=headers)) == (400, code)


def test_a_name_in_a_header_may_be_base64(rpc: Rpc, mcp_token: IssueToken) -> None:
    headers = {"Mcp-Name": "=?base64?bGlzdF9kZXZpY2Vz?="}
    answer = rpc("tools/call", {"name": "list_devices"}, mcp_token("list_devices"), headers=headers)
    assert answer.json()["result"]["isError"] is False


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"accept": "text/event-stream"}, 406),
        ({"accept": "text/html"}, 406),
        ({"accept": "*/*"}, 200),
        ({"accept": "application/*"}, 200),
    ],
)
def test_the_client_has_to_accept_json(rpc: Rpc, mcp_token: IssueToken, headers: dict[str, str], status: int) -> None:
    assert rpc("tools/list", token=mcp_token(), headers=headers).status_code == status


@pytest.mark.parametrize("content_type", ["text/plain", "multipart/form-data", "application/x-www-form-urlencoded", ""])
def test_the_client_has_to_send_json(rpc: Rpc, mcp_token: IssueToken, content_type: str) -> None:
    assert rpc("tools/list", token=mcp_token(), content_type=content_type).status_code == 415


def test_a_body_over_the_limit_is_a_413(rpc: Rpc, mcp_token: IssueToken, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    assert rpc("tools/list", token=mcp_token()).status_code == 413


# --- Who may speak ----------------------------------------------------------------------------------------------------


def test_a_refused_token_gets_the_answer_of_the_api(
    rpc: Rpc, api: Call, mcp_token: IssueToken, tenant: Tenant, other_tenant: Tenant
) -> None:
    foreign: Any = ApiTokenFactory.create(tenant=other_tenant)
    ApiToken.objects.update(mcp=True)
    sent: list[Any] = [None, "", "garbage", str(uuid.uuid4()), foreign.secret]
    sent += [mcp_token(revoked=True), mcp_token(expired=True)]
    for token in sent:
        here = rpc("tools/list", token=token, host=tenant.api_host)
        there = api("GET", "/api/v1/devices", token, host=tenant.api_host)
        assert here.status_code == 401
        assert (here.status_code, here.content, dict(here.headers)) == (
            there.status_code,
            there.content,
            dict(there.headers),
        )
        for answer in (rpc("x", token=token, host=tenant.api_host), api("GET", "/mcp", token, host=tenant.api_host)):
            assert answer.content == here.content


def test_an_unknown_tenant_gets_the_answer_of_the_api(rpc: Rpc, mcp_token: IssueToken, tenant: Tenant) -> None:
    token = mcp_token()
    Tenant.objects.filter(pk=tenant.pk).update(active=False)
    answer = rpc("tools/list", token=token)
    assert (answer.status_code, answer.json()) == (404, {"error": "tenantNotFound"})


def test_the_token_may_come_as_in_configurations_of_the_public_product(rpc: Rpc, mcp_token: IssueToken) -> None:
    token = mcp_token("list_devices")
    host = token.tenant.api_host
    profile = {"X-MCP-Profile": "default"}
    for key in (f"sk_live:{token.secret}", token.secret):
        assert rpc("tools/list", host=host, headers={"X-API-Key": key, **profile}).status_code == 200
    for key in ("sk_live:", "sk_live:x", f"sk_test:{token.secret}", ""):
        assert rpc("tools/list", host=host, headers={"X-API-Key": key}).status_code == 401
    # The other header comes first, as the API has no second one.
    assert rpc("tools/list", token="x", host=host, headers={"X-API-Key": token.secret}).status_code == 401


def test_the_api_does_not_take_that_header(api: Call, mcp_token: IssueToken) -> None:
    token = mcp_token("list_devices")
    headers = {"X-API-Key": f"sk_live:{token.secret}"}
    assert api("GET", "/api/v1/devices", host=token.tenant.api_host, headers=headers).status_code == 401


@BOTH
@pytest.mark.parametrize("method", ["initialize", "server/discover", "ping", "tools/list", "tools/call", "x"])
def test_a_token_without_mcp_is_refused_whatever_it_asks(
    rpc: Rpc, api: Call, mcp_token: IssueToken, revision: str, method: str
) -> None:
    token = mcp_token(*tools(), mcp=False, mcp_sensitive=True)
    answer = rpc(method, {"name": "list_devices"}, token, revision=revision)
    assert answer.status_code == 403
    assert answer.json()["detail"].startswith("MCP is off for this token.")
    assert api("GET", "/api/v1/devices", token).status_code == 200


def test_plain_http_is_refused_as_by_the_api(rpc: Rpc, mcp_token: IssueToken, settings: Any) -> None:
    settings.HTTPS = True
    answer = rpc("tools/list", token=mcp_token())
    assert answer.status_code == 403
    assert "HTTPS only" in answer.json()["detail"]


def test_other_hosts_do_not_have_it(rpc: Rpc, api: Call, mcp_token: IssueToken, settings: Any) -> None:
    settings.IRU_BARE_API_HOSTS = ["localhost"]
    token = mcp_token()
    assert rpc("tools/list", token=token, host="localhost").status_code == 200
    assert rpc("tools/list", token=token, host="127.0.0.1").status_code == 404
    for path in ("/mcp/x", "//mcp", "/mcp//", "/MCP"):
        assert api("POST", path, token).json() == {"message": "no Route matched with those values"}
    assert api("POST", "/mcp/", token).status_code == 415


def test_an_unexpected_error_is_a_json_500(
    rpc: Rpc, mcp_token: IssueToken, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise LookupError("nothing")

    monkeypatch.setattr("devices.mcp.door.listed", fail)
    answer = rpc("tools/list", token=mcp_token())
    assert (answer.status_code, answer.json()) == (500, {"message": "An unexpected error occurred"})
    assert "LookupError" in caplog.text
