"""Devices: the list, and the page of one device with what it is, runs, was told and did."""

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from access.roles import Capability, may
from access.services.audit import Actor
from access.views.pages import PageRequest, fragment, remembers, requires
from devices.commands import COMMANDS
from devices.forms.devices import DeviceFilter, DeviceForm, TypedName, name_of
from devices.models import Device, Fleet
from devices.models.devices import DeviceQuerySet
from devices.schemas import inventory
from devices.services import devices as services
from devices.services.lost_mode import ERROR
from devices.views.action_words import choices
from devices.views.device_facts import overview
from devices.views.device_history import history
from devices.views.dialogs import Dialog, refuse, saved, show
from devices.views.listing import PER_PAGE, listing
from devices.views.secret_kinds import kinds_of

APPS_PER_PAGE = 100
# Under which keys the families report an app: its name, the identifier that tells two apart, its version, its origin.
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
    whole = None if filters.narrowed else fleet_size(request)
    page = listing(filters.apply(), in_table(request), request.GET.get("page"), total=whole)
    context = {
        "page": page,
        "filters": filters,
        "query": urlencode(filters.chosen),
        "any_device": page.total > 0 or fleet_size(request) > 0,
    }
    response = fragment(request, "devices/list.html", "rows", context)
    return remembers(response, request, filters.chosen, page.number)


@requires(Capability.VIEW)
@require_GET
def device_page(request: PageRequest, device_id: UUID) -> HttpResponse:
    device = own_device(request, device_id)
    cards, found = overview(device)
    context = {"cards": cards, "details": found, "lost_mode": getattr(device, "lost_mode", None)}
    return render(request, "devices/overview.html", about(request, device, "overview", **context))


@requires(Capability.VIEW)
@require_GET
def apps(request: PageRequest, device_id: UUID) -> HttpResponse:
    device = own_device(request, device_id)
    reported = inventory.apps(request.tenant.devices.reported().get(pk=device.pk))["apps"]
    rows = sorted((_app(row) for row in reported), key=lambda app: app["name"].casefold())
    text = request.GET.get("q", "").strip()[:100]
    found = [app for app in rows if text.casefold() in f"{app['name']}\n{app['identifier']}".casefold()]
    page = Paginator(found, APPS_PER_PAGE).get_page(request.GET.get("page"))
    chosen = {"q": text} if text else {}
    context = {"page": page, "text": text, "query": urlencode(chosen), "any_app": bool(rows)}
    response = fragment(request, "devices/apps.html", "rows", about(request, device, "apps", **context))
    return remembers(response, request, chosen, page.number)


@requires(Capability.VIEW)
@require_GET
def commands(request: PageRequest, device_id: UUID) -> HttpResponse:
    device = own_device(request, device_id)
    page = Paginator(device.commands.newest_first(), PER_PAGE).get_page(request.GET.get("page"))
    labels = {id: command.label for id, command in COMMANDS.items()}
    context = about(request, device, "commands", page=page, labels_of_commands=labels)
    return render(request, "devices/commands.html", context)


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
    form = DeviceForm(request.POST if request.method == "POST" else None, device=device)
    back = reverse("device", args=[device_id])
    if form.is_bound and form.is_valid():
        try:
            services.update_device(
                tenant=request.tenant, device_id=device_id, actor=Actor.of(request.user), **form.changes()
            )
        except Device.DoesNotExist:
            raise Http404 from None
        except ValidationError as error:
            refuse(form, error)
        else:
            return saved(request, back, "devices-changed", "Saved.", tabs=True)
    return show(request, Dialog(f"Edit {device.name}", "Save", back), form)


@requires(Capability.ACT_ON_DEVICES)
@require_http_methods(["GET", "POST"])
def delete(request: PageRequest, device_id: UUID) -> HttpResponse:
    device = own_device(request, device_id)
    form = TypedName(request.POST if request.method == "POST" else None, expected=name_of(device))
    if form.is_bound and form.is_valid():
        try:
            services.delete_device(tenant=request.tenant, device_id=device_id, actor=Actor.of(request.user))
        except Device.DoesNotExist:
            raise Http404 from None
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


def own_device(request: PageRequest, device_id: UUID) -> Device:
    """The tenant's device of that id, with what every page about it shows."""
    device = request.tenant.devices.complete().filter(uuid=device_id).first()
    if device is None:
        raise Http404
    return device


def about(request: PageRequest, device: Device, tab: str, **context: Any) -> dict[str, Any]:
    """The context of one tab of a device's page."""
    acts = may(request.user, Capability.ACT_ON_DEVICES)
    return {
        "device": device,
        "tab": tab,
        "action_groups": choices(device) if acts else [],
        "lost_mode_failed": acts and device.lost_mode_status == ERROR,
        "has_secrets": bool(kinds_of(device.platform)) and may(request.user, Capability.READ_SECRETS),
        **context,
    }


def in_table(request: PageRequest) -> DeviceQuerySet:
    """Devices as `devices/table.html` lists them."""
    related = request.tenant.devices.select_related("blueprint", "user").prefetch_related("tags")
    return related.defer("record")


def fleet_size(request: PageRequest) -> int:
    return Fleet.objects.filter(tenant=request.tenant).values_list("device_count", flat=True).first() or 0


def _app(row: dict[str, Any]) -> dict[str, str]:
    return {column: next((str(row[key]) for key in keys if row.get(key)), "") for column, keys in APP_KEYS.items()}
