"""Create, edit and delete library items in dialogs."""

from collections.abc import Callable
from typing import Any, NamedTuple
from uuid import UUID

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from access.http.bodies import takes_files
from access.pages.dialogs import Dialog, refuse, saved, show
from access.pages.guards import PageRequest, requires
from access.pages.responses import form_data
from access.roles import Capability
from devices.library import items, profiles, scripts
from devices.library.kinds import CUSTOM_PROFILE, CUSTOM_SCRIPT, Kind, kind_of
from devices.models import LibraryItem
from devices.pages.forms.library import ProfileForm, ScriptForm

CHANGED = "library-changed"


class Editor(NamedTuple):
    """The dialog of a kind of items: its form, and the functions that create and update."""

    kind: Kind
    form: Callable[..., Any]
    create: Callable[..., LibraryItem]
    update: Callable[..., LibraryItem]
    about_edit: str = ""


SCRIPTS = Editor(CUSTOM_SCRIPT, ScriptForm, scripts.create_script, scripts.update_script)
PROFILES = Editor(
    CUSTOM_PROFILE,
    ProfileForm,
    profiles.create_profile,
    profiles.update_profile,
    about_edit="Devices install the profile again after any change.",
)
EDITORS = {editor.kind.type: editor for editor in (SCRIPTS, PROFILES)}


@takes_files(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
@requires(Capability.EDIT_LIBRARY)
@require_http_methods(["GET", "POST"])
def create_script(request: PageRequest) -> HttpResponse:
    return _create(request, SCRIPTS)


@takes_files(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
@requires(Capability.EDIT_LIBRARY)
@require_http_methods(["GET", "POST"])
def create_profile(request: PageRequest) -> HttpResponse:
    return _create(request, PROFILES)


@takes_files(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
@requires(Capability.EDIT_LIBRARY)
@require_http_methods(["GET", "POST"])
def edit(request: PageRequest, item_id: UUID) -> HttpResponse:
    item = get_object_or_404(request.tenant.library_items, uuid=item_id)
    editor = EDITORS.get(item.type)
    if editor is None:
        raise Http404
    item = get_object_or_404(items.items_of(request.tenant, editor.kind), uuid=item_id)
    form = editor.form(form_data(request), request.FILES or None, tenant=request.tenant, item=item)
    back = reverse("library-item", args=[item_id])
    if form.is_valid():
        try:
            editor.update(tenant=request.tenant, item_id=item_id, actor=request.actor, **form.given())
        except ValidationError as error:
            refuse(form, error)
        else:
            return saved(request, back, CHANGED, "Saved.", tabs=True)
    return show(request, Dialog(f"Edit {item.name}", "Save", back, about=editor.about_edit), form)


@requires(Capability.EDIT_LIBRARY)
@require_http_methods(["GET", "POST"])
def delete(request: PageRequest, item_id: UUID) -> HttpResponse:
    item = get_object_or_404(request.tenant.library_items, uuid=item_id)
    form = forms.Form(form_data(request))
    if form.is_valid():
        items.delete_item(tenant=request.tenant, item_id=item_id, actor=request.actor)
        return saved(request, reverse("library"), CHANGED, f"“{item.name}” is deleted.")
    count = item.assignments.values("blueprint").distinct().count()
    places = f"{count} Blueprint{'s' * (count != 1)}" if count else "no Blueprint"
    dialog = Dialog(
        f"Delete “{item.name}”?",
        f"Delete {kind_of(item).label}",
        reverse("library-item", args=[item_id]),
        about=f"It is assigned to {places}. Devices will no longer receive it. This cannot be undone.",
        danger=True,
    )
    return show(request, dialog, form)


def created(request: PageRequest, item: LibraryItem) -> HttpResponse:
    notice = f"“{item.name}” is in the Library. Assign it to a Blueprint next."
    return saved(request, reverse("library-item", args=[item.uuid]), CHANGED, notice)


def _create(request: PageRequest, editor: Editor) -> HttpResponse:
    form = editor.form(form_data(request), request.FILES or None, tenant=request.tenant)
    if form.is_valid():
        try:
            item = editor.create(tenant=request.tenant, actor=request.actor, **form.given())
        except ValidationError as error:
            refuse(form, error)
        else:
            return created(request, item)
    return show(request, Dialog(f"New {editor.kind.label}", "Create", reverse("library")), form)
