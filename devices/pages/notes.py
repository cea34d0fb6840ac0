"""The notes about a device."""

from uuid import UUID

from django import forms
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from access.http.bodies import takes_body
from access.pages.dialogs import Dialog, saved, show
from access.pages.guards import PageRequest, requires
from access.pages.responses import form_data, fragment
from access.roles import Capability
from devices.fleet import notes as services
from devices.models import Device
from devices.pages.device_frame import about, own_device
from devices.pages.forms.notes import NoteForm
from devices.pages.listing import PER_PAGE

NOTE_BODY = 256 * 1024  # bytes: 20,000 characters, each up to 12 bytes long in a form


@requires(Capability.VIEW)
@require_http_methods(["GET"])
def notes(request: PageRequest, device_id: UUID) -> HttpResponse:
    device = own_device(request, device_id)
    return _page(request, device, NoteForm())


@requires(Capability.EDIT_DEVICES)
@require_http_methods(["POST"])
@takes_body(NOTE_BODY)
def create(request: PageRequest, device_id: UUID) -> HttpResponse:
    device = own_device(request, device_id)
    form = NoteForm(request.POST)
    if not form.is_valid():
        return _page(request, device, form, status=422)
    services.create_note(
        tenant=request.tenant,
        device_id=device_id,
        content=form.cleaned_data["content"],
        actor=request.actor,
    )
    return saved(request, _back(device_id), "notes-changed", "Note added.")


@requires(Capability.EDIT_DEVICES)
@require_http_methods(["GET", "POST"])
@takes_body(NOTE_BODY)
def edit(request: PageRequest, device_id: UUID, note_id: UUID) -> HttpResponse:
    note = get_object_or_404(request.tenant.device_notes, device__uuid=device_id, uuid=note_id)
    form = NoteForm(form_data(request), initial={"content": note.content})
    if form.is_valid():
        services.update_note(
            tenant=request.tenant,
            device_id=device_id,
            note_id=note_id,
            content=form.cleaned_data["content"],
            actor=request.actor,
        )
        return saved(request, _back(device_id), "notes-changed", "Note saved.")
    return show(request, Dialog("Edit note", "Save", _back(device_id)), form)


@requires(Capability.EDIT_DEVICES)
@require_http_methods(["GET", "POST"])
def delete(request: PageRequest, device_id: UUID, note_id: UUID) -> HttpResponse:
    note = get_object_or_404(request.tenant.device_notes, device__uuid=device_id, uuid=note_id)
    if request.method == "POST":
        services.delete_note(tenant=request.tenant, device_id=device_id, note_id=note_id, actor=request.actor)
        return saved(request, _back(device_id), "notes-changed", "Note deleted.")
    dialog = Dialog(
        "Delete this note?",
        "Delete note",
        _back(device_id),
        about="The note cannot be restored.",
        danger=True,
        facts={"Written by": note.author, "Note": note.content[:300]},
    )
    return show(request, dialog, forms.Form())


def _page(request: PageRequest, device: Device, form: NoteForm, *, status: int = 200) -> HttpResponse:
    page = Paginator(device.notes.order_by("-created_at", "-pk"), PER_PAGE).get_page(request.GET.get("page"))
    context = about(request, device, "notes", page=page, form=form)
    return fragment(request, "devices/notes.html", "form", context, status=status)


def _back(device_id: UUID) -> str:
    return reverse("device-notes", args=[device_id])
