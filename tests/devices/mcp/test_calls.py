"""A tool call is a call to the API: the same guard, answer, audit and refusals."""

import re
import uuid
from base64 import b64decode
from typing import Any

import orjson
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from access.audit.events import Actor
from access.models import ApiToken, AuditEvent, Tenant
from access.tokens.lifecycle import revoke_token
from devices.api.operations.blueprints import PROFILE
from devices.mcp import calls
from devices.mcp.tools import tools
from devices.wire import cms
from tests.devices.api import examples
from tests.devices.api.examples import EVERY_PERMISSION
from tests.devices.api.test_revoked_meanwhile import CHANGES, after_authentication
from tests.devices.mcp.conftest import BOTH, Rpc
from tests.factories.access import ApiTokenFactory
from tests.factories.devices import BlueprintFactory, DeviceFactory, PushCertificateFactory, TagFactory
from tests.types import Call, IssuedApiToken, IssueToken, Response

TOOLS = list(tools())
SENSITIVE = [name for name, tool in tools().items() if tool.permission.sensitive]

# A call becomes a request for its operation, and the tests of the operations run on both databases.
once = pytest.mark.sqlite_only


@pytest.fixture
def use(rpc: Rpc) -> Any:
    """`use(name, arguments, token)`: the result of one tool call."""

    def use(name: str, arguments: dict[str, Any] | None, token: IssuedApiToken, **options: Any) -> dict[str, Any]:
        answer = rpc("tools/call", {"name": name, "arguments": arguments}, token, **options)
        assert answer.status_code == 200, answer.content
        result: dict[str, Any] = answer.json()["result"]
        return result

    return use


def arguments_for(name: str, tenant: Tenant) -> dict[str, Any]:
    operation = tools()[name].operation
    ids = {key: str(value) for key, value in examples.objects(operation, tenant).items()}
    required = examples._required(operation.query) if operation.query else {}
    return {**ids, **required, **(CHANGES.get(name) or examples.body(operation) or {})}


def content(response: Response) -> Any:
    return response.json() if response["Content-Type"] == "application/json" else response.content.decode()


def unsigned(answer: Any) -> str:
    """The answer as text, without the signatures of links, which end at a time."""
    return re.sub(r"auth=[\w.-]+", "auth=", str(answer))


def said(result: dict[str, Any]) -> Any:
    """The result as the API would have answered it."""
    if "structuredContent" not in result:
        return result["content"][0]["text"]
    structured = result["structuredContent"]
    assert isinstance(structured, dict)
    whole = orjson.loads(result["content"][0]["text"])
    assert structured == (whole if isinstance(whole, dict) else {"result": whole})
    return whole


@pytest.mark.slow
@once
@pytest.mark.parametrize("name", TOOLS)
def test_a_tool_answers_as_its_operation(name: str, use: Any, api: Call, mcp_token: IssueToken, tenant: Tenant) -> None:
    operation = tools()[name].operation
    token = mcp_token(name, mcp_sensitive=True)
    arguments = arguments_for(name, tenant)
    result = use(name, arguments, token)
    assert result["isError"] is False
    if operation.doc.media_type == PROFILE:  # each has a new ticket, and is no text: the test of resources reads one
        assert result["content"][0]["resource"]["mimeType"] == PROFILE
        return
    assert result["content"][0]["type"] == "text"
    if operation.method == "GET":
        ids = {key: arguments[key] for key in examples.parameters(operation)}
        assert unsigned(said(result)) == unsigned(content(api("GET", examples.path(operation, ids), token)))
    else:
        assert AuditEvent.objects.filter(actor_id=str(token.id)).exists()


@pytest.mark.slow
@once
@pytest.mark.parametrize("name", TOOLS)
def test_without_its_permission_it_is_refused_as_by_the_api(name: str, use: Any, mcp_token: IssueToken) -> None:
    operation = tools()[name].operation
    others = [codename for codename in EVERY_PERMISSION if codename != name]
    for arguments in ({}, None, {"nonsense": 1}):
        result = use(name, arguments, mcp_token(*others, mcp_sensitive=True))
        assert result["isError"] is True
        assert said(result) == {
            "detail": "You do not have permission to perform this action.",
            "missing_permission": {
                "http_method": operation.method,
                "path": operation.path,
                "label": operation.label,
            },
            "permission": name,
            "permissions_url": said(result)["permissions_url"],
        }


@pytest.mark.slow
@once
@pytest.mark.parametrize("name", SENSITIVE)
def test_a_sensitive_tool_needs_the_switch_too(name: str, use: Any, mcp_token: IssueToken, tenant: Tenant) -> None:
    arguments = arguments_for(name, tenant)
    refused = use(name, arguments, mcp_token(*EVERY_PERMISSION))
    assert refused["isError"] is True
    assert said(refused)["detail"].startswith("Sensitive tools are not allowed for this token.")
    assert not AuditEvent.objects.filter(actor_type=AuditEvent.ActorType.API_TOKEN).exists()
    assert use(name, arguments, mcp_token(name, mcp_sensitive=True))["isError"] is False


@pytest.mark.slow
@once
@pytest.mark.parametrize("name", [name for name in TOOLS if examples.parameters(tools()[name].operation)])
def test_an_object_of_another_tenant_is_not_found(
    name: str, use: Any, mcp_token: IssueToken, tenant: Tenant, other_tenant: Tenant
) -> None:
    token = mcp_token(*EVERY_PERMISSION, mcp_sensitive=True)
    own = arguments_for(name, tenant)
    foreign = examples.objects(tools()[name].operation, other_tenant)
    for parameter, value in foreign.items():
        for other in (str(value), str(uuid.uuid4()), "no-id", "../..", f"{own[parameter]}/secrets/filevaultkey", 7):
            result = use(name, {**own, parameter: other}, token)
            assert (result["isError"], said(result)) == (True, {"detail": "Not found."})


@BOTH
def test_an_array_is_wrapped_and_its_headers_follow(
    use: Any, mcp_token: IssueToken, tenant: Tenant, revision: str
) -> None:
    first, second = DeviceFactory.create(tenant=tenant, name="a"), DeviceFactory.create(tenant=tenant, name="b")
    result = use("list_devices", {"limit": 1, "ordering": "device_name"}, mcp_token("list_devices"), revision=revision)
    assert [each["device_name"] for each in result["structuredContent"]["result"]] == ["a"]
    total, pages, link = result["content"][1]["text"].splitlines()
    assert (total, pages) == ("X-Total-Count: 2", "X-Total-Pages: 2")
    assert "/api/v1/devices?" in link
    assert "offset=1" in link
    assert first.tenant == second.tenant


def test_arguments_become_query_parameters_of_every_kind(use: Any, mcp_token: IssueToken, tenant: Tenant) -> None:
    token = mcp_token("list_devices")
    loaner, spare = TagFactory.create(tenant=tenant, name="loaner"), TagFactory.create(tenant=tenant, name="spare & 1")
    DeviceFactory.create(tenant=tenant, name="one", tags=[loaner], filevault_enabled=True)
    DeviceFactory.create(tenant=tenant, name="two", tags=[spare], filevault_enabled=False)
    DeviceFactory.create(tenant=tenant, name="three", filevault_enabled=False)

    def found(**arguments: Any) -> set[str]:
        return {each["device_name"] for each in said(use("list_devices", arguments, token))}

    assert found(tag_name_in=["loaner", "spare & 1"]) == {"one", "two"}
    assert found(tag_name="spare & 1") == {"two"}
    assert found(filevault_enabled=True) == {"one"}
    assert found(filevault_enabled=None) == {"one", "two", "three"}
    assert found(limit=2, offset=2, ordering="device_name") == {"two"}


def test_a_change_is_in_the_trail_with_the_token_as_actor(use: Any, mcp_token: IssueToken, tenant: Tenant) -> None:
    token = mcp_token("create_tag")
    assert use("create_tag", {"name": "VIP"}, token)["structuredContent"]["name"] == "VIP"
    event = tenant.audit_events.get(actor_id=str(token.id))
    assert (event.actor_type, event.actor_name) == (AuditEvent.ActorType.API_TOKEN, token.name)


def test_null_reaches_the_body_and_what_is_left_out_does_not(use: Any, mcp_token: IssueToken, tenant: Tenant) -> None:
    device = DeviceFactory.create(tenant=tenant, asset_tag="A-1")
    token = mcp_token("update_device")
    assert use("update_device", {"device_id": str(device.uuid), "tags": ["x"]}, token)["isError"] is False
    device.refresh_from_db()
    assert device.asset_tag == "A-1"
    use("update_device", {"device_id": str(device.uuid), "asset_tag": None}, token)
    device.refresh_from_db()
    assert not device.asset_tag


def test_a_repeated_call_with_a_key_creates_nothing(use: Any, mcp_token: IssueToken, tenant: Tenant) -> None:
    token = mcp_token("create_tag")
    first = use("create_tag", {"name": "VIP", "idempotency_key": "k1"}, token)
    again = use("create_tag", {"name": "VIP", "idempotency_key": "k1"}, token)
    assert again["structuredContent"] == first["structuredContent"]
    assert again["content"][1]["text"] == "Idempotency-Replayed: true"
    assert tenant.tags.count() == 1
    other = use("create_tag", {"name": "Other", "idempotency_key": "k1"}, token)
    assert (other["isError"], said(other)["detail"]) == (
        True,
        "This Idempotency-Key was sent before, with another request.",
    )


def test_an_answer_that_is_no_text_is_a_resource(use: Any, mcp_token: IssueToken, tenant: Tenant) -> None:
    PushCertificateFactory.create(tenant=tenant)
    blueprint = BlueprintFactory.create(tenant=tenant)
    name = "get_manual_enrollment_profile"
    result = use(name, {"blueprint_id": str(blueprint.uuid)}, mcp_token(name))
    assert not result["isError"]
    [content] = result["content"]
    assert content["type"] == "resource"
    assert content["resource"]["mimeType"] == PROFILE
    signature = cms.parse_attached(b64decode(content["resource"]["blob"]))
    assert (signature.content or b"").startswith(b"<?xml")
    assert "structuredContent" not in result


def test_an_answer_without_a_body_is_its_status(use: Any, mcp_token: IssueToken, tenant: Tenant) -> None:
    tag = TagFactory.create(tenant=tenant)
    result = use("delete_tag", {"tag_id": str(tag.uuid)}, mcp_token("delete_tag"))
    assert (result["isError"], result["content"]) == (False, [{"type": "text", "text": "204 No Content"}])


def test_wrong_arguments_are_named(use: Any, mcp_token: IssueToken, tenant: Tenant) -> None:
    token = mcp_token("create_tag", "get_device", "list_devices")
    assert said(use("create_tag", {"name": ""}, token)) == {"name": ["This field may not be blank."]}
    assert said(use("create_tag", None, token)) == {"name": ["This field is required."]}
    assert said(use("get_device", {}, token)) == {"device_id": ["This field is required."]}
    assert said(use("list_devices", {"serial": "C02"}, token)) == {"serial": ["This tool has no such argument."]}


@pytest.mark.parametrize(
    "name", ["nothing", "ping", "get_openapi", "create_custom_profile", "", None, 7, ["x"], "é" * 500]
)
def test_an_unknown_tool_is_the_error_of_the_protocol(rpc: Rpc, mcp_token: IssueToken, name: Any) -> None:
    answer = rpc("tools/call", {"name": name}, mcp_token(*EVERY_PERMISSION), revision="2025-11-25")
    assert (answer.status_code, answer.json()["error"]["code"]) == (200, -32602)


@pytest.mark.parametrize("arguments", [[], "x", 7, True])
def test_arguments_that_are_no_object_are_the_error_of_the_protocol(
    rpc: Rpc, mcp_token: IssueToken, arguments: Any
) -> None:
    answer = rpc("tools/call", {"name": "list_devices", "arguments": arguments}, mcp_token("list_devices"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32602)


def test_an_answer_that_is_too_large_asks_for_less(
    use: Any, mcp_token: IssueToken, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    DeviceFactory.create(tenant=tenant)
    token = mcp_token("list_devices", "create_tag")
    monkeypatch.setattr(calls, "LARGEST", 300)
    refused = use("list_devices", {}, token)
    assert refused["isError"] is True
    assert "a tool answers at most 300" in said(refused)["detail"]
    # A change has happened, so its answer is not replaced by an error.
    assert use("create_tag", {"name": "x" * 255}, token)["isError"] is False


def test_a_revocation_ends_it_at_once(rpc: Rpc, mcp_token: IssueToken) -> None:
    token = mcp_token("list_devices")
    revoke_token(tenant=token.tenant, token_id=token.id, actor=Actor.command("test"))
    answer = rpc("tools/call", {"name": "list_devices"}, token)
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, 'Bearer error="invalid_token"')


def test_a_token_that_is_revoked_during_the_call_changes_nothing(
    rpc: Rpc, mcp_token: IssueToken, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = mcp_token("create_tag")

    def revoke() -> None:
        revoke_token(tenant=token.tenant, token_id=token.id, actor=Actor.command("test"))

    with after_authentication(monkeypatch, revoke):
        answer = rpc("tools/call", {"name": "create_tag", "arguments": {"name": "late"}}, token)
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, 'Bearer error="invalid_token"')
    assert not tenant.tags.exists()


def test_the_token_is_looked_up_once(use: Any, mcp_token: IssueToken) -> None:
    token = mcp_token("list_devices")
    with CaptureQueriesContext(connection) as queries:
        use("list_devices", {}, token)
    assert sum("access_apitoken" in each["sql"] for each in queries) == 1


def test_each_tenant_has_its_own_tools_and_objects(
    use: Any, rpc: Rpc, mcp_token: IssueToken, tenant: Tenant, other_tenant: Tenant
) -> None:
    DeviceFactory.create(tenant=tenant, name="ours")
    DeviceFactory.create(tenant=other_tenant, name="theirs")
    theirs: Any = ApiTokenFactory.create(tenant=other_tenant, permissions=["list_devices"])
    ApiToken.objects.filter(pk=theirs.pk).update(mcp=True)
    assert [each["device_name"] for each in said(use("list_devices", {}, mcp_token("list_devices")))] == ["ours"]
    assert [each["device_name"] for each in said(use("list_devices", {}, theirs))] == ["theirs"]
    assert rpc("tools/call", {"name": "list_devices"}, theirs, host=tenant.api_host).status_code == 401
