"""Calls of the API from its reference page: real answers of the tenant, and trials of a token's permissions.

Such a call goes through the guard and the code of every other call. It needs no secret, so only GETs whose answer is
JSON and no secret can be made, and it is no use of the token: nothing is counted, and no trail names it.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from time import perf_counter
from typing import Any

from django.conf import settings
from django.utils import timezone

from access.models import Administrator, ApiToken, Tenant
from access.roles import Capability, may
from access.tokens.authentication import LiveToken
from devices.api import api
from devices.api.calls import request_for
from devices.api.rendering import JSON
from devices.api.routing import Operation
from devices.api.sections import ADMINS, CUSTOM_APPS, CUSTOM_PROFILES, CUSTOM_SCRIPTS, IPA_APPS

LONGEST = 40_000  # characters of an answer on the page
PAGE_SIZES = ("limit", "sizePerPage", "size")
FIRST = 2  # elements of a list in a sample
LONGEST_TEXT = 300  # characters of a text in a sample
NO_TRIAL = (
    "The answer of this operation is a secret, or names what opens the organization. It cannot be tried on this page: "
    "each reading of it belongs into the audit trail."
)
# Answers with more than the pages show to every role: links to files, scripts, and the people who administer.
SHOWN_TO = {
    permission.codename: capability
    for section, capability in (
        (ADMINS, Capability.MANAGE_ACCESS),
        (CUSTOM_APPS, Capability.EDIT_LIBRARY),
        (CUSTOM_PROFILES, Capability.EDIT_LIBRARY),
        (CUSTOM_SCRIPTS, Capability.EDIT_LIBRARY),
        (IPA_APPS, Capability.EDIT_LIBRARY),
    )
    for permission in section.permissions
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API answered. `cut`: not all of it is in `text`."""

    status: int
    phrase: str
    milliseconds: int
    text: str
    cut: bool

    @property
    def succeeded(self) -> bool:
        return self.status < HTTPStatus.BAD_REQUEST


def page_size_of(names: Collection[str]) -> str:
    """Which of the parameters is the number of rows in a page; empty where none is."""
    return next((name for name in PAGE_SIZES if name in names), "")


def operation_named(id: str) -> Operation | None:
    return next((operation for operation in api.operations if operation.id == id), None)


def is_secret(operation: Operation) -> bool:
    return operation.permission is not None and operation.permission.sensitive


def can_be_called(operation: Operation) -> bool:
    """Whether the page may make the call, by the operation alone."""
    readable = operation.method == "GET" and operation.doc.media_type == JSON and not operation.open
    return readable and not is_secret(operation)


def may_see_sample(person: Administrator, operation: Operation) -> bool:
    """Whether the person may see an answer of the tenant: every page of these objects is open to the role."""
    if operation.permission is None or not can_be_called(operation):
        return False
    return may(person, SHOWN_TO.get(operation.permission.codename, Capability.VIEW))


def sample(tenant: Tenant, operation: Operation, parameters: Mapping[str, str]) -> Answer | None:
    """A real answer, with only the beginning of its lists. None where the tenant has nothing to show."""
    token = LiveToken.for_trial(tenant, [operation.permission.codename] if operation.permission else [])
    size = page_size_of(operation.query.parameter_names() if operation.query else ())
    query = {size: str(FIRST + 1)} if size else {}
    if "category" in parameters:
        query["category"] = parameters["category"]
    answer = _call(operation, token, parameters, query, shorten=True)
    return answer if answer.succeeded else None


def trial(token: ApiToken, operation: Operation, parameters: Mapping[str, str], query: Mapping[str, str]) -> Answer:
    """The answer that the token would get. Its networks and its calls are no part of this."""
    if not can_be_called(operation):
        raise ValueError(f"{operation.id} cannot be tried.")
    live = LiveToken.for_trial(token.tenant, token.permissions, id=token.id, name=token.name)
    return _call(operation, live, parameters, query)


def _call(
    operation: Operation,
    token: LiveToken,
    parameters: Mapping[str, str],
    query: Mapping[str, str],
    *,
    shorten: bool = False,
) -> Answer:
    path = {name: parameters.get(name, "") for name in api.path_parameters(operation)}
    host = token.tenant.api_host
    environ = {
        "HTTP_HOST": host,
        "SERVER_NAME": host.partition(":")[0],
        "SERVER_PORT": host.partition(":")[2] or ("443" if settings.HTTPS else "80"),
        "wsgi.url_scheme": settings.IRU_SCHEME,
    }
    request = request_for(
        operation, environ, subdomain=token.tenant.subdomain, token=token, parameters=path, query=query
    )
    with timezone.override(None):  # as for a call from outside, whatever the zone of the person is
        started = perf_counter()
        response = api.call(operation, request, path)
        milliseconds = round((perf_counter() - started) * 1000)
    value = json.loads(response.content) if response.content else None
    cut = False
    if shorten:
        value, cut = _shortened(value)
    text = json.dumps(value, ensure_ascii=False, indent=2) if response.content else ""
    return Answer(
        status=response.status_code,
        phrase=HTTPStatus(response.status_code).phrase,
        milliseconds=milliseconds,
        text=text[:LONGEST],
        cut=cut or len(text) > LONGEST,
    )


def _shortened(value: Any) -> tuple[Any, bool]:
    """The value with the first elements of each list and the beginning of long texts, and whether that leaves any out.

    A page of results may be cut by its size alone: its `next` says so.
    """
    match value:
        case dict():
            parts = {key: _shortened(each) for key, each in value.items()}
            more = isinstance(value.get("next"), str)
            return {key: part for key, (part, _) in parts.items()}, more or any(cut for _, cut in parts.values())
        case list():
            elements = [_shortened(each) for each in value[:FIRST]]
            return [part for part, _ in elements], len(value) > FIRST or any(cut for _, cut in elements)
        case str() if len(value) > LONGEST_TEXT:
            return f"{value[:LONGEST_TEXT]}…", True
    return value, False
