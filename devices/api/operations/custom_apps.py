from functools import partial
from uuid import UUID

from devices.api.identity import ApiRequest
from devices.api.pagination import Page, PageNumber, numbered_page
from devices.api.rendering import origin_of
from devices.api.routing import Router
from devices.api.schemas.custom_apps import (
    CustomAppOut,
    CustomAppUpdate,
    CustomAppUpload,
    CustomAppUploadOut,
    NewCustomApp,
)
from devices.api.sections import CUSTOM_APPS
from devices.library import custom_apps, items
from devices.library.kinds import CUSTOM_APP
from devices.models import StoredFile
from devices.storage.files import reserve

router = Router(CUSTOM_APPS)


@router.operation(
    "GET",
    "/library/custom-apps",
    id="list_custom_apps",
    label="List Custom Apps",
    about="Get a list of all custom apps in the Library",
    response=Page[CustomAppOut],
)
def list_custom_apps(request: ApiRequest, query: PageNumber) -> Page[CustomAppOut]:
    show = partial(CustomAppOut.of, origin=origin_of(request))
    return numbered_page(request, custom_apps.custom_apps(request.tenant), query, show)


@router.operation(
    "GET",
    "/library/custom-apps/{library_item_id}",
    id="get_custom_app",
    label="Get Custom App",
    about="Get one custom app, with a link that downloads its file",
    response=CustomAppOut,
)
def get_custom_app(request: ApiRequest, library_item_id: UUID) -> CustomAppOut:
    item = custom_apps.custom_apps(request.tenant).get(uuid=library_item_id)
    return CustomAppOut.of(item, origin_of(request))


@router.operation(
    "POST",
    "/library/custom-apps/upload",
    id="upload_custom_app",
    label="Upload Custom App",
    about="Reserve a place for the file of a custom app, and get the form that uploads it",
    response=CustomAppUploadOut,
    status=201,
    forms=True,
)
def upload_custom_app(request: ApiRequest, body: CustomAppUpload) -> CustomAppUploadOut:
    reservation = reserve(
        tenant=request.tenant,
        purpose=StoredFile.Purpose.CUSTOM_APP,
        name=body.name,
        origin=origin_of(request),
        actor=request.actor,
    )
    return CustomAppUploadOut.of(reservation)


@router.operation(
    "POST",
    "/library/custom-apps",
    id="create_custom_app",
    label="Create Custom App",
    about="Add an uploaded app to the Library; 503 while its file is still being checked",
    response=CustomAppOut,
    status=201,
    forms=True,
)
def create_custom_app(request: ApiRequest, body: NewCustomApp) -> CustomAppOut:
    item = custom_apps.create_app(tenant=request.tenant, actor=request.actor, **body.given())
    return CustomAppOut.of(item, origin_of(request))


@router.operation(
    "PATCH",
    "/library/custom-apps/{library_item_id}",
    id="update_custom_app",
    label="Update Custom App",
    about="Change a custom app, or replace its file; 503 while the new file is still being checked",
    response=CustomAppOut,
    forms=True,
)
def update_custom_app(request: ApiRequest, library_item_id: UUID, body: CustomAppUpdate) -> CustomAppOut:
    item = custom_apps.update_app(tenant=request.tenant, item_id=library_item_id, actor=request.actor, **body.given())
    return CustomAppOut.of(item, origin_of(request))


@router.operation(
    "DELETE",
    "/library/custom-apps/{library_item_id}",
    id="delete_custom_app",
    label="Delete Custom App",
    about="Delete a custom app and its file, and take it off all Blueprints",
    sensitive=True,
    status=204,
)
def delete_custom_app(request: ApiRequest, library_item_id: UUID) -> None:
    items.delete_item(tenant=request.tenant, item_id=library_item_id, kind=CUSTOM_APP, actor=request.actor)
