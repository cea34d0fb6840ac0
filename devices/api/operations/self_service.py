from devices.api.identity import ApiRequest
from devices.api.routing import Router
from devices.api.schemas.self_service import CategoryOut
from devices.api.sections import SELF_SERVICE
from devices.library.categories import categories

router = Router(SELF_SERVICE)


@router.operation(
    "GET",
    "/self-service/categories",
    id="list_self_service_categories",
    label="List Self Service Categories",
    about="Get a list of the categories of Self Service",
    response=list[CategoryOut],
)
def list_self_service_categories(request: ApiRequest) -> list[CategoryOut]:
    return [CategoryOut.of(category) for category in categories(request.tenant)]
