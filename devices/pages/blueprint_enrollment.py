"""Enrolling devices into a Blueprint, or by its routing: the card with the link, its QR code and the profile."""

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
from devices.enrollment.links import Owner
from devices.enrollment.profiles import NoPushCertificate, enrollment_profile, push_certificate
from devices.enrollment.routing import routing_of
from devices.models import Blueprint
from devices.pages.enroll import profile_file


def enrollment(request: PageRequest, owner: Owner) -> dict[str, Any]:
    """What the card shows. Roles that may not change Blueprints see no link."""
    try:
        simulated, ready = push_certificate(request.tenant).simulated, True
    except NoPushCertificate:
        simulated, ready = False, False
    url = ""
    if owner.link_key and may(request.user, Capability.EDIT_BLUEPRINTS):
        url = web_origin() + reverse("enroll-link", args=[owner.link_key])
    return {
        "owner": owner,
        "can_enroll": ready,
        "only_simulated": simulated,
        "link_url": url,
        "link_picture": qr.picture(url) if url and ready else "",
        "code_url": web_origin() + reverse("enroll"),
        "create_url": _address("link", owner),
        "replace_url": _address("link-replace", owner),
        "profile_url": _address("profile", owner),
    }


@requires(Capability.EDIT_BLUEPRINTS)
@require_http_methods(["GET", "POST"])
def create_link(request: PageRequest, blueprint_id: UUID | None = None) -> HttpResponse:
    owner = _owner(request, blueprint_id)
    dialog = Dialog(
        f"Create a link for {_name(owner)}",
        "Create link",
        _address("", owner),
        about="Everybody who has it can enroll a device, until you replace it or change the enrollment code.",
    )
    return _change_link(request, owner, dialog, links.create_link, "The link is created.")


@requires(Capability.EDIT_BLUEPRINTS)
@require_http_methods(["GET", "POST"])
def replace_link(request: PageRequest, blueprint_id: UUID | None = None) -> HttpResponse:
    owner = _owner(request, blueprint_id)
    dialog = Dialog(
        f"Replace the link for {_name(owner)}?",
        "Replace link",
        _address("", owner),
        about="The old link and its QR code stop working at once. Profiles that were downloaded still enroll devices: "
        "to end those too, change the enrollment code.",
        danger=True,
    )
    return _change_link(request, owner, dialog, links.replace_link, "The old link does not work any more.")


@requires(Capability.EDIT_BLUEPRINTS)
@require_GET
def download(request: PageRequest, blueprint_id: UUID | None = None) -> HttpResponse:
    """Answer the profile. If no device can be enrolled, lead to the page that says what is missing."""
    owner = _owner(request, blueprint_id)
    try:
        return profile_file(enrollment_profile(owner))
    except ValidationError:
        return redirect(_address("", owner))


def _owner(request: PageRequest, blueprint_id: UUID | None) -> Owner:
    """The Blueprint, or the routing without an id."""
    if blueprint_id is None:
        return routing_of(request.tenant)
    return get_object_or_404(request.tenant.blueprints.select_related("tenant"), uuid=blueprint_id)


def _address(what: str, owner: Owner) -> str:
    """The page of the owner, or another one about it."""
    kind, ids = ("blueprint", [owner.uuid]) if isinstance(owner, Blueprint) else ("routing", [])
    return reverse("-".join(filter(None, (kind, what))), args=ids)


def _name(owner: Owner) -> str:
    return f"“{owner.name}”" if isinstance(owner, Blueprint) else "Blueprint routing"


def _change_link(
    request: PageRequest, owner: Owner, dialog: Dialog, change: Callable[..., Owner], notice: str
) -> HttpResponse:
    """Show the dialog; once it is confirmed, change the link and say so."""
    form = forms.Form(form_data(request))
    if form.is_valid():
        blueprint_id = owner.uuid if isinstance(owner, Blueprint) else None
        try:
            change(tenant=request.tenant, blueprint_id=blueprint_id, actor=request.actor)
        except ValidationError as error:
            refuse(form, error)
        else:
            return saved(request, dialog.back, "blueprints-changed", notice)
    return show(request, dialog, form)
