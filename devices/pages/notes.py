"""The notes about a device."""

from uuid import UUID

from django import forms
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from access.audit.events import Actor
from access.pages.guards import PageRequest, fragment, requires
from access.roles import Capability
from devices.fleet import notes as services
from devices.models import Device, DeviceNote
from devices.pages.device_frame import about, own_device
from devices.pages.dialogs import Dialog, saved, show
from devices.pages.forms.notes import NoteForm
from devices.pages.listing import PER_PAGE


@requires(Capability.VIEW)
@require_http_methods(["GET"])
def notes(request: PageRequest, device_id: UUID) -> HttpResponse:
    device = own_device(request, device_id)
    return _page(request, device, NoteForm())


@requires(Capability.EDIT_DEVICES)
@require_http_methods(["POST"])
def create(request: PageRequest, device_id: UUID) -> HttpResponse:
    device = own_device(request, device_id)
    form = NoteForm(request.POST)
    if not form.is_valid():
        return _page(request, device, form, status=422)
    try:
        services.create_note(
            tenant=request.tenant,
            device_id=device_id,
            content=form.cleaned_data["content"],
            actor=Actor.of(request.user),
        )
    except Device.DoesNotExist:
        raise Http404 from None
    return saved(request, _back(device_id), "notes-changed", "Note added.")


@requires(Capability.EDIT_DEVICES)
@require_http_methods(["GET", "POST"])
def edit(request: PageRequest, device_id: UUID, note_id: UUID) -> HttpResponse:
    note = _own_note(request, device_id, note_id)
    form = NoteForm(request.POST if request.method == "POST" else None, initial={"content": note.content})
    if form.is_bound and form.is_valid():
        try:
            services.update_note(
                tenant=request.tenant,
                device_id=device_id,
                note_id=note_id,
                content=form.cleaned_data["content"],
                actor=Actor.of(request.user),
            )
        except DeviceNote.DoesNotExist:
            raise Http404 from None
        return saved(request, _back(device_id), "notes-changed", "Note saved.")
    return show(request, Dialog("Edit note", "Save", _back(device_id)), form)


@requires(Capability.EDIT_DEVICES)
@require_http_methods(["GET", "POST"])
def delete(request: PageRequest, device_id: UUID, note_id: UUID) -> HttpResponse:
    note = _own_note(request, device_id, note_id)
    if request.method == "POST":
        try:
            services.delete_note(
                tenant=request.tenant, device_id=device_id, note_id=note_id, actor=Actor.of(request.user)
            )
        except DeviceNote.DoesNotExist:
            raise Http404 from None
        return saved(request, _back(device_id), "notes-changed", "Note deleted.")
    dialog = Dialog(
        "Delete this note?",
        "Delete note",
        _back(device_id),
        about="What it says is gone for good.",
        danger=True,
        facts={"Written by": note.author, "Note": note.content[:300]},
    )
    return show(request, dialog, forms.Form())


def _own_note(request: PageRequest, device_id: UUID, note_id: UUID) -> DeviceNote:
    note = request.tenant.device_notes.filter(device__uuid=device_id, uuid=note_id).first()
    if note is None:
        raise Http404
    return note


def _page(request: PageRequest, device: Device, form: NoteForm, *, status: int = 200) -> HttpResponse:
    page = Paginator(device.notes.order_by("-created_at", "-pk"), PER_PAGE).get_page(request.GET.get("page"))
    context = about(request, device, "notes", page=page, form=form)
    return fragment(request, "devices/notes.html", "form", context, status=status)


def _back(device_id: UUID) -> str:
    return reverse("device-notes", args=[device_id])
