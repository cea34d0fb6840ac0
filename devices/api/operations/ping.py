from devices.api.identity import ApiRequest
from devices.api.routing import Router

router = Router(prefix="/app/v1")


@router.operation(
    "GET",
    "/ping",
    id="ping",
    label="Ping",
    about="Check that the tenant's API host answers; it needs no token",
    response=str,
    open=True,
)
def ping(request: ApiRequest) -> str:
    return "pong"
