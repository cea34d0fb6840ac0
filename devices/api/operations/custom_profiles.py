from uuid import UUID

from devices.api.identity import ApiRequest
from devices.api.pagination import Page, PageNumber, numbered_page
from devices.api.routing import Router
from devices.api.schemas.custom_profiles import NewProfile, ProfileOut, ProfileUpdate
from devices.api.sections import CUSTOM_PROFILES
from devices.api.uploads import Upload, UploadLimits
from devices.library import items, profiles
from devices.library.kinds import CUSTOM_PROFILE
from devices.library.profile_files import LARGEST

BODY = LARGEST + 64 * 1024  # bytes, including the other fields of the form
FILE = f"An unsigned configuration profile, a .mobileconfig of at most {LARGEST:,} bytes."

router = Router(CUSTOM_PROFILES)


@router.operation(
    "GET",
    "/library/custom-profiles",
    id="list_custom_profiles",
    label="List Custom Profiles",
    about="Get a list of all custom profiles in the Library",
    response=Page[ProfileOut],
)
def list_custom_profiles(request: ApiRequest, query: PageNumber) -> Page[ProfileOut]:
    return numbered_page(request, items.items_of(request.tenant, CUSTOM_PROFILE), query, ProfileOut.of)


@router.operation(
    "GET",
    "/library/custom-profiles/{library_item_id}",
    id="get_custom_profile",
    label="Get Custom Profile",
    about="Get one custom profile",
    response=ProfileOut,
)
def get_custom_profile(request: ApiRequest, library_item_id: UUID) -> ProfileOut:
    return ProfileOut.of(items.items_of(request.tenant, CUSTOM_PROFILE).get(uuid=library_item_id))


@router.operation(
    "POST",
    "/library/custom-profiles",
    id="create_custom_profile",
    label="Create Custom Profile",
    about="Add a configuration profile to the Library",
    response=ProfileOut,
    status=201,
    forms=True,
    upload=UploadLimits(maximum=BODY, files=("file",), about=FILE),
)
def create_custom_profile(request: ApiRequest, body: NewProfile, upload: Upload) -> ProfileOut:
    file = upload.files["file"].read()
    return ProfileOut.of(profiles.create_profile(tenant=request.tenant, actor=request.actor, file=file, **body.given()))


@router.operation(
    "PATCH",
    "/library/custom-profiles/{library_item_id}",
    id="update_custom_profile",
    label="Update Custom Profile",
    about="Change a custom profile, or replace its file",
    response=ProfileOut,
    forms=True,
    upload=UploadLimits(maximum=BODY, optional=("file",), about=FILE),
)
def update_custom_profile(
    request: ApiRequest, library_item_id: UUID, body: ProfileUpdate, upload: Upload
) -> ProfileOut:
    file = upload.files["file"].read() if "file" in upload.files else None
    item = profiles.update_profile(
        tenant=request.tenant, item_id=library_item_id, actor=request.actor, file=file, **body.given()
    )
    return ProfileOut.of(item)


@router.operation(
    "DELETE",
    "/library/custom-profiles/{library_item_id}",
    id="delete_custom_profile",
    label="Delete Custom Profile",
    about="Delete a custom profile and take it off all Blueprints",
    sensitive=True,
    status=204,
)
def delete_custom_profile(request: ApiRequest, library_item_id: UUID) -> None:
    items.delete_item(tenant=request.tenant, item_id=library_item_id, kind=CUSTOM_PROFILE, actor=request.actor)
