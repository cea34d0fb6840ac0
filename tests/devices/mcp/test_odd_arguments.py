"""4,000 tool calls with odd arguments, made from the tools' schemas and worse: none is an error of the server."""

import logging
import random
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from django.db import transaction

from access.models import Tenant
from devices.mcp.tools import tools
from tests.devices.api.examples import EVERY_PERMISSION
from tests.devices.mcp.conftest import Rpc
from tests.factories.everything import something_of_everything
from tests.types import IssueToken

pytestmark = [pytest.mark.slow, pytest.mark.sqlite_only]  # the API's own tests have odd values on both

CALLS, SEED = 4_000, 20261126
DEEP: Any = "x"
for _ in range(300):
    DEEP = [DEEP]
ODD: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1,
    2**31,
    -(2**63),
    2**64 - 1,
    1e308,
    -0.5,
    "",
    " ",
    "0",
    "null",
    "a\x00b",
    "\x00",
    "é😀",
    "\u202e",
    "\\",
    "%",
    "%00",
    "_",
    "'; DROP TABLE devices; --",
    "{}",
    "[]",
    '{"a": ',
    "{device_id}",
    "../../..",
    "a/b",
    "a\r\nX: y",
    "9" * 5_000,
    "x" * 10_000,
    "2026-02-30",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999+14:00",
    "00000000-0000-0000-0000-000000000000",
    [],
    [None],
    ["a", 1, None, [], {}],
    [""] * 300,
    {},
    {"a": None},
    {"": {"": [{}]}},
    {"$ne": 1},
    {"__proto__": {"x": 1}},
    {"id": {"in": ["a", None]}},
    DEEP,
]


class Generator:
    """Arguments after a schema, some of them replaced by odd values, left out or invented."""

    def __init__(self, seed: int, known: list[str]) -> None:
        self.random = random.Random(seed)
        self.known = known

    def arguments(self, schema: dict[str, Any]) -> Any:
        if self.random.random() < 0.02:
            return self.random.choice(ODD)
        properties, definitions = schema["properties"], schema.get("$defs", {})
        chosen: dict[str, Any] = {}
        for name, each in properties.items():
            if name in schema.get("required", []) or self.random.random() < 0.4:
                chosen[name] = self.value(each, definitions)
        if chosen and self.random.random() < 0.2:
            del chosen[self.random.choice(list(chosen))]
        if self.random.random() < 0.05:
            chosen[self.random.choice(["", "x", "device_id\x00", "body", "é" * 50])] = self.random.choice(ODD)
        return chosen

    def value(self, schema: dict[str, Any], definitions: dict[str, Any], depth: int = 0) -> Any:
        if self.random.random() < 0.35 or depth > 5:
            return self.random.choice(ODD)
        if "$ref" in schema:
            return self.value(definitions[schema["$ref"].removeprefix("#/$defs/")], definitions, depth)
        if "anyOf" in schema:
            return self.value(self.random.choice(schema["anyOf"]), definitions, depth)
        if "enum" in schema:
            return self.random.choice(schema["enum"])
        match schema.get("type"):
            case "object":
                fields = schema.get("properties", {})
                return {name: self.value(each, definitions, depth + 1) for name, each in fields.items()}
            case "array":
                items = schema.get("items", {})
                return [self.value(items, definitions, depth + 1) for _ in range(self.random.randrange(4))]
            case "integer":
                return self.random.choice([0, 1, 5, 300, schema.get("maximum", 7) + 1, schema.get("minimum", 0) - 1])
            case "boolean":
                return self.random.choice([True, False])
            case _:
                return self.random.choice([*self.known, "example", "apps", "Mac", "name", "-name", "2026-01-01"])


def cases(known: list[str]) -> Iterator[tuple[str, Any]]:
    generator = Generator(SEED, known)
    schemas = {name: orjson.loads(tool.listing)["inputSchema"] for name, tool in tools().items()}
    for number in range(CALLS):
        name = list(schemas)[number % len(schemas)]
        yield name, generator.arguments(schemas[name])


def test_4000_odd_arguments_are_no_error_of_the_server(
    rpc: Rpc, mcp_token: IssueToken, tenant: Tenant, caplog: pytest.LogCaptureFixture
) -> None:
    something_of_everything(tenant)
    token = mcp_token(*EVERY_PERMISSION, mcp_sensitive=True)
    ids = [tenant.devices.first(), tenant.blueprints.first(), tenant.tags.first(), tenant.library_items.first()]
    known = [str(each.uuid) for each in ids if each]
    wrong: list[Any] = []
    answered = dict.fromkeys(("result", "refused", "protocol"), 0)
    with caplog.at_level(logging.ERROR):
        for name, arguments in cases(known):
            with transaction.atomic():
                answer = rpc("tools/call", {"name": name, "arguments": arguments}, token)
                transaction.set_rollback(True)
            body = answer.json()
            result = body.get("result", {})
            answered["protocol" if "error" in body else "refused" if result["isError"] else "result"] += 1
            text = str(result.get("content", ""))
            if answer.status_code not in {200, 400} or "An unexpected error" in text or "unavailable" in text:
                wrong.append((name, arguments, answer.status_code, text[:200]))
    assert not wrong, wrong[:5]
    assert not [record.message for record in caplog.records]
    assert all(answered.values()), answered
    assert answered["result"] > CALLS / 20, answered
