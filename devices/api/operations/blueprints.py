from collections.abc import Callable
from uuid import UUID

from django.core.exceptions import ValidationError
from django.http import HttpResponse

from access.models import Tenant
from devices.api import errors
from devices.api.identity import ApiRequest
from devices.api.pagination import LimitOffset, Page, page_links, paginate, single_page
from devices.api.routing import Doc, Router
from devices.api.schemas.blueprints import (
    AssignmentBody,
    BlueprintLibraryItem,
    BlueprintOut,
    BlueprintQuery,
    BlueprintTemplateCategory,
    BlueprintUpdate,
    EnrollmentProfileQuery,
    NewBlueprint,
)
from devices.api.sections import BLUEPRINTS
from devices.blueprints import blueprints as services
from devices.blueprints.templates import CATEGORIES
from devices.enrollment import profiles as enrollment_profiles
from devices.library import assignment
from devices.models import Blueprint

PROFILE = "application/x-apple-aspen-config"

router = Router(BLUEPRINTS)


@router.operation(
    "GET",
    "/blueprints",
    id="list_blueprints",
    label="List Blueprints",
    about="Get a list of all Blueprints in the tenant",
    response=Page[BlueprintOut],
)
def list_blueprints(request: ApiRequest, query: BlueprintQuery) -> Page[BlueprintOut]:
    blueprints = request.tenant.blueprints.filter(name__icontains=query.name)
    if query.id:
        blueprints = blueprints.filter(uuid=query.id)
    if query.id__in is not None:
        blueprints = blueprints.filter(uuid__in=query.id__in)
    return paginate(request, blueprints.counted().order_by("name", "pk"), query, BlueprintOut.of)


@router.operation(
    "GET",
    "/blueprints/{blueprint_id}",
    id="get_blueprint",
    label="Get Blueprint",
    about="Get one Blueprint",
    response=BlueprintOut,
)
def get_blueprint(request: ApiRequest, blueprint_id: UUID) -> BlueprintOut:
    return _out(request.tenant, blueprint_id)


@router.operation(
    "GET",
    "/blueprints/{blueprint_id}/ota-enrollment-profile",
    id="get_manual_enrollment_profile",
    label="Get Manual Enrollment Profile",
    about="Get the profile that enrolls a device by hand, as a .mobileconfig file",
    doc=Doc(media_type=PROFILE),
)
def get_manual_enrollment_profile(
    request: ApiRequest, blueprint_id: UUID, query: EnrollmentProfileQuery
) -> HttpResponse:
    blueprint = request.tenant.blueprints.select_related("tenant").get(uuid=blueprint_id)
    return HttpResponse(
        enrollment_profiles.enrollment_profile(blueprint),
        content_type=PROFILE,
        headers={"Content-Disposition": "attachment;filename=kandji-enroll.mobileconfig"},
    )


@router.operation(
    "PATCH",
    "/blueprints/{blueprint_id}",
    id="update_blueprint",
    label="Update Blueprint",
    about="Change the name, looks, description or enrollment code of a Blueprint",
    response=BlueprintOut,
    forms=True,
)
def update_blueprint(request: ApiRequest, blueprint_id: UUID, body: BlueprintUpdate) -> BlueprintOut:
    services.update_blueprint(
        tenant=request.tenant,
        blueprint_id=blueprint_id,
        actor=request.actor,
        name=body.name or None,
        description=body.description if "description" in body.model_fields_set else None,
        color=body.color or None,
        icon=body.icon or None,
        **body.enrollment_code.given(),
    )
    return _out(request.tenant, blueprint_id)


@router.operation(
    "POST",
    "/blueprints",
    id="create_blueprint",
    label="Create Blueprint",
    about="Create a Blueprint, blank, from a template or as a copy of another",
    response=BlueprintOut,
    status=201,
    forms=True,
)
def create_blueprint(request: ApiRequest, body: NewBlueprint) -> BlueprintOut:
    named = body.source
    source = services.source_of(tenant=request.tenant, type=named.type, id=named.id) if named else None
    try:
        blueprint = services.create_blueprint(
            tenant=request.tenant,
            name=body.name,
            actor=request.actor,
            description=body.description,
            color=body.color,
            icon=body.icon,
            type=body.type or "",
            source=source,
            **body.enrollment_code.given(),
        )
    except services.BlueprintTypeMismatch as refusal:
        raise errors.ApiError(400, refusal.messages) from None
    return _out(request.tenant, blueprint.uuid)


@router.operation(
    "GET",
    "/blueprints/{blueprint_id}/list-library-items",
    id="list_blueprint_library_items",
    label="List Library Items",
    about="Get a list of the library items that a Blueprint installs",
    response=Page[BlueprintLibraryItem],
)
def list_blueprint_library_items(request: ApiRequest, blueprint_id: UUID) -> Page[BlueprintLibraryItem]:
    blueprint = request.tenant.blueprints.get(uuid=blueprint_id)
    return single_page(assignment.library_items(blueprint), BlueprintLibraryItem.of)


@router.operation(
    "POST",
    "/blueprints/{blueprint_id}/assign-library-item",
    id="assign_library_item",
    label="Assign Library Item",
    about="Put a library item on a Blueprint",
    response=list[UUID],
)
def assign_library_item(request: ApiRequest, blueprint_id: UUID, body: AssignmentBody) -> list[UUID]:
    return _change_library(assignment.assign_library_item, request, blueprint_id, body)


@router.operation(
    "POST",
    "/blueprints/{blueprint_id}/remove-library-item",
    id="remove_library_item",
    label="Remove Library Item",
    about="Take a library item off a Blueprint",
    response=list[UUID],
)
def remove_library_item(request: ApiRequest, blueprint_id: UUID, body: AssignmentBody) -> list[UUID]:
    return _change_library(assignment.remove_library_item, request, blueprint_id, body)


@router.operation(
    "GET",
    "/blueprints/templates/",
    id="list_blueprint_templates",
    label="Get Blueprint Templates",
    about="Get a list of the templates that a new Blueprint may start from, by category",
    response=Page[BlueprintTemplateCategory],
)
def list_blueprint_templates(request: ApiRequest, query: LimitOffset) -> Page[BlueprintTemplateCategory]:
    following, preceding = page_links(request, query, len(CATEGORIES))
    shown = CATEGORIES[query.offset : query.offset + query.limit]
    return Page(
        count=len(CATEGORIES),
        next=following,
        previous=preceding,
        results=[BlueprintTemplateCategory.model_validate(category) for category in shown],
    )


@router.operation(
    "DELETE",
    "/blueprints/{blueprint_id}",
    id="delete_blueprint",
    label="Delete Blueprint",
    about="Delete a Blueprint and stop managing the devices in it",
    sensitive=True,
    status=204,
)
def delete_blueprint(request: ApiRequest, blueprint_id: UUID) -> None:
    services.delete_blueprint(tenant=request.tenant, blueprint_id=blueprint_id, actor=request.actor)


def _out(tenant: Tenant, blueprint_id: UUID) -> BlueprintOut:
    return BlueprintOut.of(tenant.blueprints.counted().get(uuid=blueprint_id))


def _change_library(
    service: Callable[..., Blueprint], request: ApiRequest, blueprint_id: UUID, body: AssignmentBody
) -> list[UUID]:
    try:
        blueprint = service(
            tenant=request.tenant,
            blueprint_id=blueprint_id,
            library_item_id=body.library_item_id,
            node_id=body.assignment_node_id,
            actor=request.actor,
        )
    except ValidationError as refusal:
        # The public API writes these as bare texts; only a wrong field has its name.
        if hasattr(refusal, "error_dict"):
            raise
        raise errors.refused(str(refusal.message)) from None
    return list(assignment.library_items(blueprint).values_list("uuid", flat=True))
