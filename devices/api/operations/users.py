from typing import Any
from uuid import UUID

from devices.api.identity import ApiRequest
from devices.api.pagination import CursorPage, cursor_page
from devices.api.routing import Router
from devices.api.schemas.users import UserOut, UserQuery
from devices.api.sections import USERS
from devices.fleet import users as services

router = Router(USERS)


@router.operation(
    "GET",
    "/users",
    id="list_users",
    label="List users",
    about="Get a list of all users in the tenant",
    response=CursorPage[UserOut],
)
def list_users(request: ApiRequest, query: UserQuery) -> CursorPage[UserOut]:
    conditions: dict[str, Any] = {
        "email__icontains": query.email,
        "uuid": query.id,
        "archived": query.archived,
    }
    users = request.tenant.users.filter(**{name: value for name, value in conditions.items() if value is not None})
    if query.integration_id is not None:
        # As a known key, so that its users come from their index in order.
        named = request.tenant.directory_integrations.filter(uuid=query.integration_id).first()
        users = users.filter(integration=named) if named else users.none()
    return cursor_page(
        request,
        users.counted().select_related("integration"),
        size=query.size,
        cursor=query.cursor,
        result=UserOut.of,
        order=("created_at", "id"),
        descending=True,
    )


@router.operation("GET", "/users/{user_id}", id="get_user", label="Get user", about="Get one user", response=UserOut)
def get_user(request: ApiRequest, user_id: UUID) -> UserOut:
    return UserOut.of(request.tenant.users.counted().select_related("integration").get(uuid=user_id))


@router.operation(
    "DELETE",
    "/users/{user_id}",
    id="delete_user",
    label="Delete user",
    about="Delete a user who has no devices",
    status=204,
)
def delete_user(request: ApiRequest, user_id: UUID) -> None:
    services.delete_user(tenant=request.tenant, user_id=user_id, actor=request.actor)
