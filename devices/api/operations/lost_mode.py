from uuid import UUID

from devices.api.identity import ApiRequest
from devices.api.routing import Doc, Router
from devices.api.schemas.lost_mode import DeviceLostMode
from devices.api.sections import DEVICE_INFORMATION
from devices.fleet import lost_mode as services

router = Router(DEVICE_INFORMATION)


@router.operation(
    "GET",
    "/devices/{device_id}/details/lostmode",
    id="get_device_lost_mode",
    label="Get Device Lost Mode details",
    about="Get the state of a device's Lost Mode, and where the device was last",
    response=DeviceLostMode,
    doc=Doc(refuses=True),
)
def get_device_lost_mode(request: ApiRequest, device_id: UUID) -> DeviceLostMode:
    device = request.tenant.devices.select_related("lost_mode").defer("record_json").get(uuid=device_id)
    return DeviceLostMode.of(device_id, services.get_lost_mode(device))


@router.operation(
    "DELETE",
    "/devices/{device_id}/details/lostmode",
    id="cancel_lost_mode",
    label="Cancel Lost Mode",
    about="Forget a Lost Mode that is in an error state",
)
def cancel_lost_mode(request: ApiRequest, device_id: UUID) -> None:
    services.cancel(tenant=request.tenant, device_id=device_id, actor=request.actor)
