"""The OpenAPI document, made from the declared operations alone."""

import re
from collections.abc import Iterator
from functools import cache, lru_cache
from http import HTTPStatus
from typing import Any
from uuid import UUID

import orjson
from pydantic import TypeAdapter

from access.labels import PRODUCT
from access.permissions import Section, catalogue
from access.tokens.authentication import AuthenticationFailed, PermissionMissing
from devices.api import errors, idempotency
from devices.api.json_schemas import Part, Schema, Schemas, used, without_null
from devices.api.pagination import PageNumber
from devices.api.parsing import FORMS
from devices.api.rendering import JSON
from devices.api.routing import Api, Operation
from devices.api.sections import UNGATED
from devices.api.uploads import MULTIPART, UploadLimits


def _record(optional: Schema | None = None, **properties: Schema) -> Schema:
    """The schema of an object that has all of these, and that may have the optional ones."""
    return {"type": "object", "properties": properties | (optional or {}), "required": list(properties)}


DESCRIPTION = """\
Every call carries an API token: `Authorization: Bearer <token>`. What a token may call is the list of permissions
that an administrator gave it; each operation names its own in `x-permission`. Operations marked `x-sensitive` answer
with a secret or do what cannot be undone. Operations marked `x-addition` are additions of this product to the API
that published clients know.

Paths work with and without a closing slash. A path answers 405 to a method that it does not have, with those that it
has in `Allow`. Unknown query parameters and body fields are ignored.

The calls of all tokens of an organization, and those of AI assistants, have two limits together: by default 50 a second
and 10,000 an hour. Answers to calls with a live token say what is left in their `RateLimit-…` and `X-RateLimit-…`
headers. A call beyond a limit answers 429.
"""
TEXT: Schema = {"type": "string"}
TEXTS: Schema = {"type": "array", "items": TEXT}
DETAIL = _record(detail=TEXT)
MESSAGE = _record(message=TEXT)
NO_TOKEN = _record(
    {"hint": {**TEXT, "description": "How to send a token. Only where the header is missing or has another scheme."}},
    detail=TEXT,
)
LACKING = _record(
    {
        "permission": {**TEXT, "description": "The id of the missing permission."},
        "permissions_url": {**TEXT, "description": "The page where an administrator can add it to the token."},
    },
    detail=TEXT,
    missing_permission=_record(http_method=TEXT, path=TEXT, label=TEXT),
)
EXAMPLE_ID = UUID("00000000-0000-4000-8000-000000000000")
DEPRECATION = {"Deprecation": "Since when the operation has a successor: `@` and the seconds since 1970."}
RETRY_AFTER = {"description": "Seconds.", "schema": {"type": "integer"}}
RATE = {
    f"X-RateLimit-{what}-{window}": {"description": f"{about} {window.lower()}.", "schema": {"type": "integer"}}
    for what, about in {"Limit": "The calls allowed in a", "Remaining": "The calls that are left of this"}.items()
    for window in ("Second", "Hour")
}
IDEMPOTENCY_KEY = {
    "name": idempotency.HEADER,
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "description": "Makes the call safe to repeat: within 24 hours, another call of the same token with the same key"
    f" and the same content creates nothing and gets the first answer again, with `{idempotency.REPLAYED}: true`.",
}
# Of each path parameter; `Doc.parameters` describes one that means something else in an operation.
PATH_PARAMETERS = {
    "ade_token_id": "The id of the integration, as the list of integrations has it.",
    "blueprint_id": "The id of the Blueprint.",
    "cve_id": "The id of the vulnerability, as in CVE-2026-1234; upper and lower case differ.",
    "device_id": "The id of the device.",
    "export_id": "The id of the export, from the answer that requested it.",
    "library_item_id": "The id of the Library Item.",
    "command_id": "The id of the command, which must be one of the device.",
    "note_id": "The id of the note, which must be one of the device.",
    "pending_upload_id": "The id of the upload, from the answer that reserved it.",
    "tag_id": "The id of the tag.",
    "token_id": "The id of the token, which is not its secret.",
    "user_id": "The id of the user.",
}
# The public API has all four of these.
REFUSED: Schema = {
    "anyOf": [
        {"type": "object", "additionalProperties": TEXTS, "description": "What is wrong, by the name of the field."},
        DETAIL,
        TEXTS,
        TEXT,
    ]
}


def document(origin: str) -> dict[str, Any]:
    """The OpenAPI 3.1 document of the API that a tenant reaches at `origin`. Not to be changed: it is built once."""
    return {**_built(), "servers": [{"url": origin}]}


@lru_cache(maxsize=64)
def as_json(origin: str) -> bytes:
    """The document as the text of a file."""
    return orjson.dumps(document(origin), option=orjson.OPT_INDENT_2)


@cache
def _built() -> dict[str, Any]:
    # The list of operations is complete only when every module of the package has been read, this one's too.
    from devices.api import api

    return build(api)


def build(api: Api) -> dict[str, Any]:
    """The document without its servers."""
    queries = Schemas((each.id, "validation", TypeAdapter(each.query)) for each in api.operations if each.query)
    bodies = Schemas(_bodies(api))
    sections = {
        each.codename: section
        for area in catalogue.areas()
        for section in area.sections
        for each in section.permissions
    }
    areas: dict[str, dict[str, str]] = {}  # of each area, what its sections are about
    paths: dict[str, dict[str, Any]] = {}
    for operation in api.operations:
        section = sections.get(operation.id, UNGATED)
        areas.setdefault(section.area, {})[section.name] = section.about
        paths.setdefault(operation.path, {})[operation.method.lower()] = {
            **_heading(operation, section),
            **_input(operation, queries, bodies),
            "responses": _responses(operation, bodies),
        }
    return {
        "openapi": "3.1.1",
        "info": {"title": f"{PRODUCT} API", "version": "1", "description": DESCRIPTION},
        "servers": [],
        "security": [{"token": []}],
        "tags": [{"name": name, "description": about} for tags in areas.values() for name, about in tags.items()],
        # Not part of the standard, but what tools read that put tags under headings.
        "x-tagGroups": [{"name": area, "tags": list(tags)} for area, tags in areas.items()],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "An API token of the organization."}
            },
            "schemas": used(paths, bodies.components),
            "responses": _errors(),
        },
    }


def _bodies(api: Api) -> Iterator[Part]:
    for operation in api.operations:
        if operation.body:
            yield (operation.id, "body"), "validation", TypeAdapter(operation.body)
        if operation.adapter:
            yield (operation.id, "response"), "serialization", operation.adapter


def _heading(operation: Operation, section: Section) -> dict[str, Any]:
    heading: dict[str, Any] = {
        "operationId": operation.id,
        "tags": [section.name],
        "summary": operation.label,
        "description": operation.about,
    }
    if operation.ours:
        heading["x-addition"] = True
    if operation.deprecated:
        heading |= {"deprecated": True, "x-instead": operation.deprecated.instead}
    if operation.permission:
        heading |= {"x-permission": operation.permission.codename, "x-sensitive": operation.permission.sensitive}
    if operation.open:
        heading["security"] = []
    return heading


def _input(operation: Operation, queries: Schemas, bodies: Schemas) -> dict[str, Any]:
    given: dict[str, Any] = {}
    parameters = [*_path_parameters(operation), *_query_parameters(operation, queries)]
    if operation.creates:
        parameters.append(IDEMPOTENCY_KEY)
    if parameters:
        given["parameters"] = parameters
    if operation.body or operation.upload:
        given["requestBody"] = _request_body(operation, bodies)
    return given


def _responses(operation: Operation, bodies: Schemas) -> dict[str, Any]:
    doc = operation.doc
    success: dict[str, Any] = {"description": doc.answer or HTTPStatus(operation.status).phrase}
    if headers := {**doc.headers, **(DEPRECATION if operation.deprecated else {})}:
        success["headers"] = {name: {"description": about, "schema": TEXT} for name, about in headers.items()}
    if operation.adapter:
        success["content"] = {doc.media_type: {"schema": bodies.of((operation.id, "response"))}}
    elif doc.media_type != JSON:
        success["content"] = {doc.media_type: {}}
    return {
        str(operation.status): success,
        **{str(status): {"$ref": f"#/components/responses/{_name(status)}"} for status in _statuses(operation)},
    }


def _path_parameters(operation: Operation) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string"} | ({"format": "uuid"} if name in operation.uuids else {}),
            "description": {**PATH_PARAMETERS, **operation.doc.parameters}[name],
        }
        for name in re.findall(r"{(\w+)}", operation.path)
    ]


def _query_parameters(operation: Operation, schemas: Schemas) -> list[dict[str, Any]]:
    if not operation.query:
        return []
    model = schemas.fields(operation.id)
    parameters = []
    for name, each in model["properties"].items():
        schema = dict(without_null(each))
        parameter = {"name": name, "in": "query", "required": name in model.get("required", [])}
        if about := schema.pop("description", ""):
            parameter["description"] = about
        parameter["schema"] = schema
        if schema.get("type") == "array":
            parameter |= {"style": "form", "explode": False}  # one parameter, its parts separated by commas
        parameters.append(parameter)
    return parameters


def _request_body(operation: Operation, schemas: Schemas) -> dict[str, Any]:
    upload = {MULTIPART: {"schema": _upload(operation, operation.upload, schemas)}} if operation.upload else {}
    if operation.upload and (operation.upload.files or not operation.forms):
        return {"required": True, "content": upload}  # no other media type can carry the file
    model = schemas.fields((operation.id, "body"))
    content = {JSON: {"schema": schemas.of((operation.id, "body"))}}
    if operation.forms:
        form = _dotted(model, schemas)
        content |= {media_type: {"schema": form} for media_type in FORMS}
    return {"required": bool(model.get("required")), "content": content | upload}


def _upload(operation: Operation, limits: UploadLimits, schemas: Schemas) -> Schema:
    form: Schema = _dotted(schemas.fields((operation.id, "body")), schemas) if operation.body else {"type": "object"}
    file = {"type": "string", "format": "binary", "description": limits.about}
    files: Schema = dict.fromkeys((*limits.files, *limits.optional), file)
    return {
        **form,
        "properties": form.get("properties", {}) | files,
        **({"required": required} if (required := [*form.get("required", []), *limits.files]) else {}),
    }


def _dotted(model: Schema, schemas: Schemas) -> Schema:
    """An object as a form sends it: a field of a nested one is called `outer.inner`."""
    properties: Schema = {}
    required: list[str] = []
    for name, each in model["properties"].items():
        needed = name in model.get("required", [])
        inner = schemas.target(without_null(each))
        if "properties" in inner:
            nested = _dotted(inner, schemas)
            properties |= {f"{name}.{key}": value for key, value in nested["properties"].items()}
            required += [f"{name}.{key}" for key in nested.get("required", []) if needed]
        else:
            properties[name] = without_null(each)
            required += [name] * needed
    return {"type": "object", "properties": properties} | ({"required": required} if required else {})


def _statuses(operation: Operation) -> list[int]:
    """The errors that a call can be answered with, whatever the handler does."""
    body = operation.body or operation.upload
    applies = {
        400: operation.query or body or operation.doc.refuses or operation.method != "GET",
        401: not operation.open,
        403: operation.permission,
        404: "{" in operation.path or (operation.query and issubclass(operation.query, PageNumber)),
        408: body,
        409: operation.creates,
        413: body,
        415: body,
        422: operation.creates,
        429: True,
        500: True,
        503: True,
    }
    return [status for status, does in applies.items() if does]


def _name(status: int) -> str:
    return HTTPStatus(status).phrase.title().replace(" ", "")


def _errors() -> dict[str, Any]:
    """Every error under its name, with a body as `errors` makes it."""
    example = next(iter(catalogue), None)
    bodies: dict[int, tuple[str, Schema, Any]] = {
        400: (
            "What was sent is wrong, or its object is in no state for it",
            REFUSED,
            errors.invalid("name", "This field is required.").body,
        ),
        401: ("No live API token came with the request", NO_TOKEN, AuthenticationFailed(sent=True).body()),
        403: (
            "The token lacks the permission",
            LACKING,
            PermissionMissing(example, EXAMPLE_ID).body() if example else None,
        ),
        404: ("There is no such object in the organization, or no such page", DETAIL, errors.not_found().body),
        408: ("The body arrived too slowly", DETAIL, errors.too_slow().body),
        409: ("A call with the same Idempotency-Key is in progress", DETAIL, idempotency.in_progress().body),
        413: ("The body is too large", DETAIL, errors.too_large().body),
        415: ("The body is of another media type", DETAIL, errors.unsupported_media_type("text/plain").body),
        422: ("The Idempotency-Key was sent before, with another request", DETAIL, idempotency.another_call().body),
        429: ("Too many calls; try again after the time in Retry-After", MESSAGE, errors.too_many_calls().body),
        500: ("The server made a mistake", MESSAGE, errors.unexpected().body),
        503: ("Try again in a moment", DETAIL, errors.unavailable().body),
    }
    headers: dict[int, dict[str, Any]] = {401: {"WWW-Authenticate": {"schema": TEXT}}}
    headers |= {status: {"Retry-After": RETRY_AFTER} for status in (409, 429, 503)}
    headers[429] |= RATE
    named: dict[str, Any] = {}
    for status, (description, schema, body) in bodies.items():
        content = {"schema": schema} | ({"example": body} if body else {})
        named[_name(status)] = {"description": description, "content": {JSON: content}}
        if status in headers:
            named[_name(status)]["headers"] = headers[status]
    return named
