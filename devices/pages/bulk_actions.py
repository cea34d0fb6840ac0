"""Bulk actions: the list, and the page of each with its progress and the result of each device."""

from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.core.paginator import Paginator
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from access.pages.bars import Bar, drawn
from access.pages.dialogs import Dialog, saved, show
from access.pages.exports import csv_response, pages_of
from access.pages.guards import PageRequest, requires
from access.pages.responses import form_data
from access.roles import Capability
from devices.bulk.actions import stop_bulk_action
from devices.models import BulkAction, BulkResult
from devices.pages.listing import PER_PAGE, listing

STATES = {"done": "success", "queued": "info", "skipped": "warning", "failed": "danger"}  # the tones of their bars


@requires(Capability.VIEW)
@require_GET
def action_list(request: PageRequest) -> HttpResponse:
    actions = request.tenant.bulk_actions.defer("ciphertext", "parameters").order_by("-id")
    page = Paginator(actions, PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "devices/bulk/list.html", {"page": page})


@requires(Capability.VIEW)
@require_GET
def action_page(request: PageRequest, bulk_action_id: UUID) -> HttpResponse:
    action = _own(request, bulk_action_id)
    chosen = request.GET.get("result", "")
    chosen = chosen if chosen in STATES else ""
    results = action.results.filter(status=chosen) if chosen else action.results.all()
    total = getattr(action, chosen) if chosen else action.total
    page = listing(results.order_by("id"), action.results.all(), request.GET.get("page"), total=total)
    targets = request.tenant.library_items if action.of_items else request.tenant.devices
    context = {
        "bulk_action": action,
        "bars": drawn(_bars(action)),
        "percent": round(100 * (action.total - action.queued) / action.total) if action.total else 100,
        "page": page,
        "chosen": chosen,
        "query": urlencode({"result": chosen}) if chosen else "",
        "present": set(
            targets.filter(uuid__in=[row.target_uuid for row in page.object_list]).values_list("uuid", flat=True)
        ),
        "target_url": "library-item" if action.of_items else "device",
    }
    piece = request.htmx.target if request.htmx and request.htmx.target in {"progress", "rows"} else ""
    response = render(request, f"devices/bulk/page.html{f'#{piece}' if piece else ''}", context)
    if piece == "progress" and action.ended_at:
        response["HX-Trigger"] = "bulk-ended"  # the page then loads the rows again
    return response


@requires(Capability.EDIT_DEVICES)
@require_http_methods(["GET", "POST"])
def stop(request: PageRequest, bulk_action_id: UUID) -> HttpResponse:
    action = _own(request, bulk_action_id)
    form = forms.Form(form_data(request))
    back = reverse("bulk-action", args=[bulk_action_id])
    if form.is_valid():
        stop_bulk_action(tenant=request.tenant, id=bulk_action_id, actor=request.actor)
        return saved(request, back, "bulk-changed", "The rest is skipped.")
    dialog = Dialog(
        f"Stop “{action.label}”?",
        "Stop",
        back,
        about="All that is still queued is skipped. Finished changes stay.",
        danger=True,
        facts={"Still queued": f"{action.queued:,}"},
    )
    return show(request, dialog, form)


@requires(Capability.VIEW)
@require_GET
def results(request: PageRequest, bulk_action_id: UUID) -> StreamingHttpResponse:
    action = _own(request, bulk_action_id)
    header = (
        ("Name", "ID", "Result", "Reason") if action.of_items else ("Name", "Serial number", "ID", "Result", "Reason")
    )
    columns = ("name", *(() if action.of_items else ("serial_number",)), "target_uuid", "status", "reason")
    rows = action.results.order_by("id").values_list(*columns)
    return csv_response(request, f"bulk-action-{action.uuid}", header, pages_of(rows))


def _own(request: PageRequest, id: UUID) -> BulkAction:
    action: BulkAction = get_object_or_404(request.tenant.bulk_actions.defer("ciphertext"), uuid=id)
    return action


def _bars(action: BulkAction) -> list[Bar]:
    labels = dict(BulkResult.Status.choices)
    return [
        Bar(label=str(labels[state]), count=getattr(action, state), href=f"?result={state}#rows", tone=tone)
        for state, tone in STATES.items()
    ]
