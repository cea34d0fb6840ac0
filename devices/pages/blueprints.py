"""Blueprints: the list, and the page of one with its enrollment code and its library items."""

from typing import Any, NamedTuple
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Prefetch
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from access.models import Tenant
from access.pages.dialogs import Dialog, refuse, saved, show
from access.pages.guards import PageRequest, requires
from access.pages.responses import form_data, fragment, push_url
from access.pages.selection import marks
from access.roles import Capability
from devices.blueprints import blueprints as services
from devices.library.assignment import assign_library_item, remove_library_item
from devices.library.statuses import counts_in, light
from devices.models import Assignment, Blueprint, LibraryItem
from devices.pages.assignment_map import assignment_map
from devices.pages.blueprint_enrollment import enrollment
from devices.pages.forms.blueprints import BlueprintFilter, BlueprintForm, LibraryItemForm, NewBlueprintForm
from devices.pages.forms.devices import TypeToConfirmForm
from devices.pages.library_progress import Share, shares
from devices.pages.listing import listing
from devices.pages.required_versions import requirements

# Devices times items whose statuses are counted on the page of a Blueprint, which takes a quarter of a second.
COUNTED = 100_000


class Assigned(NamedTuple):
    """A library item that is assigned to a classic Blueprint, and how it is on the Blueprint's devices."""

    pk: int
    library_item: LibraryItem
    shares: list[Share]


@requires(Capability.VIEW)
@require_GET
def blueprint_list(request: PageRequest) -> HttpResponse:
    filters = BlueprintFilter(request.GET, tenant=request.tenant)
    page = listing(filters.apply(), filters.counted(), request.GET.get("page"))
    context = {
        "page": page,
        "filters": filters,
        "query": urlencode(filters.chosen),
        **marks(request, Capability.EDIT_DEVICES),
        "any_blueprint": page.total > 0 or request.tenant.blueprints.exists(),
    }
    response = fragment(request, "devices/blueprints/list.html", "rows", context)
    return push_url(response, request, filters.chosen, page.number)


@requires(Capability.VIEW)
@require_GET
def blueprint_page(request: PageRequest, blueprint_id: UUID) -> HttpResponse:
    blueprint: Any = get_object_or_404(request.tenant.blueprints.counted(), uuid=blueprint_id)
    context: dict[str, Any] = {
        "blueprint": blueprint,
        "requirements": requirements(blueprint),
        **enrollment(request, blueprint),
    }
    if blueprint.type == Blueprint.Type.MAP:
        devices = blueprint.computers_count
        context |= assignment_map(blueprint, device_count=devices, count="count" in request.GET)
    else:
        context["assignments"] = _assigned(request.tenant, blueprint, devices=blueprint.computers_count)
    return render(request, "devices/blueprints/page.html", context)


@requires(Capability.EDIT_BLUEPRINTS)
@require_http_methods(["GET", "POST"])
def create(request: PageRequest) -> HttpResponse:
    form = NewBlueprintForm(form_data(request), tenant=request.tenant)
    if form.is_valid():
        fields = form.cleaned_data
        kind, _, id = fields.pop("source").partition(":")
        try:
            source = services.source_of(tenant=request.tenant, type=kind, id=id) if id else None
            blueprint = services.create_blueprint(tenant=request.tenant, actor=request.actor, source=source, **fields)
        except ValidationError as error:
            refuse(form, error)
        else:
            notice = f"“{blueprint.name}” is created."
            return saved(request, reverse("blueprint", args=[blueprint.uuid]), "blueprints-changed", notice)
    return show(request, Dialog("New Blueprint", "Create", reverse("blueprints")), form)


@requires(Capability.EDIT_BLUEPRINTS)
@require_http_methods(["GET", "POST"])
def edit(request: PageRequest, blueprint_id: UUID) -> HttpResponse:
    blueprint = get_object_or_404(request.tenant.blueprints.counted(), uuid=blueprint_id)
    form = BlueprintForm.of(blueprint, form_data(request))
    back = reverse("blueprint", args=[blueprint_id])
    if form.is_valid():
        try:
            services.update_blueprint(
                tenant=request.tenant, blueprint_id=blueprint_id, actor=request.actor, **_changes(form)
            )
        except ValidationError as error:
            refuse(form, error)
        else:
            return saved(request, back, "blueprints-changed", "Saved.")
    return show(request, Dialog(f"Edit {blueprint.name}", "Save", back), form)


@requires(Capability.EDIT_BLUEPRINTS)
@require_http_methods(["GET", "POST"])
def delete(request: PageRequest, blueprint_id: UUID) -> HttpResponse:
    blueprint: Any = get_object_or_404(request.tenant.blueprints.counted(), uuid=blueprint_id)
    count = blueprint.computers_count
    expected = blueprint.name if count else ""  # typed only when devices depend on the Blueprint
    form = TypeToConfirmForm(form_data(request), expected=expected)
    if form.is_valid():
        services.delete_blueprint(tenant=request.tenant, blueprint_id=blueprint_id, actor=request.actor)
        return saved(request, reverse("blueprints"), "blueprints-changed", f"“{blueprint.name}” is deleted.")
    consequence = "No device is in it. Its enrollment code stops working."
    if count:
        consequence = (
            f"{count:,} devices are in it. They stop being managed and show as removed until they are assigned to "
            "another Blueprint. Their secrets, notes and history stay."
        )
    if count == 1:
        consequence = (
            "1 device is in it. It stops being managed and shows as removed until it is assigned to another Blueprint. "
            "Its secrets, notes and history stay."
        )
    dialog = Dialog(
        f"Delete “{blueprint.name}”?",
        "Delete Blueprint",
        reverse("blueprint", args=[blueprint_id]),
        about=f"{consequence} This cannot be undone.",
        danger=True,
    )
    return show(request, dialog, form)


@requires(Capability.EDIT_BLUEPRINTS)
@require_http_methods(["GET", "POST"])
def assign(request: PageRequest, blueprint_id: UUID) -> HttpResponse:
    blueprint = get_object_or_404(request.tenant.blueprints.counted(), uuid=blueprint_id)
    form = LibraryItemForm(form_data(request), blueprint=blueprint, branch=request.GET.get("branch", ""))
    back = reverse("blueprint", args=[blueprint_id])
    if form.is_valid():
        try:
            assign_library_item(
                tenant=request.tenant,
                blueprint_id=blueprint_id,
                library_item_id=form.library_item_id,
                node_id=form.node_id,
                actor=request.actor,
            )
        except ValidationError as error:
            refuse(form, error)
        else:
            return saved(request, back, "blueprints-changed", "The library item is assigned.")
    dialog = Dialog(
        f"Assign a library item to “{blueprint.name}”",
        "Assign",
        back,
        about=(
            "Every device in this Blueprint gets it with its next check-in."
            if blueprint.type == Blueprint.Type.CLASSIC
            else "The devices that the branch is for get it with their next check-in."
        ),
    )
    return show(request, dialog, form)


@requires(Capability.EDIT_BLUEPRINTS)
@require_http_methods(["GET", "POST"])
def remove(request: PageRequest, blueprint_id: UUID, assignment_id: int) -> HttpResponse:
    blueprint = get_object_or_404(request.tenant.blueprints.counted(), uuid=blueprint_id)
    assignment = get_object_or_404(blueprint.assignments.select_related("library_item", "node"), pk=assignment_id)
    form = forms.Form(form_data(request))
    back = reverse("blueprint", args=[blueprint_id])
    if form.is_valid():
        try:
            remove_library_item(
                tenant=request.tenant,
                blueprint_id=blueprint_id,
                library_item_id=assignment.library_item.uuid,
                node_id=assignment.node.uuid if assignment.node else None,
                actor=request.actor,
            )
        except ValidationError as error:
            refuse(form, error)
        else:
            return saved(request, back, "blueprints-changed", "The library item is removed from the Blueprint.")
    return show(request, _removal(blueprint, assignment, back), form)


def _assigned(tenant: Tenant, blueprint: Blueprint, *, devices: int) -> list[Assigned]:
    of_items = Prefetch("library_item", light(tenant))
    rows = list(blueprint.assignments.prefetch_related(of_items).order_by("library_item__name", "pk"))
    given = {row.library_item_id: row.library_item for row in rows}
    counts = counts_in(blueprint, given.values()) if len(given) * devices <= COUNTED else {}
    return [Assigned(row.pk, row.library_item, shares(counts.get(row.library_item_id, {}))) for row in rows]


def _removal(blueprint: Blueprint, assignment: Assignment, back: str) -> Dialog:
    place = f", branch “{assignment.node.name}”" if assignment.node else ""
    return Dialog(
        f"Remove “{assignment.library_item.name}”?",
        "Remove",
        back,
        about=f"Devices in “{blueprint.name}”{place} no longer get it. It stays in the Library.",
        danger=True,
    )


def _changes(form: BlueprintForm) -> dict[str, Any]:
    """The fields to change. A blank color, icon or code stays as it is, as through the API."""
    optional = {"color", "icon", "enrollment_code"}
    return {name: value for name, value in form.cleaned_data.items() if value != "" or name not in optional}
