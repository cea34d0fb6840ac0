"""Activity: every event of the tenant, newest first, with filters, and as CSV and JSON."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import orjson
from django.http import HttpResponse, StreamingHttpResponse
from django.utils import timezone
from django.views.decorators.http import require_GET

from access.audit.subjects import subject_label
from access.models import AuditEvent
from access.models.audit import AuditEventQuerySet
from access.pages.exports import csv_response, pages_of
from access.pages.forms.activity import ActivityFilter
from access.pages.guards import PageRequest, requires
from access.pages.responses import fragment, push_url
from access.roles import Capability
from access.webhooks.outbox import public

PER_PAGE = 50
HEADER = (
    "Occurred at",
    "Instigator",
    "Kind of instigator",
    "Subject type",
    "Subject name",
    "Subject ID",
    "Action",
    "Event",
    "Changes",
    "Event ID",
)


@dataclass(frozen=True, slots=True)
class Part:
    """Events of one page. `older` is the number before which the next page begins; 0 on the last page."""

    events: list[AuditEvent]
    older: int


@requires(Capability.VIEW)
@require_GET
def activity(request: PageRequest) -> HttpResponse:
    filters = ActivityFilter(request.GET, tenant=request.tenant)
    part = _part(request, filters)
    context = {
        "part": part,
        "filters": filters,
        "query": urlencode(filters.chosen),
        "first_page": not request.GET.get("before"),
    }
    piece = "rows" if request.htmx.target == "rows" else "content"
    return push_url(fragment(request, "access/activity/list.html", piece, context), request, filters.chosen)


@requires(Capability.VIEW)
@require_GET
def export_csv(request: PageRequest) -> StreamingHttpResponse:
    events = ActivityFilter(request.GET, tenant=request.tenant).apply()
    return csv_response(request, "activity", HEADER, ([_cells(event) for event in page] for page in pages_of(events)))


@requires(Capability.VIEW)
@require_GET
def export_json(request: PageRequest) -> StreamingHttpResponse:
    """The events as the API gives them, in one array."""
    events = ActivityFilter(request.GET, tenant=request.tenant).apply()
    name = f"activity-{request.tenant.subdomain}-{timezone.localdate().isoformat()}.json"
    return StreamingHttpResponse(
        _array(events),
        content_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _part(request: PageRequest, filters: ActivityFilter) -> Part:
    events = filters.apply()
    try:
        before = min(int(request.GET.get("before", "")), 2**62)
    except ValueError:
        before = 0
    if before > 0:
        events = events.filter(sequence__lt=before)
    if filters.by_text:
        # The numbers come from an index that has the names too, so that the table is read for this page alone.
        numbers = list(events.values_list("sequence", flat=True)[: PER_PAGE + 1])
        events = request.tenant.audit_events.filter(sequence__in=numbers).order_by("-sequence")
    found = list(events[: PER_PAGE + 1])
    return Part(found[:PER_PAGE], found[PER_PAGE - 1].sequence if len(found) > PER_PAGE else 0)


def _cells(event: AuditEvent) -> list[Any]:
    return [
        event.occurred_at,
        event.actor_name,
        event.get_actor_type_display(),
        subject_label(event.target_type),
        event.target_name,
        event.target_id,
        event.action,
        event.summary,
        event.changes or "",
        event.ulid,
    ]


def _array(events: AuditEventQuerySet) -> Iterator[bytes]:
    yield b"["
    start = b""
    for page in pages_of(events):
        yield start + b",".join(orjson.dumps(public(event)) for event in page)
        start = b","
    yield b"]"
