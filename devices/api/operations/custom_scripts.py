from uuid import UUID

from devices.api.identity import ApiRequest
from devices.api.pagination import Page, PageNumber, numbered_page
from devices.api.routing import Router
from devices.api.schemas.custom_scripts import NewScript, ScriptOut, ScriptUpdate
from devices.api.sections import CUSTOM_SCRIPTS
from devices.library import items, scripts
from devices.library.kinds import CUSTOM_SCRIPT

router = Router(CUSTOM_SCRIPTS)


@router.operation(
    "GET",
    "/library/custom-scripts",
    id="list_custom_scripts",
    label="List Custom Scripts",
    about="Get a list of all custom scripts in the Library",
    response=Page[ScriptOut],
)
def list_custom_scripts(request: ApiRequest, query: PageNumber) -> Page[ScriptOut]:
    return numbered_page(request, items.items_of(request.tenant, CUSTOM_SCRIPT), query, ScriptOut.of)


@router.operation(
    "GET",
    "/library/custom-scripts/{library_item_id}",
    id="get_custom_script",
    label="Get Custom Script",
    about="Get one custom script",
    response=ScriptOut,
)
def get_custom_script(request: ApiRequest, library_item_id: UUID) -> ScriptOut:
    return ScriptOut.of(items.items_of(request.tenant, CUSTOM_SCRIPT).get(uuid=library_item_id))


@router.operation(
    "POST",
    "/library/custom-scripts",
    id="create_custom_script",
    label="Create Custom Script",
    about="Add a custom script to the Library",
    response=ScriptOut,
    status=201,
)
def create_custom_script(request: ApiRequest, body: NewScript) -> ScriptOut:
    return ScriptOut.of(scripts.create_script(tenant=request.tenant, actor=request.actor, **body.given()))


@router.operation(
    "PATCH",
    "/library/custom-scripts/{library_item_id}",
    id="update_custom_script",
    label="Update Custom Script",
    about="Change a custom script",
    response=ScriptOut,
)
def update_custom_script(request: ApiRequest, library_item_id: UUID, body: ScriptUpdate) -> ScriptOut:
    return ScriptOut.of(
        scripts.update_script(tenant=request.tenant, item_id=library_item_id, actor=request.actor, **body.given())
    )


@router.operation(
    "DELETE",
    "/library/custom-scripts/{library_item_id}",
    id="delete_custom_script",
    label="Delete Custom Script",
    about="Delete a custom script and take it off all Blueprints",
    sensitive=True,
    status=204,
)
def delete_custom_script(request: ApiRequest, library_item_id: UUID) -> None:
    items.delete_item(tenant=request.tenant, item_id=library_item_id, kind=CUSTOM_SCRIPT, actor=request.actor)
