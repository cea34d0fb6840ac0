"""What a device reported as lists: its apps, library items and parameters."""

from uuid import UUID

from devices.api.identity import ApiRequest
from devices.api.pagination import LIST_HEADERS, list_headers
from devices.api.rendering import ResponseWithHeaders
from devices.api.routing import Doc, Router
from devices.api.schemas.inventory import DeviceItemOut, DeviceItemStatus, DeviceLibraryItems, DeviceStatus
from devices.api.sections import DEVICE_INFORMATION
from devices.inventory import lists as inventory
from devices.inventory.lists import DeviceApps, DeviceParameters
from devices.library import statuses

router = Router(DEVICE_INFORMATION)


@router.operation(
    "GET",
    "/devices/{device_id}/apps",
    id="get_device_apps",
    label="Application list",
    about="Get a list of the apps that are installed on a device",
    response=DeviceApps,
    doc=Doc(headers=LIST_HEADERS),
)
def get_device_apps(request: ApiRequest, device_id: UUID) -> ResponseWithHeaders:
    apps = inventory.apps(request.tenant.devices.reported().get(uuid=device_id))
    return ResponseWithHeaders(apps, list_headers(len(apps["apps"])))


@router.operation(
    "GET",
    "/devices/{device_id}/library-items",
    id="get_device_library_items",
    label="Device Library Items",
    about="Get a list of the Library Items on a device, and how each is doing",
    response=DeviceLibraryItems,
)
def get_device_library_items(request: ApiRequest, device_id: UUID) -> DeviceLibraryItems:
    device = request.tenant.devices.select_related("blueprint").defer("record_json").get(uuid=device_id)
    rows = [DeviceItemOut.of(row) for row in statuses.rows_of_device(device)]
    return DeviceLibraryItems.model_construct(device_id=device_id, library_items=rows)


@router.operation(
    "GET",
    "/devices/{device_id}/parameters",
    id="get_device_parameters",
    label="Device Parameters",
    about="Get a list of the Parameters on a Mac, and how each is doing",
    response=DeviceParameters,
)
def get_device_parameters(request: ApiRequest, device_id: UUID) -> DeviceParameters:
    return inventory.parameters(request.tenant.devices.reported().get(uuid=device_id))


@router.operation(
    "GET",
    "/devices/{device_id}/status",
    id="get_device_status",
    label="Device Status",
    about="Get the status of the Library Items and Parameters on a device",
    response=DeviceStatus,
)
def get_device_status(request: ApiRequest, device_id: UUID) -> DeviceStatus:
    device = request.tenant.devices.reported().get(uuid=device_id)
    rows = [DeviceItemStatus.of(row) for row in statuses.rows_of_device(device)]
    parameters = inventory.parameters(device)["parameters"]
    return DeviceStatus.model_construct(device_id=device_id, library_items=rows, parameters=parameters)
