"""The list of tools: it is the catalogue, so these tests are generated from the declarations."""

from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator
from mcp.shared.tool_name_validation import validate_tool_name
from mcp_types import Tool as ToolOfTheClient

from access.audit.events import Actor
from access.permissions import catalogue
from access.tokens.lifecycle import set_permissions
from devices.api import api as endpoint_api
from devices.api.routing import Operation
from devices.mcp.tools import _tool, tools
from tests.devices.api.examples import EVERY_PERMISSION
from tests.devices.mcp.conftest import BOTH, Rpc
from tests.types import IssuedApiToken, IssueToken

SENSITIVE = {each.codename for each in catalogue if each.sensitive}
READING = {each.codename for each in catalogue if each.method == "GET"}
# The operations of the editor whose request has to carry a file.
WITH_FILES = {"create_custom_profile", "create_ade_integration", "renew_ade_integration"}


def schema(name: str) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(tools()[name].listing)
    return found


def takes_json(operation: Operation) -> bool:
    return operation.upload is None or (operation.forms and not operation.upload.files)


@pytest.fixture
def names(rpc: Rpc) -> Any:
    def names(token: IssuedApiToken, **options: Any) -> list[str]:
        listed = rpc("tools/list", token=token, **options).json()["result"]
        assert "nextCursor" not in listed
        return [tool["name"] for tool in listed["tools"]]

    return names


def test_every_operation_is_a_tool_or_excluded_by_its_declaration() -> None:
    without = {each.id for each in endpoint_api.operations} - tools().keys()
    assert without == {each.id for each in endpoint_api.operations if each.permission is None or not takes_json(each)}
    assert without == {"ping", "get_token", "get_openapi", "report_leaked_token"} | WITH_FILES
    assert list(tools()) == [each.codename for each in catalogue if each.codename not in WITH_FILES]


@pytest.mark.parametrize("name", tools())
def test_a_tool_says_what_its_operation_declares(name: str) -> None:
    operation, tool = tools()[name].operation, schema(name)
    assert (tool["name"], tool["title"]) == (operation.id, operation.label)
    assert tool["description"].startswith(operation.about.rstrip("."))
    assert validate_tool_name(name).is_valid
    assert ToolOfTheClient.model_validate(tool)
    assert tool["annotations"]["readOnlyHint"] is (operation.method == "GET")
    if operation.method == "DELETE" or (operation.method != "GET" and name in SENSITIVE):
        assert tool["annotations"]["destructiveHint"] is True
    if operation.method in {"GET", "POST"}:
        assert tool["annotations"]["destructiveHint"] is False or operation.method == "POST"
    assert tool["annotations"]["idempotentHint"] is (operation.method != "POST")


@pytest.mark.parametrize("name", tools())
def test_its_schema_is_one_and_has_every_argument(name: str) -> None:
    operation, arguments = tools()[name].operation, schema(name)["inputSchema"]
    Draft202012Validator.check_schema(arguments)
    text = orjson.dumps(arguments).decode()
    references = {part.split('"')[0] for part in text.split('"$ref":"')[1:]}
    assert references == {f"#/$defs/{each}" for each in arguments.get("$defs", {})}
    fields = {each.alias or key for key, each in operation.body.model_fields.items()} if operation.body else set()
    query = set(operation.query.parameter_names()) if operation.query else set()
    path = {part.strip("{}") for part in operation.path.split("/") if part.startswith("{")}
    expected = fields | query | path | ({"idempotency_key"} if operation.creates else set())
    assert arguments["properties"].keys() == expected == tools()[name].arguments
    assert path <= set(arguments.get("required", []))
    assert arguments["additionalProperties"] is False


@BOTH
@pytest.mark.parametrize(
    ("permissions", "sensitive"),
    [
        ([], False),
        (["list_devices"], False),
        (sorted(READING - SENSITIVE), False),
        (EVERY_PERMISSION, False),
        (EVERY_PERMISSION, True),
        (["get_filevault_recovery_key"], False),
        (["get_filevault_recovery_key"], True),
    ],
    ids=["none", "one", "reading", "all", "all and sensitive", "a secret", "a secret, sensitive"],
)
def test_the_list_is_the_grid_of_the_token(
    names: Any, mcp_token: IssueToken, permissions: list[str], sensitive: bool, revision: str
) -> None:
    token = mcp_token(*permissions, mcp_sensitive=sensitive)
    expected = set(permissions) - WITH_FILES - (set() if sensitive else SENSITIVE)
    listed = names(token, revision=revision)
    assert set(listed) == expected
    assert listed == [each.codename for each in catalogue if each.codename in expected]


def test_an_edit_of_the_permissions_is_in_the_next_list(names: Any, mcp_token: IssueToken) -> None:
    token = mcp_token("list_devices")
    set_permissions(
        tenant=token.tenant,
        token_id=token.id,
        permissions=["list_tags"],
        version=token.version,
        actor=Actor.command("test"),
    )
    assert names(token) == ["list_tags"]


def test_all_tools_are_on_one_page(rpc: Rpc, mcp_token: IssueToken) -> None:
    answer = rpc("tools/list", {"cursor": "2"}, mcp_token())
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32602)


def test_a_name_that_stands_for_two_arguments_stops_the_start() -> None:
    operation = tools()["create_device_note"].operation
    document = {
        "paths": {
            operation.path: {
                "post": {
                    "parameters": [{"name": "content", "in": "query", "required": False, "schema": {}}],
                    "requestBody": {
                        "content": {"application/json": {"schema": {"type": "object", "properties": {"content": {}}}}}
                    },
                }
            }
        },
        "components": {"schemas": {}},
    }
    with pytest.raises(ValueError, match="content in its body and beside it"):
        _tool(operation, tools()["create_device_note"].permission, document)
