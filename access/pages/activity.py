"""Activity: every event of the tenant, newest first, with filters, and as CSV and JSON."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import orjson
from django.http import HttpResponse, StreamingHttpResponse
from django.utils import timezone
from django.views.decorators.http import require_GET

from access.audit.subjects import subject_label
from access.models import AuditEvent, AuditHead, Tenant
from access.models.audit import AuditEventQuerySet
from access.pages.exports import csv_response, pages_of
from access.pages.forms.activity import ActivityFilter
from access.pages.guards import PageRequest, requires
from access.pages.responses import fragment, push_url
from access.replica import replica_for
from access.roles import Capability
from access.webhooks.outbox import public

PER_PAGE = 50
# A search in names: events of the first query, and of the longest; seconds after which no other one begins.
FIRST_WINDOW, LONGEST_WINDOW = 10_000, 160_000
LONGEST_SEARCH = 0.7
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
    """Events of one page. `older` is the number before which the next page begins; 0 on the last page.

    `searched` is how far back a text was looked for, where the time for one page ended before the trail.
    """

    events: list[AuditEvent]
    older: int
    searched: datetime | None = None


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
    events = _events(request, ActivityFilter(request.GET, tenant=request.tenant))
    return csv_response(request, "activity", HEADER, ([_cells(event) for event in page] for page in pages_of(events)))


@requires(Capability.VIEW)
@require_GET
def export_json(request: PageRequest) -> StreamingHttpResponse:
    """The events as the API gives them, in one array."""
    events = _events(request, ActivityFilter(request.GET, tenant=request.tenant))
    name = f"activity-{request.tenant.subdomain}-{timezone.localdate().isoformat()}.json"
    return StreamingHttpResponse(
        _array(events),
        content_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _events(request: PageRequest, filters: ActivityFilter) -> AuditEventQuerySet:
    events: AuditEventQuerySet = filters.apply()
    return events.using(replica_for(request.tenant))


def _part(request: PageRequest, filters: ActivityFilter) -> Part:
    events = _events(request, filters)
    try:
        before = min(int(request.GET.get("before", "")), 2**62)
    except ValueError:
        before = 0
    if before > 0:
        events = events.filter(sequence__lt=before)
    if filters.by_text:
        return _search(request.tenant, events, before or AuditHead.objects.get(tenant=request.tenant).sequence + 1)
    found = list(events[: PER_PAGE + 1])
    return Part(found[:PER_PAGE], found[PER_PAGE - 1].sequence if len(found) > PER_PAGE else 0)


def _search(tenant: Tenant, events: AuditEventQuerySet, before: int) -> Part:
    """The newest events before that number whose names contain a text, and how far the time for one page went.

    No index finds a part of a name. So the trail is read backwards in windows: a text that is frequent is found in the
    first, and the time of a page, and of each query, does not grow with the trail.
    """
    numbers: list[int] = []
    end, window, until = before, FIRST_WINDOW, time.monotonic() + LONGEST_SEARCH
    while len(numbers) <= PER_PAGE and end > 1 and (end == before or time.monotonic() < until):
        end, window, last = max(end - window, 1), min(window * 2, LONGEST_WINDOW), end
        # The numbers come from an index that has the names too, so that the table is read for this page alone.
        part = events.filter(sequence__gte=end, sequence__lt=last).values_list("sequence", flat=True)
        numbers += part[: PER_PAGE + 1 - len(numbers)]
    every = tenant.audit_events.using(events.db)
    found = list(every.filter(sequence__in=numbers[:PER_PAGE]).order_by("-sequence"))
    if len(numbers) > PER_PAGE:
        return Part(found, found[-1].sequence)
    if end <= 1:
        return Part(found, 0)
    reached = every.filter(sequence__gte=end).order_by("sequence").values_list("occurred_at", flat=True)
    return Part(found, end, reached.first())


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
