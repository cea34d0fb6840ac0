from devices.api.routing import ApiRequest, Router
from devices.api.schemas.tokens import TokenOut

router = Router()


@router.operation(
    "GET",
    "/token",
    id="get_token",
    label="This token",
    about="Get the name, permissions and API URL of the calling token; it needs no permission",
    response=TokenOut,
    ours=True,
)
def get_token(request: ApiRequest) -> TokenOut:
    return TokenOut.model_construct(
        id=request.token.id,
        name=request.token.name,
        permissions=sorted(request.token.permissions),
        api_url=request.tenant.api_url,
    )
