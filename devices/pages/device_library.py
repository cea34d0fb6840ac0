"""The Library on a device: what it is to have, what it has, and what failed. People have what failed tried again."""

from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from access.pages.bars import Bar, drawn
from access.pages.dialogs import Dialog, saved, show
from access.pages.guards import PageRequest, requires
from access.pages.responses import form_data, fragment
from access.roles import Capability
from devices.library.desired import retries
from devices.pages.device_frame import about, own_device
from devices.pages.forms.devices import name_of
from devices.pages.library import TONES
from devices.pages.library_progress import DELETED, Line, is_live, lines_of_device, state_of
from devices.text import as_words

ITEMS_PER_PAGE = 100
NO_MORE = "Nothing was changed: it has not failed any more."


@requires(Capability.VIEW)
@require_GET
def library(request: PageRequest, device_id: UUID) -> HttpResponse:
    device = own_device(request, device_id)
    lines = lines_of_device(device)
    counts = _counts(lines)
    chosen = request.GET.get("status", "").upper()
    chosen = chosen if chosen in counts else ""
    live = is_live(lines, device)
    state = state_of(lines, live=live)
    if request.htmx and request.GET.get("state") == state:
        return HttpResponse(status=204)  # the rows stay, and so does the focus in them
    shown = [line for line in lines if not chosen or line.status.upper() == chosen]
    context = {
        "page": Paginator(shown, ITEMS_PER_PAGE).get_page(request.GET.get("page")),
        "bars": drawn(_bars(counts)) if len(counts) > 1 else [],
        "chosen": chosen,
        "query": urlencode({"status": chosen}) if chosen else "",
        "state": state,
        "polls": live,
    }
    return fragment(request, "devices/library.html", "rows", about(request, device, "library", **context))


@requires(Capability.ACT_ON_DEVICES)
@require_POST
def retry(request: PageRequest, device_id: UUID, item_id: UUID) -> HttpResponse:
    """The address of the page of the item, with `from=item`, is where the person goes on; otherwise the device's."""
    device = own_device(request, device_id)
    of_item = request.GET.get("from") == "item"
    back = reverse("library-item-devices", args=[item_id]) if of_item else reverse("device-library", args=[device_id])
    try:
        row = retries.retry(tenant=request.tenant, device_id=device_id, item_id=item_id, actor=request.actor)
    except retries.NotFailed:
        return saved(request, back, "device-changed", NO_MORE, level=messages.WARNING)
    name = row.item.name if row.item else DELETED
    notice = f"“{name}” is tried again when “{name_of(device)}” connects."
    return saved(request, back, "device-changed", notice, level=messages.INFO)


@requires(Capability.ACT_ON_DEVICES)
@require_http_methods(["GET", "POST"])
def retry_failed(request: PageRequest, item_id: UUID) -> HttpResponse:
    item = get_object_or_404(request.tenant.library_items, uuid=item_id)
    back = reverse("library-item-devices", args=[item_id])
    form = forms.Form(form_data(request))
    if form.is_valid():
        try:
            count = retries.retry_failed(tenant=request.tenant, item_id=item_id, actor=request.actor)
        except retries.NotFailed:
            return saved(request, back, "library-changed", NO_MORE, level=messages.WARNING)
        notice = f"“{item.name}” is tried again on {_devices(count)}, which are woken one after the other."
        if count == 1:
            notice = f"“{item.name}” is tried again on 1 device, when it connects."
        return saved(request, back, "library-changed", notice, level=messages.INFO)
    count = retries.failures(item)
    dialog = Dialog(
        f"Retry “{item.name}” where it failed?",
        "Retry all failed",
        back,
        about=f"It has failed on {_devices(count)}. They are woken one after the other, and try it again at once."
        if count
        else "It has not failed on any device.",
        disabled=not count,
    )
    return show(request, dialog, form)


def _counts(lines: list[Line]) -> dict[str, int]:
    """The number of items in each status, the most frequent first."""
    counts: dict[str, int] = {}
    for line in lines:
        counts[line.status.upper()] = counts.get(line.status.upper(), 0) + 1
    return dict(sorted(counts.items(), key=lambda each: (-each[1], each[0])))


def _bars(counts: dict[str, int]) -> list[Bar]:
    return [
        Bar(label=as_words(status), count=count, href=f"?status={status}", tone=TONES.get(status, ""))
        for status, count in counts.items()
    ]


def _devices(count: int) -> str:
    return f"{count:,} device{'' if count == 1 else 's'}"
