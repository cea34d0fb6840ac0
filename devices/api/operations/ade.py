from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.core.files.uploadhandler import MemoryFileUploadHandler
from django.http import HttpResponse

from access.models import Tenant
from devices.api.identity import ApiRequest
from devices.api.pagination import Page, PageNumber, numbered_page
from devices.api.routing import Doc, Router
from devices.api.schemas.ade import (
    AdeDefaults,
    AdeDefaultsChange,
    AdeDeviceOut,
    AdeDeviceQuery,
    AdeDeviceUpdate,
    AdeIntegrationOut,
    OneAdeDeviceOut,
)
from devices.api.sections import AUTOMATED_DEVICE_ENROLLMENT
from devices.api.uploads import Upload, UploadLimits
from devices.enrollment import ade as services
from devices.enrollment import ade_devices
from devices.enrollment.ade_keys import public_key
from devices.enrollment.server_tokens import LARGEST_FILE
from devices.models import AdeDevice, AdeIntegration, Blueprint
from devices.models.enrollment import AdeDeviceQuerySet

CERTIFICATE = "application/x-x509-ca-cert"
# A server token stays in memory, never on disk. The maximum is above LARGEST_FILE, whose check has a clearer message.
TOKEN_FILE = UploadLimits(
    maximum=4 * LARGEST_FILE,
    files=("file",),
    handlers=(MemoryFileUploadHandler,),
    about=f"The server token that Apple made for the public key, a .p7m of at most {LARGEST_FILE:,} bytes.",
)
ADE_DEVICE = Doc(
    parameters={"device_id": "The id of a device in the list of ADE devices, not that of the enrolled device."}
)

router = Router(AUTOMATED_DEVICE_ENROLLMENT, prefix="/api/v1/integrations/apple/ade")


@router.operation(
    "GET",
    "/public_key/",
    id="download_ade_public_key",
    label="Download public key",
    about="Get the certificate that Apple encrypts server tokens for, as a PEM file",
    doc=Doc(media_type=CERTIFICATE),
)
def download_ade_public_key(request: ApiRequest) -> HttpResponse:
    return HttpResponse(public_key(tenant=request.tenant), content_type=CERTIFICATE)


@router.operation(
    "POST",
    "/",
    id="create_ade_integration",
    label="Create integration",
    about="Add a device management server of Apple Business Manager by its server token",
    response=AdeIntegrationOut,
    upload=TOKEN_FILE,
    creates=True,
    asks_elsewhere=True,  # Apple is asked about the token
)
def create_ade_integration(request: ApiRequest, body: AdeDefaults, upload: Upload) -> AdeIntegrationOut:
    integration = services.create_integration(
        tenant=request.tenant,
        content=upload.files["file"].read(),
        defaults=body.defaults(),
        actor=request.actor,
    )
    return _out(integration)


@router.operation(
    "POST",
    "/{ade_token_id}/renew",
    id="renew_ade_integration",
    label="Renew integration",
    about="Replace the server token of an integration by a new one of the same server",
    response=AdeIntegrationOut,
    upload=TOKEN_FILE,
)
def renew_ade_integration(
    request: ApiRequest, ade_token_id: UUID, body: AdeDefaults, upload: Upload
) -> AdeIntegrationOut:
    integration = services.renew_integration(
        tenant=request.tenant,
        integration_id=ade_token_id,
        content=upload.files["file"].read(),
        defaults=body.defaults(),
        actor=request.actor,
    )
    return _out(integration)


@router.operation(
    "PATCH",
    "/{ade_token_id}",
    id="update_ade_integration",
    label="Update integration",
    about="Change the defaults of devices that Apple assigns later",
    response=AdeIntegrationOut,
)
def update_ade_integration(request: ApiRequest, ade_token_id: UUID, body: AdeDefaultsChange) -> AdeIntegrationOut:
    integration = services.update_integration(
        tenant=request.tenant, integration_id=ade_token_id, defaults=body.defaults(), actor=request.actor
    )
    return _out(integration)


@router.operation(
    "GET",
    "",
    id="list_ade_integrations",
    label="List integrations",
    about="Get a list of all Automated Device Enrollment integrations",
    response=Page[AdeIntegrationOut],
)
def list_ade_integrations(request: ApiRequest, query: PageNumber) -> Page[AdeIntegrationOut]:
    rows = request.tenant.ade_integrations.select_related("blueprint").order_by("created_at", "pk")
    page = numbered_page(request, rows, query, lambda row: row)
    counts = services.device_counts(page.results)
    return _page(page, [AdeIntegrationOut.of(row, counts[row.pk]) for row in page.results])


@router.operation(
    "GET",
    "/{ade_token_id}",
    id="get_ade_integration",
    label="Get integration",
    about="Get one Automated Device Enrollment integration",
    response=AdeIntegrationOut,
)
def get_ade_integration(request: ApiRequest, ade_token_id: UUID) -> AdeIntegrationOut:
    return _out(_own(request.tenant, ade_token_id))


@router.operation(
    "GET",
    "/{ade_token_id}/devices",
    id="list_ade_integration_devices",
    label="List associated devices",
    about="Get a list of the devices that Apple assigned to the server of an integration",
    response=Page[AdeDeviceOut],
)
def list_ade_integration_devices(request: ApiRequest, ade_token_id: UUID, query: PageNumber) -> Page[AdeDeviceOut]:
    return _devices(request, _own(request.tenant, ade_token_id).devices.complete(), query)


@router.operation(
    "GET",
    "/devices",
    id="list_ade_devices",
    label="List ADE devices",
    about="Get a list of all devices that Apple assigned to the organization",
    response=Page[AdeDeviceOut],
)
def list_ade_devices(request: ApiRequest, query: AdeDeviceQuery) -> Page[AdeDeviceOut]:
    filters = query.model_dump(exclude_none=True, exclude={"page", "limit", "offset"})
    if query.blueprint_id is not None:
        named = Blueprint.objects.filter(tenant=request.tenant).identified(query.blueprint_id)
        filters["blueprint_id"] = list(named.values_list("pk", flat=True))
    return _devices(request, request.tenant.ade_devices.filtered(filters).complete(), query)


@router.operation(
    "GET",
    "/devices/{device_id}",
    id="get_ade_device",
    label="Get ADE device",
    about="Get one device that Apple assigned to the organization",
    response=OneAdeDeviceOut,
    doc=ADE_DEVICE,
)
def get_ade_device(request: ApiRequest, device_id: UUID) -> OneAdeDeviceOut:
    row = request.tenant.ade_devices.complete().get(uuid=device_id)
    return OneAdeDeviceOut.of(row, ade_devices.enrolled_device(row))


@router.operation(
    "PATCH",
    "/devices/{device_id}",
    id="update_ade_device",
    label="Update ADE Device",
    about="Change the Blueprint, user or asset tag that a device gets when it enrolls",
    response=AdeDeviceOut,
    doc=ADE_DEVICE,
)
def update_ade_device(request: ApiRequest, device_id: UUID, body: AdeDeviceUpdate) -> AdeDeviceOut:
    row = ade_devices.update_ade_device(
        tenant=request.tenant, ade_device_id=device_id, actor=request.actor, **body.changes()
    )
    return AdeDeviceOut.of(row, ade_devices.enrolled_device(row))


@router.operation(
    "DELETE",
    "/{ade_token_id}",
    id="delete_ade_integration",
    label="Delete integration",
    about="Delete an integration, and the records of the devices that Apple assigned to its server",
    sensitive=True,
    status=204,
)
def delete_ade_integration(request: ApiRequest, ade_token_id: UUID) -> None:
    services.delete_integration(tenant=request.tenant, integration_id=ade_token_id, actor=request.actor)


def _own(tenant: Tenant, ade_token_id: UUID) -> AdeIntegration:
    return tenant.ade_integrations.select_related("blueprint").get(uuid=ade_token_id)


def _out(integration: AdeIntegration) -> AdeIntegrationOut:
    return AdeIntegrationOut.of(integration, services.device_counts([integration])[integration.pk])


def _devices(request: ApiRequest, rows: AdeDeviceQuerySet, query: PageNumber) -> Page[AdeDeviceOut]:
    page: Page[AdeDevice] = numbered_page(request, rows.order_by("pk"), query, lambda row: row)
    known = ade_devices.enrolled(tenant=request.tenant, ade_devices=page.results)
    results = [AdeDeviceOut.of(row, known.get(row.serial_number.upper())) for row in page.results]
    return _page(page, results, closed=True)


def _page[R](page: Page[Any], results: list[R], *, closed: bool = False) -> Page[R]:
    """The page with other results. `closed`: its links have a slash before the query, as in the public API here."""
    following, preceding = (_closed(url) if closed else url for url in (page.next, page.previous))
    return Page[R].model_construct(count=page.count, next=following, previous=preceding, results=results)


def _closed(url: str | None) -> str | None:
    if url is None:
        return None
    parts = urlsplit(url)
    return parts._replace(path=f"{parts.path.rstrip('/')}/").geturl()
