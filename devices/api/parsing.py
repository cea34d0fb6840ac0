"""Parsing of queries and bodies into typed values; raises the 400 that names each wrong field."""

import json
from io import BytesIO
from typing import Any, NoReturn

import orjson
from django.conf import settings
from django.http import HttpRequest, QueryDict
from pydantic import BaseModel, ValidationError

from access.http.bodies import BodyStream
from devices.api import errors
from devices.api.errors import ApiError
from devices.api.uploads import MULTIPART
from devices.inputs import Body, Query

FORMS = ("application/x-www-form-urlencoded", MULTIPART)


def query_of[Q: Query](request: HttpRequest, schema: type[Q]) -> Q:
    """The query parameters of `schema`. Unknown and empty parameters are ignored."""
    given = {name: value for name in schema.parameter_names() if (value := request.GET.get(name))}
    return _validated(schema, given, uuid_message="Enter a valid UUID.")


def body_of[B: Body](request: HttpRequest, schema: type[B], *, forms: bool = False) -> B:
    """The JSON body as `schema`. With `forms`, a form is accepted too; its dotted names are nested fields."""
    body = BodyStream(request, settings.DATA_UPLOAD_MAX_MEMORY_SIZE).read_all()
    content_type = request.content_type or (_guessed(body) if forms else "")
    if not body:
        data: Any = {}
    elif content_type == "application/json":
        data = _json(body)
    elif forms and content_type in FORMS:
        return form_of(_form(request, content_type, body), schema)
    else:
        raise errors.unsupported_media_type(request.META.get("CONTENT_TYPE", ""))
    if not isinstance(data, dict):
        kind = {list: "list", str: "str", bool: "bool", int: "int", float: "float"}.get(type(data), "null")
        raise errors.invalid("non_field_errors", f"Invalid data. Expected a dictionary, but got {kind}.")
    return _validated(schema, data, uuid_message="Must be a valid UUID.")


def form_of[B: Body](form: QueryDict, schema: type[B]) -> B:
    """The fields of a form as `schema`; its dotted names are nested fields."""
    return _validated(schema, _nested(form), uuid_message="Must be a valid UUID.")


def _guessed(body: bytes) -> str:
    """The type of a body without Content-Type, which one published client sends. No form begins with a brace."""
    return "application/json" if body.lstrip().startswith(b"{") else FORMS[0]


def _form(request: HttpRequest, content_type: str, body: bytes) -> QueryDict:
    if content_type == FORMS[0]:
        return QueryDict(body, encoding=request.encoding or "utf-8")
    fields, _ = request.parse_file_upload({**request.META, "CONTENT_LENGTH": len(body)}, BytesIO(body))
    return fields


def _nested(form: QueryDict) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for name, value in form.items():
        *outer, last = name.split(".")
        inner = data
        for part in outer:
            child = inner.setdefault(part, {})
            if not isinstance(child, dict):
                raise errors.invalid(name, "This name contradicts another field of the form.")
            inner = child
        inner[last] = value
    return data


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        _parse_error(body, error)


def _parse_error(body: bytes, error: Exception) -> NoReturn:
    # The public API uses the words of Python's own parser. If that parser accepts the text, orjson's message is used.
    try:
        json.loads(body)
    except (ValueError, RecursionError) as standard:
        if isinstance(standard, json.JSONDecodeError):
            raise errors.parse_error(str(standard)) from None
    raise errors.parse_error(str(error)) from None


def _validated[S: BaseModel](schema: type[S], data: dict[str, Any], *, uuid_message: str) -> S:
    try:
        return schema.model_validate(data)
    except ValidationError as error:
        messages: dict[str, list[str]] = {}
        for detail in error.errors(include_url=False):
            field = str(detail["loc"][0]) if detail["loc"] else "non_field_errors"
            messages.setdefault(field, []).append(_message(detail, uuid_message))
        raise ApiError(400, messages) from None


def _message(detail: Any, uuid_message: str) -> str:
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    if value is None and kind != "missing":
        return "This field may not be null."
    match kind:
        case "missing":
            return "This field is required."
        case "string_type":
            return "Not a valid string."
        case "string_too_short":
            return "This field may not be blank."
        case "string_too_long":
            return f"Ensure this field has no more than {context['max_length']} characters."
        case "too_long":
            return f"Ensure this field has no more than {context['max_length']} elements."
        case "uuid_parsing" | "uuid_type":
            return uuid_message
        case "bool_parsing" | "bool_type":
            return "Must be a valid boolean."
        case "int_parsing" | "int_type" | "int_from_float" | "int_parsing_size":
            return "A valid integer is required."
        case "greater_than_equal":
            return f"Ensure this value is greater than or equal to {context['ge']}."
        case "less_than_equal":
            return f"Ensure this value is less than or equal to {context['le']}."
        case "list_type":
            return f'Expected a list of items but got type "{type(value).__name__}".'
        case "literal_error" | "enum":
            return f'"{value}" is not a valid choice.'
        case "value_error":
            return str(context["error"])
        case _:
            return str(detail["msg"])
