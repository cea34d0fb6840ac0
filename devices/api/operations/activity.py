from uuid import UUID

from devices.api.identity import ApiRequest
from devices.api.pagination import LimitOffset, paginate
from devices.api.routing import Router
from devices.api.schemas.activity import ActivityOut, DeviceActivityPage
from devices.api.sections import DEVICE_INFORMATION

router = Router(DEVICE_INFORMATION)


@router.operation(
    "GET",
    "/devices/{device_id}/activity",
    id="get_device_activity",
    label="Device Activity",
    about="Get a list of what happened to a device",
    response=DeviceActivityPage,
)
def get_device_activity(request: ApiRequest, device_id: UUID, query: LimitOffset) -> DeviceActivityPage:
    device = request.tenant.devices.only("uuid", "name", "is_removed").get(uuid=device_id)
    rows = device.activity.select_related("blueprint").order_by("-created_at", "-id")
    return DeviceActivityPage(device_id=device_id, activity=paginate(request, rows, query, ActivityOut.of))
