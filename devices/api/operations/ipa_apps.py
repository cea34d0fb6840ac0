from functools import partial
from uuid import UUID

from devices.api.identity import ApiRequest
from devices.api.pagination import Page, PageNumber, numbered_page
from devices.api.rendering import origin_of
from devices.api.routing import Router
from devices.api.schemas.ipa_apps import (
    IpaAppOut,
    IpaAppUpdate,
    IpaUpload,
    IpaUploadOut,
    IpaUploadStatusOut,
    NewIpaApp,
)
from devices.api.sections import IPA_APPS
from devices.library import ipa_apps, items
from devices.library.kinds import IPA_APP
from devices.models import StoredFile
from devices.storage.files import reserve

router = Router(IPA_APPS)


@router.operation(
    "GET",
    "/library/ipa-apps",
    id="list_ipa_apps",
    label="List In-House Apps",
    about="Get a list of all in-house apps in the Library",
    response=Page[IpaAppOut],
)
def list_ipa_apps(request: ApiRequest, query: PageNumber) -> Page[IpaAppOut]:
    show = partial(IpaAppOut.of, origin=origin_of(request))
    return numbered_page(request, ipa_apps.ipa_apps(request.tenant), query, show)


@router.operation(
    "GET",
    "/library/ipa-apps/{library_item_id}",
    id="get_ipa_app",
    label="Get In-House App",
    about="Get one in-house app, with a link that downloads its file",
    response=IpaAppOut,
)
def get_ipa_app(request: ApiRequest, library_item_id: UUID) -> IpaAppOut:
    return IpaAppOut.of(ipa_apps.ipa_apps(request.tenant).get(uuid=library_item_id), origin_of(request))


@router.operation(
    "POST",
    "/library/ipa-apps/upload",
    id="upload_ipa_app",
    label="Upload In-House App",
    about="Reserve a place for an .ipa file, and get the form that uploads it",
    response=IpaUploadOut,
    status=201,
)
def upload_ipa_app(request: ApiRequest, body: IpaUpload) -> IpaUploadOut:
    reservation = reserve(
        tenant=request.tenant,
        purpose=StoredFile.Purpose.IPA_APP,
        name=body.filename,
        origin=origin_of(request),
        actor=request.actor,
    )
    return IpaUploadOut.of(reservation)


@router.operation(
    "GET",
    "/library/ipa-apps/upload/{pending_upload_id}/status",
    id="get_ipa_upload_status",
    label="Upload In-House App Status",
    about="Get how far the check of an uploaded .ipa file is, and what was read in it",
    response=IpaUploadStatusOut,
)
def get_ipa_upload_status(request: ApiRequest, pending_upload_id: UUID) -> IpaUploadStatusOut:
    return IpaUploadStatusOut.of(ipa_apps.upload_status(request.tenant, pending_upload_id), origin_of(request))


@router.operation(
    "POST",
    "/library/ipa-apps",
    id="create_ipa_app",
    label="Create In-House App",
    about="Add an uploaded app to the Library; 503 while its file is still being checked",
    response=IpaAppOut,
    status=201,
)
def create_ipa_app(request: ApiRequest, body: NewIpaApp) -> IpaAppOut:
    item = ipa_apps.create_app(tenant=request.tenant, actor=request.actor, **body.given())
    return IpaAppOut.of(item, origin_of(request))


@router.operation(
    "PATCH",
    "/library/ipa-apps/{library_item_id}",
    id="update_ipa_app",
    label="Update In-House App",
    about="Change an in-house app, or replace its file; 503 while the new file is still being checked",
    response=IpaAppOut,
)
def update_ipa_app(request: ApiRequest, library_item_id: UUID, body: IpaAppUpdate) -> IpaAppOut:
    item = ipa_apps.update_app(tenant=request.tenant, item_id=library_item_id, actor=request.actor, **body.given())
    return IpaAppOut.of(item, origin_of(request))


@router.operation(
    "DELETE",
    "/library/ipa-apps/{library_item_id}",
    id="delete_ipa_app",
    label="Delete In-House App",
    about="Delete an in-house app and its file, and take it off all Blueprints",
    sensitive=True,
    status=204,
)
def delete_ipa_app(request: ApiRequest, library_item_id: UUID) -> None:
    items.delete_item(tenant=request.tenant, item_id=library_item_id, kind=IPA_APP, actor=request.actor)
