"""Vulnerabilities: the list, the page of each, and the vulnerabilities of a device."""

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.core.paginator import Paginator
from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_GET

from access.models import Tenant
from access.pages.bars import Bar, DrawnBar, drawn
from access.pages.guards import PageRequest, requires
from access.pages.responses import fragment, push_url
from access.pages.selection import marks
from access.roles import Capability
from devices.models import Severity
from devices.pages.device_frame import about, own_device
from devices.pages.forms.vulnerabilities import VulnerabilityFilter
from devices.pages.listing import PER_PAGE, listing
from devices.security.vulnerabilities import affected_devices, affected_software

MOST_THREATS = 100
TONES = {
    Severity.CRITICAL: "danger",
    Severity.HIGH: "warning",
    Severity.MEDIUM: "info",
    Severity.LOW: "",
    Severity.UNDEFINED: "muted",
}


def severity_bars(tenant: Tenant) -> list[DrawnBar]:
    """The number of vulnerabilities that devices have now, by severity. `Undefined` is included only if not 0."""
    active = tenant.vulnerabilities.filter(device_count__gt=0).order_by()
    counts = dict(active.values("severity").annotate(n=Count("*")).values_list("severity", "n"))
    address = reverse("vulnerabilities")
    return drawn(
        Bar(
            label=str(severity.label),
            count=counts.get(severity, 0),
            href=f"{address}?severity={severity.name.lower()}",
            tone=tone,
        )
        for severity, tone in TONES.items()
        if severity or counts.get(severity)
    )


@requires(Capability.VIEW)
@require_GET
def vulnerability_list(request: PageRequest) -> HttpResponse:
    filters = VulnerabilityFilter(request.GET, tenant=request.tenant)
    page = listing(filters.apply(), request.tenant.vulnerabilities.all(), request.GET.get("page"))
    context = {
        "page": page,
        "filters": filters,
        "query": urlencode(filters.chosen),
        "any_vulnerability": page.total > 0 or request.tenant.vulnerabilities.exists(),
        "bars": severity_bars(request.tenant),
    }
    response = fragment(request, "devices/vulnerabilities/list.html", "rows", context)
    return push_url(response, request, filters.chosen, page.number)


@requires(Capability.VIEW)
@require_GET
def vulnerability_page(request: PageRequest, cve_id: str) -> HttpResponse:
    vulnerability = get_object_or_404(request.tenant.vulnerabilities, cve_id=cve_id)
    numbers = Paginator(range(vulnerability.device_count), PER_PAGE).get_page(request.GET.get("page"))
    devices, _ = affected_devices(vulnerability, (), "name", (numbers.number - 1) * PER_PAGE, PER_PAGE)
    context = {
        "vulnerability": vulnerability,
        "software": affected_software(vulnerability),
        "page": numbers,
        "devices": devices,
        **marks(request, Capability.EDIT_DEVICES),
    }
    return render(request, "devices/vulnerabilities/page.html", context)


@requires(Capability.VIEW)
@require_GET
def device_security(request: PageRequest, device_id: UUID) -> HttpResponse:
    device = own_device(request, device_id)
    detections = device.vulnerability_detections.filter(remediated_at=None)
    found = detections.select_related("vulnerability", "software").order_by(
        "-vulnerability__known_exploited", "-severity", "vulnerability__cve_id", "pk"
    )
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    context: dict[str, Any] = {
        "page": page,
        "threats": device.threats.order_by("-detected_at", "-pk")[:MOST_THREATS],
        "events": device.behavioral_detections.order_by("-detected_at", "-pk")[:MOST_THREATS],
    }
    return render(request, "devices/security.html", about(request, device, "security", **context))
