"""API reference: every operation of the API, with the addresses of this organization."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from access.pages.guards import PageRequest, manages_access, requires
from access.pages.responses import fragment
from access.roles import Capability, may
from devices.api import openapi
from devices.api.routing import Operation
from devices.pages.forms.reference import TrialForm
from devices.pages.reference_calls import (
    NO_TRIAL,
    Answer,
    can_be_called,
    is_secret,
    may_see_sample,
    operation_named,
    sample,
    trial,
)
from devices.pages.reference_entries import Area, Entry, areas, found
from devices.pages.reference_examples import body_of, curl, python, reachable
from devices.pages.reference_objects import ids_for, is_final

LONGEST_SEARCH = 100
ALONE, IN_LIST = 2, 4  # levels of the headings of one operation


@requires(Capability.VIEW)
@require_GET
def reference(request: PageRequest) -> HttpResponse:
    everything = _areas(request.tenant.api_origin)
    text = request.GET.get("q", "")[:LONGEST_SEARCH].strip()
    shown = found(everything, text) if text else everything
    entries = _entries(shown)
    context: dict[str, Any] = {
        "areas": shown,
        "text": text,
        "count": len(entries),
        "total": len(_entries(everything)),
    }
    if len(entries) == 1:  # it is shown open
        context |= {**_context(request, entries[0]), "heading": IN_LIST}
    response = fragment(request, "devices/reference.html", "results", context)
    if request.htmx:
        response["HX-Push-Url"] = f"{request.path}?{urlencode({'q': text})}" if text else request.path
    return response


@requires(Capability.VIEW)
@require_GET
def changes(request: PageRequest) -> HttpResponse:
    """The rules for changes of the API, its deprecated operations, and its additions to the public API."""
    entries = _entries(_areas(request.tenant.api_origin))
    context = {
        "deprecated": [entry for entry in entries if entry.instead],
        "additions": [entry for entry in entries if entry.ours],
    }
    return render(request, "devices/reference_changes.html", context)


@requires(Capability.VIEW)
@require_GET
def download(request: PageRequest) -> HttpResponse:
    """The OpenAPI document that the page is made from, as a file."""
    return HttpResponse(
        openapi.as_json(request.tenant.api_origin),
        content_type="application/json",
        headers={"Content-Disposition": 'attachment; filename="openapi.json"'},
    )


@requires(Capability.VIEW)
@require_GET
def operation(request: PageRequest, operation_id: str) -> HttpResponse:
    """One operation, with example calls for objects of the tenant. The list of operations opens it in place."""
    entry, _ = _found(request, operation_id)
    return fragment(request, "devices/reference_operation.html", "body", _context(request, entry))


@requires(Capability.VIEW)
@require_GET
def answer(request: PageRequest, operation_id: str) -> HttpResponse:
    """A real answer of the tenant, shortened."""
    entry, found = _found(request, operation_id)
    if not may_see_sample(request.user, found):
        raise PermissionDenied
    values = ids_for(request.tenant, entry)
    context = {"sample": sample(request.tenant, found, values), "sampled": True}
    if not request.htmx:
        context |= _context(request, entry)
    return fragment(request, "devices/reference_operation.html", "sample", context)


@manages_access
@require_GET
def attempt(request: PageRequest, operation_id: str) -> HttpResponse:
    """The answer of a GET under the permissions of a token, which the person chooses."""
    entry, found = _found(request, operation_id)
    if found.method == "GET" and is_secret(found):
        return _refused(request, entry)
    if not can_be_called(found):
        raise Http404
    form = _form(request, entry, request.GET)
    result: Answer | None = None
    if form.is_valid():
        result = trial(form.token, found, form.given(form.path), form.given(form.query))
    context = {**_context(request, entry), "form": form, "result": result}
    status = 200 if result else 422
    return fragment(request, "devices/reference_operation.html", "trial", context, status=status)


def _refused(request: PageRequest, entry: Entry) -> HttpResponse:
    return fragment(request, "devices/reference_operation.html", "trial", _context(request, entry), status=403)


def _found(request: PageRequest, operation_id: str) -> tuple[Entry, Operation]:
    """Raises Http404 for an operation that does not exist."""
    entries = _entries(_areas(request.tenant.api_origin))
    entry = next((each for each in entries if each.id == operation_id), None)
    found = operation_named(operation_id)
    if entry is None or found is None:
        raise Http404
    return entry, found


def _context(request: PageRequest, entry: Entry) -> dict[str, Any]:
    """What the template of one operation shows, the sample and the answer of a trial aside."""
    _, found = _found(request, entry.id)
    values = ids_for(request.tenant, entry)
    body = body_of(entry, openapi.document(request.tenant.api_origin)["components"]["schemas"], values)
    called = reachable(entry, request.tenant)
    manages = may(request.user, Capability.MANAGE_ACCESS)
    return {
        "entry": entry,
        "heading": IN_LIST if request.htmx else ALONE,
        "curl": curl(called, body, values),
        "python": python(called, body, values),
        "final": is_final(entry) and "{" in entry.url,
        "has_sample": may_see_sample(request.user, found),
        "no_trial": NO_TRIAL if entry.method == "GET" and is_secret(found) else "",
        "form": _form(request, entry, None, values) if manages and can_be_called(found) else None,
    }


def _form(
    request: PageRequest, entry: Entry, data: Mapping[str, Any] | None, values: Mapping[str, str] | None = None
) -> TrialForm:
    tokens = request.tenant.api_tokens.in_state("active").select_related("tenant").order_by("name", "pk")
    return TrialForm(data, entry=entry, tokens=tokens, values=values or {})


@lru_cache(maxsize=64)
def _areas(origin: str) -> list[Area]:
    return areas(openapi.document(origin))


def _entries(areas: list[Area]) -> list[Entry]:
    return [entry for area in areas for section in area.sections for entry in section.entries]
