"""API reference: every operation of the API, with the addresses of this organization."""

from functools import lru_cache
from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from access.pages.guards import PageRequest, requires
from access.pages.responses import fragment
from access.roles import Capability
from devices.api import openapi
from devices.pages.reference_entries import Area, Entry, areas, found

LONGEST_SEARCH = 100


@requires(Capability.VIEW)
@require_GET
def reference(request: PageRequest) -> HttpResponse:
    everything = _areas(request.tenant.api_origin)
    text = request.GET.get("q", "")[:LONGEST_SEARCH].strip()
    shown = found(everything, text) if text else everything
    context = {"areas": shown, "text": text, "count": len(_entries(shown)), "total": len(_entries(everything))}
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


@lru_cache(maxsize=64)
def _areas(origin: str) -> list[Area]:
    return areas(openapi.document(origin))


def _entries(areas: list[Area]) -> list[Entry]:
    return [entry for area in areas for section in area.sections for entry in section.entries]
