from django.http import HttpResponse

from devices.api import openapi
from devices.api.identity import ApiRequest
from devices.api.rendering import json_text
from devices.api.routing import Router

router = Router()


@router.operation(
    "GET",
    "/openapi.json",
    id="get_openapi",
    label="OpenAPI document",
    about="Get the OpenAPI document of this API; it needs no permission",
    response=dict[str, object],
    ours=True,
)
def get_openapi(request: ApiRequest) -> HttpResponse:
    return json_text(openapi.as_json(request.tenant.api_origin))
