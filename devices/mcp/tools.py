"""The API's operations as tools: everything about a tool follows from the declaration of its operation."""

from dataclasses import dataclass, field
from functools import cache
from typing import Any

import orjson

from access.permissions import Permission, catalogue
from access.tokens.authentication import LiveToken
from devices.api import api, idempotency, openapi
from devices.api.json_schemas import PREFIX, Schema, target, used
from devices.api.rendering import JSON
from devices.api.routing import Operation

DEFINITIONS = "#/$defs/"
IDEMPOTENCY_KEY = "idempotency_key"  # the argument for the header
# The keys of a body's schema that a tool takes over. Its fields stand beside the parameters.
BODY_KEYS = {"type", "properties", "required", "description"}


@dataclass(frozen=True, slots=True)
class Tool:
    """One operation, with the arguments that its path, query and body take."""

    operation: Operation
    permission: Permission
    path: frozenset[str]
    query: frozenset[str]
    body: frozenset[str]
    listing: bytes = field(repr=False)  # what `tools/list` says, as JSON

    @property
    def arguments(self) -> frozenset[str]:
        own = frozenset({IDEMPOTENCY_KEY} if self.operation.creates else ())
        return self.path | self.query | self.body | own

    def held_by(self, token: LiveToken) -> bool:
        return self.permission.codename in token.permissions

    def allowed_for(self, token: LiveToken) -> bool:
        """Whether the switches of the token allow it. Its permission is another question."""
        return token.mcp_sensitive or not self.permission.sensitive


def is_tool(operation: Operation) -> bool:
    """Whether the operation has a permission, so that a person decides about it, and works without a file."""
    file_needed = operation.upload is not None and (bool(operation.upload.files) or not operation.forms)
    return operation.permission is not None and not file_needed


@cache
def tools() -> dict[str, Tool]:
    """All tools by their names, in the order of the permission editor."""
    document = openapi.document("")
    operations = {each.id: each for each in api.operations if is_tool(each)}
    return {
        each.codename: _tool(operations[each.codename], each, document)
        for each in catalogue
        if each.codename in operations
    }


def listed(token: LiveToken) -> list[orjson.Fragment]:
    """The tools that the token may call, as JSON."""
    return [
        orjson.Fragment(tool.listing) for tool in tools().values() if tool.held_by(token) and tool.allowed_for(token)
    ]


def _tool(operation: Operation, permission: Permission, document: dict[str, Any]) -> Tool:
    described = document["paths"][operation.path][operation.method.lower()]
    components = document["components"]["schemas"]
    parameters = described.get("parameters", [])
    body = _body(described, components)
    names: dict[str, frozenset[str]] = {
        where: frozenset(each["name"] for each in parameters if each["in"] == where) for where in ("path", "query")
    }
    names["body"] = frozenset(body.get("properties", {}))
    properties: Schema = {}
    required: list[str] = []
    for each in parameters:
        name = IDEMPOTENCY_KEY if each["name"] == idempotency.HEADER else each["name"]
        properties[name] = each["schema"] | ({"description": each["description"]} if "description" in each else {})
        required += [name] * each["required"]
    if doubled := properties.keys() & names["body"]:
        raise ValueError(
            f"{operation.id} has {', '.join(doubled)} in its body and beside it: a tool needs one of each."
        )
    schema: Schema = {"type": "object", "properties": properties | body.get("properties", {})}
    if required := [*required, *body.get("required", [])]:
        schema["required"] = required
    schema["additionalProperties"] = False
    if definitions := used(schema, components):
        schema["$defs"] = definitions
    listing = {
        "name": operation.id,
        "title": operation.label,
        "description": _description(operation),
        "inputSchema": _local(schema),
        "annotations": _annotations(operation, permission),
    }
    return Tool(operation, permission, **names, listing=orjson.dumps(listing))


def _body(described: dict[str, Any], components: dict[str, Schema]) -> Schema:
    if "requestBody" not in described:
        return {}
    body = target(described["requestBody"]["content"][JSON]["schema"], components)
    if others := body.keys() - BODY_KEYS:
        raise ValueError(f"A body that is more than its fields cannot be the arguments of a tool: {', '.join(others)}.")
    return body


def _local(schema: Schema) -> Schema:
    """The schema with its components inside it: a tool's schema is a document of its own."""
    local: Schema = orjson.loads(orjson.dumps(schema).replace(f'"{PREFIX}'.encode(), f'"{DEFINITIONS}'.encode()))
    return local


def _description(operation: Operation) -> str:
    sentences = [operation.about, operation.doc.answer]
    if operation.deprecated:
        sentences.append(f"Deprecated: use {operation.deprecated.instead}")
    return " ".join(each if each.endswith(".") else f"{each}." for each in sentences if each)


def _annotations(operation: Operation, permission: Permission) -> dict[str, bool]:
    """What an assistant may rely on before it asks a person. Where the declaration does not say, the careful answer."""
    reads = operation.method == "GET"
    return {
        "readOnlyHint": reads,
        # Only a call that creates something is known to leave everything else as it is.
        "destructiveHint": not reads and (permission.sensitive or not operation.creates),
        "idempotentHint": operation.method in {"GET", "PATCH", "DELETE"},
        "openWorldHint": operation.asks_elsewhere,
    }
