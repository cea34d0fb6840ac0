from devices.api.identity import ApiRequest
from devices.api.pagination import LimitOffset, Page, paginate
from devices.api.routing import Router
from devices.api.schemas.blueprint_routing import RoutingActivityOut, RoutingBody, RoutingOut
from devices.api.sections import BLUEPRINT_ROUTING
from devices.enrollment import routing as services

router = Router(BLUEPRINT_ROUTING)


@router.operation(
    "GET",
    "/blueprint-routing/",
    id="get_blueprint_routing",
    label="Get Blueprint Routing",
    about="Get the enrollment code of Blueprint Routing",
    response=RoutingOut,
)
def get_blueprint_routing(request: ApiRequest) -> RoutingOut:
    return RoutingOut.of(services.routing_of(request.tenant))


@router.operation(
    "PATCH",
    "/blueprint-routing/",
    id="update_blueprint_routing",
    label="Update Blueprint Routing",
    about="Change the enrollment code of Blueprint Routing, or turn it on or off",
    response=RoutingOut,
)
def update_blueprint_routing(request: ApiRequest, body: RoutingBody) -> RoutingOut:
    routing = services.update_routing(tenant=request.tenant, actor=request.actor, **body.enrollment_code.given())
    return RoutingOut.of(routing)


@router.operation(
    "GET",
    "/blueprint-routing/activity",
    id="get_blueprint_routing_activity",
    label="Get Blueprint Routing Activity",
    about="Get what happened to Blueprint Routing and through it, newest first",
    response=Page[RoutingActivityOut],
)
def get_blueprint_routing_activity(request: ApiRequest, query: LimitOffset) -> Page[RoutingActivityOut]:
    rows = request.tenant.routing_activity.order_by("-activity_time", "-pk")
    return paginate(request, rows, query, RoutingActivityOut.of)
