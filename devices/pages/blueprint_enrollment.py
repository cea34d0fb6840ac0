"""Enrolling devices into a Blueprint: the card with the link, its QR code and the profile."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from access.addresses import web_origin
from access.pages import qr
from access.pages.dialogs import Dialog, refuse, saved, show
from access.pages.guards import PageRequest, requires
from access.pages.responses import form_data
from access.roles import Capability, may
from devices.enrollment import links
from devices.enrollment.profiles import NoPushCertificate, enrollment_profile, push_certificate
from devices.models import Blueprint
from devices.pages.enroll import profile_file


def enrollment(request: PageRequest, blueprint: Blueprint) -> dict[str, Any]:
    """What the card shows. Roles that may not change Blueprints see no link."""
    try:
        simulated, ready = push_certificate(request.tenant).simulated, True
    except NoPushCertificate:
        simulated, ready = False, False
    url = ""
    if blueprint.link_key and may(request.user, Capability.EDIT_BLUEPRINTS):
        url = web_origin() + reverse("enroll-link", args=[blueprint.link_key])
    return {
        "can_enroll": ready,
        "only_simulated": simulated,
        "link_url": url,
        "link_picture": qr.picture(url) if url and ready else "",
        "code_url": web_origin() + reverse("enroll"),
    }


@requires(Capability.EDIT_BLUEPRINTS)
@require_http_methods(["GET", "POST"])
def create_link(request: PageRequest, blueprint_id: UUID) -> HttpResponse:
    blueprint = get_object_or_404(request.tenant.blueprints, uuid=blueprint_id)
    dialog = Dialog(
        f"Create a link for “{blueprint.name}”",
        "Create link",
        reverse("blueprint", args=[blueprint_id]),
        about="Everybody who has it can enroll a device into this Blueprint, until you replace it or change the code.",
    )
    return _change_link(request, blueprint, dialog, links.create_link, "The link is created.")


@requires(Capability.EDIT_BLUEPRINTS)
@require_http_methods(["GET", "POST"])
def replace_link(request: PageRequest, blueprint_id: UUID) -> HttpResponse:
    blueprint = get_object_or_404(request.tenant.blueprints, uuid=blueprint_id)
    dialog = Dialog(
        f"Replace the link for “{blueprint.name}”?",
        "Replace link",
        reverse("blueprint", args=[blueprint_id]),
        about="The old link and its QR code stop working at once. Profiles that were downloaded still enroll devices: "
        "to end those too, change the enrollment code.",
        danger=True,
    )
    return _change_link(request, blueprint, dialog, links.replace_link, "The old link does not work any more.")


@requires(Capability.EDIT_BLUEPRINTS)
@require_GET
def download(request: PageRequest, blueprint_id: UUID) -> HttpResponse:
    """The profile itself; the page of the Blueprint, which says what is missing, if no device can be enrolled."""
    blueprint = get_object_or_404(request.tenant.blueprints.select_related("tenant"), uuid=blueprint_id)
    try:
        return profile_file(enrollment_profile(blueprint))
    except ValidationError:
        return redirect("blueprint", blueprint_id)


def _change_link(
    request: PageRequest, blueprint: Blueprint, dialog: Dialog, change: Callable[..., Blueprint], notice: str
) -> HttpResponse:
    """Show the dialog; once it is confirmed, change the link and say so."""
    form = forms.Form(form_data(request))
    if form.is_valid():
        try:
            change(tenant=request.tenant, blueprint_id=blueprint.uuid, actor=request.actor)
        except ValidationError as error:
            refuse(form, error)
        else:
            return saved(request, reverse("blueprint", args=[blueprint.uuid]), "blueprints-changed", notice)
    return show(request, dialog, form)
