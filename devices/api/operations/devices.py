from typing import Any
from uuid import UUID

from django.http import HttpResponse

from devices.api.identity import ApiRequest
from devices.api.pagination import LIST_HEADERS, list_headers, page_links
from devices.api.rendering import json_text
from devices.api.routing import Doc, Router
from devices.api.schemas.devices import DeviceOut, DeviceQuery, DeviceUpdate
from devices.api.sections import DEVICE_INFORMATION
from devices.fleet import devices as services
from devices.fleet.contact import show_newest_contact
from devices.fleet.record_pages import (
    filtered_record_page,
    record_beside_token,
    record_in,
    record_of,
    record_page,
)
from devices.inventory.details import details

router = Router(DEVICE_INFORMATION)


@router.operation(
    "GET",
    "/devices",
    id="list_devices",
    label="Device list",
    about="Get a list of all devices in the tenant",
    response=list[DeviceOut],
    doc=Doc(headers=LIST_HEADERS),
)
def list_devices(request: ApiRequest, query: DeviceQuery) -> HttpResponse:
    limit, offset = query.limit, query.offset
    if query.unfiltered:
        records, total = record_page(request.token.tenant_id, limit=limit, offset=offset)
    else:
        filters = query.model_dump(exclude_none=True, exclude={"limit", "offset", "ordering"})
        names = [name.strip() for name in (query.ordering or "").split(",") if name.strip()]
        records, total = filtered_record_page(request.token.tenant_id, filters, names, limit=limit, offset=offset)
    headers = list_headers(total, limit, page_links(request, query, total))
    return json_text(records, headers)


@router.operation(
    "GET",
    "/devices/{device_id}",
    id="get_device",
    label="Device ID",
    about="Get the record of a device",
    response=DeviceOut,
    beside=record_beside_token,
)
def get_device(request: ApiRequest, device_id: UUID) -> HttpResponse:
    columns = request.token.beside
    return json_text(record_of(request.token.tenant_id, device_id) if columns is None else record_in(columns))


@router.operation(
    "GET",
    "/devices/{device_id}/details",
    id="get_device_details",
    label="Device details",
    about="Get everything that a device reported about itself",
    response=dict[str, Any],
)
def get_device_details(request: ApiRequest, device_id: UUID) -> dict[str, Any]:
    return details(show_newest_contact(request.tenant.devices.complete().get(uuid=device_id)))


@router.operation(
    "PATCH",
    "/devices/{device_id}",
    id="update_device",
    label="Update a device",
    about="Update the assigned user, Blueprint, asset tag or tags of a device",
    response=DeviceOut,
)
def update_device(request: ApiRequest, device_id: UUID, body: DeviceUpdate) -> HttpResponse:
    given = body.model_dump(exclude_unset=True)
    if "blueprint_id" in given:
        given["blueprint"] = given.pop("blueprint_id")
    device = services.update_device(tenant=request.tenant, device_id=device_id, actor=request.actor, **given)
    return json_text(device.record_json)
