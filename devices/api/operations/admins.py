from devices.api.identity import ApiRequest
from devices.api.pagination import CursorPage, cursor_page
from devices.api.routing import Router
from devices.api.schemas.admins import AdminOut, AdminQuery
from devices.api.sections import ADMINS

router = Router(ADMINS)


@router.operation(
    "GET",
    "/admins",
    id="list_admins",
    label="List Admins",
    about="Get a list of the administrators of the tenant",
    response=CursorPage[AdminOut],
)
def list_admins(request: ApiRequest, query: AdminQuery) -> CursorPage[AdminOut]:
    administrators = request.tenant.administrators.all()
    if query.role is not None:
        administrators = administrators.filter(role=query.role)
    return cursor_page(
        request,
        administrators,
        size=query.size or query.limit,
        cursor=query.cursor,
        result=AdminOut.of,
    )
