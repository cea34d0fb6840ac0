"""The OpenAPI document: valid to others, complete, and true of what the API answers."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from access.models import Tenant
from access.permissions import catalogue
from devices.api import api as endpoint_api
from devices.api import openapi
from devices.api.json_schemas import BOUNDS, Schema, about, target, without_null
from devices.api.parsing import FORMS
from devices.api.routing import Operation
from devices.api.sections import UNGATED
from devices.models import LostMode
from tests.devices.api import examples
from tests.devices.api.examples import EVERY_PERMISSION
from tests.types import Call, IssueToken, Response

pytestmark = [pytest.mark.slow, pytest.mark.sqlite_only]

ORIGIN = "https://accuhive.api.example.com"
OPERATIONS = endpoint_api.operations

every_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi.document(ORIGIN)


def described(document: dict[str, Any], operation: Operation) -> dict[str, Any]:
    found: dict[str, Any] = document["paths"][operation.path][operation.method.lower()]
    return found


def schemas(node: Any) -> list[dict[str, Any]]:
    """Every object inside the document that says what type something has, or one of what."""
    if isinstance(node, list):
        return [found for each in node for found in schemas(each)]
    if not isinstance(node, dict):
        return []
    here = [node] if isinstance(node.get("type"), str) else []
    return here + [found for each in node.values() for found in schemas(each)]


def check(document: dict[str, Any], operation: Operation, answer: Response) -> None:
    """The status of an answer is declared, and its body has the declared schema."""
    response = described(document, operation)["responses"][str(answer.status_code)]
    if "$ref" in response:
        response = document["components"]["responses"][response["$ref"].rpartition("/")[2]]
    assert {name for name in response.get("headers", {}) if name not in answer} == set()
    assert {name for name in answer.headers if name.startswith("X-Total-")} <= response.get("headers", {}).keys()
    content = response.get("content", {})
    if not content:
        assert answer.content == b""
        return
    schema = content[answer["Content-Type"]].get("schema")
    if schema is not None:
        OAS31Validator({**schema, "components": document["components"]}).validate(orjson.loads(answer.content))


def test_it_is_valid(document: dict[str, Any]) -> None:
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_the_document_lists_exactly_the_operations(document: dict[str, Any]) -> None:
    declared = {(each.path, each.method.lower()): each for each in OPERATIONS}
    assert {(path, method) for path, methods in document["paths"].items() for method in methods} == declared.keys()
    for operation in OPERATIONS:
        entry = described(document, operation)
        assert entry["operationId"] == operation.id
        assert (entry["summary"], entry["description"]) == (operation.label, operation.about)
        permission = operation.permission
        assert entry.get("x-permission") == (permission and permission.codename)
        assert entry.get("x-sensitive") == (permission and permission.sensitive)
        assert (entry.get("security") == []) == operation.open
        path = [each["name"] for each in entry.get("parameters", []) if each["in"] == "path"]
        query = [each["name"] for each in entry.get("parameters", []) if each["in"] == "query"]
        assert path == examples.parameters(operation)
        assert query == list(operation.query.parameter_names() if operation.query else ())
        assert ("requestBody" in entry) == (operation.body is not None)
        assert next(iter(entry["responses"])) == str(operation.status)


@every_operation
def test_every_parameter_and_field_is_described_in_a_sentence(operation: Operation, document: dict[str, Any]) -> None:
    """Those of a command are described by the help texts of its form."""
    schemas = document["components"]["schemas"]
    entry = described(document, operation)
    found = {each["name"]: each.get("description", "") for each in entry.get("parameters", [])}
    for content in entry.get("requestBody", {}).get("content", {}).values():
        found |= dict(descriptions(content["schema"], schemas))
    assert {name: text for name, text in found.items() if not text[:1].isupper() or not text.endswith(".")} == {}


def descriptions(schema: Schema, schemas: Schema, outer: str = "") -> Iterator[tuple[str, str]]:
    for name, each in target(schema, schemas).get("properties", {}).items():
        yield outer + name, about(each, schemas)
        yield from descriptions(without_null(each), schemas, f"{outer}{name}.")


def test_a_command_is_described_by_the_texts_of_its_form(document: dict[str, Any]) -> None:
    erase = document["components"]["schemas"]["EraseDeviceBody"]["properties"]
    texts = [about(erase[name], {}) for name in ("PIN", "PreserveDataPlan")]
    assert texts == [
        "Six digits that Macs with an Intel processor ask for afterwards.",
        "Keeps the eSIM; on, unless you turn it off.",
    ]


def test_tags_are_the_sections_of_the_permission_editor(document: dict[str, Any]) -> None:
    sections = {section.name: section for area in catalogue.areas() for section in area.sections}
    assert {tag["name"]: tag["description"] for tag in document["tags"]} == {
        **{name: section.about for name, section in sections.items()},
        UNGATED.name: UNGATED.about,
    }
    assert len(document["tags"]) == len(sections) + 1
    grouped = [(group["name"], tag) for group in document["x-tagGroups"] for tag in group["tags"]]
    assert [tag for _, tag in grouped] == [tag["name"] for tag in document["tags"]]
    for operation in OPERATIONS:
        (tag,) = described(document, operation)["tags"]
        if operation.permission:
            assert operation.permission in sections[tag].permissions
            assert (sections[tag].area, tag) in grouped
        else:
            assert tag == UNGATED.name


def test_errors_are_declared_where_they_apply(document: dict[str, Any]) -> None:
    for operation in OPERATIONS:
        errors = {int(status) for status in described(document, operation)["responses"] if status.isdecimal()}
        assert (401 in errors) == (not operation.open)
        assert (403 in errors) == (operation.permission is not None)
        numbered = operation.query is not None and "page" in operation.query.parameter_names()
        # 404 is the answer for a page past the end. The list of vulnerabilities answers it with no rows.
        without_page = numbered and operation.id != "list_vulnerabilities"
        assert (404 in errors) == bool(examples.parameters(operation) or without_page)
        assert errors & {408, 413, 415} == ({408, 413, 415} if operation.body else set())
        assert errors >= {429, 500, 503}
        # A `default` response would allow any status and any body.
        assert "default" not in described(document, operation)["responses"]
        assert (400 in errors) >= bool(operation.query or operation.body or operation.method != "GET")
        assert 405 not in errors  # a method that is described is allowed


@every_operation
def test_answers_are_as_described(
    document: dict[str, Any], operation: Operation, api: Call, issue_token: IssueToken, tenant: Tenant
) -> None:
    path = examples.path(operation, examples.objects(operation, tenant))
    body = examples.body(operation)
    everything = issue_token(*EVERY_PERMISSION)
    text = {"data": b"x", "content_type": "text/plain"}
    calls: dict[str, Callable[[], Response]] = {
        "401": lambda: api(operation.method, path, json=body),
        "403": lambda: api(operation.method, path, issue_token(), json=body),
        "404": lambda: api(
            operation.method, re.sub(r"{\w+}", examples.EXAMPLE_ID, operation.path) + "?page=9", everything, json=body
        ),
        "415": lambda: api(operation.method, path, everything, **text),
        str(operation.status): lambda: api(operation.method, path, everything, json=body),
    }
    for status, call in calls.items():
        if status in described(document, operation)["responses"]:
            answer = call()
            assert answer.status_code == int(status)
            check(document, operation, answer)


@pytest.mark.parametrize(
    ("operation_id", "body"),
    [
        ("create_tag", {}),
        ("create_tag", []),
        ("update_device", {"blueprint_id": "nothing"}),
        ("lock_device", None),
        ("get_device_lost_mode", {}),
    ],
)
def test_refusals_are_as_described(
    document: dict[str, Any], operation_id: str, body: Any, api: Call, issue_token: IssueToken, tenant: Tenant
) -> None:
    (operation,) = [each for each in OPERATIONS if each.id == operation_id]
    path = examples.path(operation, examples.objects(operation, tenant))
    token = issue_token(*EVERY_PERMISSION)
    LostMode.objects.all().delete()
    if body is None:
        assert api(operation.method, path, token).status_code == 200  # and the second is one too many
    answer = api(operation.method, path, token, json=body)
    assert answer.status_code == 400
    check(document, operation, answer)


def test_inputs_say_their_bounds_and_defaults(document: dict[str, Any]) -> None:
    parameters = {each["name"]: each for each in document["paths"]["/api/v1/devices"]["get"]["parameters"]}
    assert parameters["limit"]["schema"] == {"type": "integer", "minimum": 1, "maximum": 300, "default": 300}
    assert parameters["device_id"]["schema"] == {"type": "string", "format": "uuid"}
    assert parameters["tag_name_in"]["schema"] == {"type": "array", "items": {"type": "string"}}
    assert (parameters["tag_name_in"]["style"], parameters["tag_name_in"]["explode"]) == ("form", False)
    assert "sizePerPage" in {each["name"] for each in document["paths"]["/api/v1/users"]["get"]["parameters"]}
    assert not [schema for schema in schemas(document) if schema.keys() & BOUNDS.keys()]


def test_a_form_has_dotted_names(document: dict[str, Any]) -> None:
    (operation,) = [each for each in OPERATIONS if each.id == "create_blueprint"]
    content = described(document, operation)["requestBody"]["content"]
    assert list(content) == ["application/json", *FORMS]
    for media_type in FORMS:
        form = content[media_type]["schema"]
        assert {"name", "enrollment_code.code", "enrollment_code.is_active", "source.id"} <= form["properties"].keys()
        assert form["required"] == ["name", "enrollment_code.is_active"]


def test_names_are_fit_for_generated_clients(document: dict[str, Any]) -> None:
    names = document["components"]["schemas"]
    assert {"Device", "Tag", "TagPage", "UserPage", "NewBlueprint"} <= names.keys()
    assert not [name for name in names if not re.fullmatch(r"[A-Z][A-Za-z]+", name)]
    assert list(names) == sorted(names)
    used = set(re.findall(r'"#/components/schemas/(\w+)"', openapi.as_json(ORIGIN).decode()))
    assert used == names.keys()


def test_it_is_the_same_at_every_building() -> None:
    assert orjson.dumps(openapi.build(endpoint_api)) == orjson.dumps(openapi.build(endpoint_api))


def test_building_it_logs_no_error(caplog: pytest.LogCaptureFixture) -> None:
    openapi.build(endpoint_api)
    assert not caplog.records


def test_any_live_token_gets_it_with_its_own_tenants_address(
    api: Call, issue_token: IssueToken, other_tenant: Tenant
) -> None:
    for tenant in (None, other_tenant):
        token = issue_token(**({"tenant": tenant} if tenant else {}))
        answer = api("GET", "/api/v1/openapi.json", token)
        assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")
        assert answer.json()["servers"] == [{"url": token.tenant.api_origin}]
    assert api("GET", "/api/v1/openapi.json").status_code == 401
