"""Devices: the list, and the page of one device with overview, apps, commands and activity."""

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from access.pages.dialogs import Dialog, refuse, saved, show
from access.pages.guards import PageRequest, requires
from access.pages.responses import form_data, fragment, push_url
from access.pages.selection import marks
from access.roles import Capability
from devices.fleet import devices as services
from devices.inventory import lists as inventory
from devices.pages.device_commands import carrier_link, carrier_warning
from devices.pages.device_connection import are_live, connection, state_of
from devices.pages.device_declarations import declared
from devices.pages.device_frame import about, fleet_size, in_table, own_device
from devices.pages.device_history import history
from devices.pages.device_overview import overview
from devices.pages.forms.devices import DeviceFilter, DeviceForm, TypeToConfirmForm, name_of
from devices.pages.listing import PER_PAGE, listing

APPS_PER_PAGE = 100
# The keys under which device families report the name, the unique identifier, the version and the origin of an app.
APP_KEYS = {
    "name": ("app_name", "display_name", "name", "bundle_id", "package_name"),
    "identifier": ("bundle_id", "package_name", "product_code"),
    "version": ("version", "version_name"),
    "source": ("source", "publisher_display_name", "publisher", "application_source"),
}


@requires(Capability.VIEW)
@require_GET
def device_list(request: PageRequest) -> HttpResponse:
    filters = DeviceFilter(request.GET, tenant=request.tenant)
    total = None if filters.found else fleet_size(request)
    page = listing(filters.apply(), in_table(request), request.GET.get("page"), total=total)
    context = {
        "page": page,
        "filters": filters,
        "query": urlencode(filters.chosen),
        **marks(request, Capability.EDIT_DEVICES),
        "any_device": page.total > 0 or fleet_size(request) > 0,
    }
    response = fragment(request, "devices/list.html", "rows", context)
    return push_url(response, request, filters.chosen, page.number)


@requires(Capability.VIEW)
@require_GET
def device_page(request: PageRequest, device_id: UUID) -> HttpResponse:
    device = own_device(request, device_id)
    cards, details = overview(device)
    context = {
        "cards": cards,
        "details": details,
        "connection": connection(device),
        "declared": declared(device),
        "lost_mode": getattr(device, "lost_mode", None),
    }
    return render(request, "devices/overview.html", about(request, device, "overview", **context))


@requires(Capability.VIEW)
@require_GET
def apps(request: PageRequest, device_id: UUID) -> HttpResponse:
    device = own_device(request, device_id)
    reported = inventory.apps(request.tenant.devices.reported().get(pk=device.pk))["apps"]
    rows = sorted((_app(row) for row in reported), key=lambda app: app["name"].casefold())
    text = request.GET.get("q", "").strip()[:100]
    matches = [app for app in rows if text.casefold() in f"{app['name']}\n{app['identifier']}".casefold()]
    page = Paginator(matches, APPS_PER_PAGE).get_page(request.GET.get("page"))
    parameters = {"q": text} if text else {}
    context = {"page": page, "text": text, "query": urlencode(parameters), "any_app": bool(rows)}
    response = fragment(request, "devices/apps.html", "rows", about(request, device, "apps", **context))
    return push_url(response, request, parameters, page.number)


@requires(Capability.VIEW)
@require_GET
def commands(request: PageRequest, device_id: UUID) -> HttpResponse:
    device = own_device(request, device_id)
    page = Paginator(device.commands.newest_first(), PER_PAGE).get_page(request.GET.get("page"))
    state = state_of(page.object_list)
    if request.htmx and request.GET.get("state") == state:
        return HttpResponse(status=204)  # the rows stay, and so does the focus in them
    warning = {"warning": carrier_warning(request.tenant), "link": carrier_link(request.user)}
    context = about(request, device, "commands", page=page, **warning)
    # The head says as well whether the device is locked, or in Lost Mode.
    context |= {"state": state, "polls": are_live(page.object_list), "moved": request.htmx and "state" in request.GET}
    return fragment(request, "devices/commands.html", "rows", context)


@requires(Capability.VIEW)
@require_GET
def activity(request: PageRequest, device_id: UUID) -> HttpResponse:
    device = own_device(request, device_id)
    page = history(device, request.GET.get("page"))
    return render(request, "devices/activity.html", about(request, device, "activity", page=page))


@requires(Capability.EDIT_DEVICES)
@require_http_methods(["GET", "POST"])
def edit(request: PageRequest, device_id: UUID) -> HttpResponse:
    device = own_device(request, device_id)
    form = DeviceForm(form_data(request), device=device)
    back = reverse("device", args=[device_id])
    if form.is_valid():
        try:
            services.update_device(tenant=request.tenant, device_id=device_id, actor=request.actor, **form.changes())
        except ValidationError as error:
            refuse(form, error)
        else:
            return saved(request, back, "devices-changed", "Saved.", tabs=True)
    return show(request, Dialog(f"Edit {device.name}", "Save", back), form)


@requires(Capability.ACT_ON_DEVICES)
@require_http_methods(["GET", "POST"])
def delete(request: PageRequest, device_id: UUID) -> HttpResponse:
    device = own_device(request, device_id)
    form = TypeToConfirmForm(form_data(request), expected=name_of(device))
    if form.is_valid():
        services.delete_device(tenant=request.tenant, device_id=device_id, actor=request.actor)
        return saved(request, reverse("devices"), "devices-changed", f"The record of “{device.name}” is deleted.")
    dialog = Dialog(
        f"Delete the record of “{device.name}”?",
        "Delete record",
        reverse("device", args=[device_id]),
        about="Its inventory, notes, activity, commands and secrets are deleted here, among them recovery keys and "
        "PINs. Nothing is sent to the device. This cannot be undone.",
        danger=True,
    )
    return show(request, dialog, form)


def _app(row: dict[str, Any]) -> dict[str, str]:
    return {column: next((str(row[key]) for key in keys if row.get(key)), "") for column, keys in APP_KEYS.items()}
