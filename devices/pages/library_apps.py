"""Apps of the Library: create and edit them with their files, and download the files."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse, HttpResponseRedirect, JsonResponse, QueryDict
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from access.pages.dialogs import Dialog, Upload, refuse, saved, show
from access.pages.guards import PageRequest, requires
from access.pages.responses import no_store
from access.pages.uploads import UploadStopped, takes_upload
from access.roles import Capability
from devices.library import custom_apps, ipa_apps, items
from devices.library.kinds import CUSTOM_APP, IPA_APP, Kind, contents_of
from devices.models import LibraryItem
from devices.pages.forms.apps import AppForm, CustomAppForm, IpaAppForm, too_large
from devices.pages.library_editing import CHANGED, created
from devices.pages.library_uploads import FileReceiver, receiver
from devices.storage import files
from devices.storage.backends import StorageAway


class Editor(NamedTuple):
    """The dialog of a kind of apps: its form, the functions that create and update, and the page for uploads."""

    kind: Kind
    form: type[AppForm]
    create: Callable[..., LibraryItem]
    update: Callable[..., LibraryItem]
    upload: str  # the URL name of the page that reserves uploads


CUSTOM_APPS = Editor(
    CUSTOM_APP, CustomAppForm, custom_apps.create_app, custom_apps.update_app, upload="custom-app-upload"
)
IPA_APPS = Editor(IPA_APP, IpaAppForm, ipa_apps.create_app, ipa_apps.update_app, upload="ipa-app-upload")
takes_custom_app, takes_ipa_app = (takes_upload(partial(receiver, form)) for form in (CustomAppForm, IpaAppForm))


@requires(Capability.EDIT_LIBRARY)
@require_http_methods(["GET", "POST"])
@takes_custom_app
def create_custom_app(request: PageRequest, upload: FileReceiver | None) -> HttpResponse:
    return _create(request, upload, CUSTOM_APPS)


@requires(Capability.EDIT_LIBRARY)
@require_http_methods(["GET", "POST"])
@takes_ipa_app
def create_ipa_app(request: PageRequest, upload: FileReceiver | None) -> HttpResponse:
    return _create(request, upload, IPA_APPS)


@requires(Capability.EDIT_LIBRARY)
@require_http_methods(["GET", "POST"])
@takes_custom_app
def edit_custom_app(request: PageRequest, upload: FileReceiver | None, item_id: UUID) -> HttpResponse:
    return _edit(request, upload, item_id, CUSTOM_APPS)


@requires(Capability.EDIT_LIBRARY)
@require_http_methods(["GET", "POST"])
@takes_ipa_app
def edit_ipa_app(request: PageRequest, upload: FileReceiver | None, item_id: UUID) -> HttpResponse:
    return _edit(request, upload, item_id, IPA_APPS)


@requires(Capability.EDIT_LIBRARY)
@require_POST
def reserve_custom_app(request: PageRequest) -> HttpResponse:
    return _reserve(request, CUSTOM_APPS)


@requires(Capability.EDIT_LIBRARY)
@require_POST
def reserve_ipa_app(request: PageRequest) -> HttpResponse:
    return _reserve(request, IPA_APPS)


@requires(Capability.EDIT_LIBRARY)
@require_GET
def download(request: PageRequest, item_id: UUID) -> HttpResponse:
    """Redirect to the file of an app. The link is made for each request, because a link in a page would expire."""
    item = get_object_or_404(
        request.tenant.library_items.select_related("custom_app__file", "ipa_app__file"), uuid=item_id
    )
    if not (file := getattr(contents_of(item), "file", None)):
        raise Http404
    url = files.signed_url(file, origin=request.tenant.api_origin)
    return no_store(HttpResponseRedirect(url))


def _create(request: PageRequest, upload: FileReceiver | None, editor: Editor) -> HttpResponse:
    form = editor.form(_data(request, upload), tenant=request.tenant, refused=upload.error if upload else "")
    dialog = Dialog(f"New {editor.kind.label}", "Create", reverse("library"), upload=_upload(editor))
    change = partial(editor.create, tenant=request.tenant, actor=request.actor)
    return _answer(request, form, dialog, change, partial(created, request))


def _edit(request: PageRequest, upload: FileReceiver | None, item_id: UUID, editor: Editor) -> HttpResponse:
    item = get_object_or_404(items.items_of(request.tenant, editor.kind), uuid=item_id)
    form = editor.form(_data(request, upload), tenant=request.tenant, item=item, refused=upload.error if upload else "")
    back = reverse("library-item", args=[item_id])
    dialog = Dialog(f"Edit {item.name}", "Save", back, upload=_upload(editor))
    change = partial(editor.update, tenant=request.tenant, item_id=item_id, actor=request.actor)
    return _answer(request, form, dialog, change, lambda _: saved(request, back, CHANGED, "Saved.", tabs=True))


def _answer(
    request: PageRequest,
    form: AppForm,
    dialog: Dialog,
    change: Callable[..., LibraryItem],
    done: Callable[[LibraryItem], HttpResponse],
) -> HttpResponse:
    """Make the change, or show the dialog again: with errors, or waiting for the check of the file."""
    if form.is_valid():
        try:
            return done(change(**form.given()))
        except files.UploadProcessing:
            if request.htmx and "waiting" in request.POST:
                return HttpResponse(status=204)  # the page already shows the message
            dialog = replace(dialog, waiting=form.waiting)
        except StorageAway as away:
            form.add_error("file", str(away))
        except ValidationError as error:
            refuse(form, error)
    return show(request, dialog, form)


def _data(request: PageRequest, upload: FileReceiver | None) -> QueryDict | None:
    """The fields of a submitted form. For a file in the form, `file_key` is set as for a file that was sent before."""
    if upload is None:
        return None
    data = request.POST.copy()
    if upload.key:
        data["file_key"] = upload.key
    return data


def _upload(editor: Editor) -> Upload:
    return Upload(reverse(editor.upload), settings.IRU_FILES_MAXIMUM, too_large())


def _reserve(request: PageRequest, editor: Editor) -> HttpResponse:
    """Return the form that posts a file to the storage, as the API does."""
    try:
        name = editor.form.file_name(request.POST.get("name", ""))
    except UploadStopped as stopped:
        return JsonResponse({"error": str(stopped)}, status=422)
    reserved = files.reserve(
        tenant=request.tenant,
        purpose=editor.form.purpose,
        name=name,
        origin=request.tenant.api_origin,
        actor=request.actor,
    )
    return JsonResponse({"url": reserved.post.url, "fields": reserved.post.fields, "file_key": reserved.file.key})
