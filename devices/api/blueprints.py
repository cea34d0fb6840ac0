from uuid import UUID

from devices.api.pagination import page
from devices.api.routing import ApiRequest, Router
from devices.schemas import Page
from devices.schemas.blueprints import BlueprintOut, BlueprintQuery

router = Router(
    area="Blueprints",
    section="Blueprints Management",
    about="Permissions related to managing and creating Blueprints.",
)


@router.operation(
    "GET",
    "/blueprints",
    id="list_blueprints",
    label="List Blueprints",
    about="Get a list of all Blueprints in the tenant",
    response=Page[BlueprintOut],
)
def list_blueprints(request: ApiRequest, query: BlueprintQuery) -> Page[BlueprintOut]:
    blueprints = request.tenant.blueprints.filter(name__icontains=query.name)
    if query.id:
        blueprints = blueprints.filter(uuid=query.id)
    if query.id__in is not None:
        blueprints = blueprints.filter(uuid__in=query.id__in)
    return page(request, blueprints.counted().order_by("name", "pk"), query, BlueprintOut.of)


@router.operation(
    "GET",
    "/blueprints/{blueprint_id}",
    id="get_blueprint",
    label="Get Blueprint",
    about="Get one Blueprint",
    response=BlueprintOut,
)
def get_blueprint(request: ApiRequest, blueprint_id: UUID) -> BlueprintOut:
    return BlueprintOut.of(request.tenant.blueprints.counted().get(uuid=blueprint_id))
