"""The setup of the demo company's tenant: blueprints, library and blueprint routing."""

from collections.abc import Iterator
from datetime import timedelta
from random import Random
from typing import Any

from django.db import transaction
from django.utils import timezone

from access.audit.events import Actor, Target, log_event
from access.models import AuditEvent, Tenant
from devices.dates import zulu
from devices.demo import app_uploads, library
from devices.demo.library_contents import add_contents
from devices.enrollment import codes as enrollment_codes
from devices.enrollment.routing import routing_of, update_routing
from devices.models import (
    Assignment,
    AssignmentNode,
    Blueprint,
    CustomScript,
    Device,
    LibraryItem,
    RoutingActivity,
)

ROUTED_DEVICES = 12  # the newest devices, which the routing activity lists
FALLBACK = "Everything else"


@transaction.atomic
def set_up_company(*, tenant: Tenant, actor: Actor) -> None:
    """Set up the imported blueprints of the demo fleet, their library items and the tenant's routing.

    Blueprints and routing that have an enrollment code are set up already and stay unchanged.
    """
    enrollment_codes.lock(tenant)
    blueprints = {row.name: row for row in tenant.blueprints.filter(name__in=library.BLUEPRINTS)}
    codes = _codes(tenant)
    new_blueprints = [row for row in blueprints.values() if not row.enrollment_code]
    for blueprint in new_blueprints:
        _set_up_blueprint(blueprint, next(codes))
    fields = ["icon", "color", "description", "type", "params", "enrollment_code", "enrollment_code_active"]
    Blueprint.objects.bulk_update(new_blueprints, fields)
    _assign_library(tenant, {row.name: row for row in new_blueprints})
    app_uploads.add_apps(tenant)
    if new_blueprints:
        log_event(
            target=Target.whole(tenant),
            actor=actor,
            action=AuditEvent.Action.CREATE,
            summary="Demo library added",
            metadata={"blueprints": len(new_blueprints), "library_items": len(library.ITEMS)},
        )
    if not routing_of(tenant).enrollment_code:
        update_routing(tenant=tenant, actor=actor, enrollment_code=next(codes), enrollment_code_active=True)
        RoutingActivity.objects.bulk_create(_routing_activity(tenant))


def _codes(tenant: Tenant) -> Iterator[str]:
    """Yield enrollment codes that the tenant does not use, always the same ones for the same subdomain."""
    used_codes = set(tenant.blueprints.values_list("enrollment_code", flat=True)) | {routing_of(tenant).enrollment_code}
    random = Random(tenant.subdomain)  # noqa: S311 - reproducible demo data
    while True:
        code = f"{random.randrange(10**enrollment_codes.DIGITS):0{enrollment_codes.DIGITS}}"
        if code not in used_codes:
            used_codes.add(code)
            yield code


def _set_up_blueprint(blueprint: Blueprint, code: str) -> None:
    style = library.BLUEPRINTS[blueprint.name]
    blueprint.icon, blueprint.color, blueprint.description = style.icon, style.color, style.description
    blueprint.enrollment_code, blueprint.enrollment_code_active = code, True
    if blueprint.name == library.MAP_BLUEPRINT:
        blueprint.type = Blueprint.Type.MAP
    if blueprint.name in library.MAC_BLUEPRINTS:
        blueprint.params = {str(parameter.id): {"mute": False, "daily": True} for parameter in library.PARAMETERS}


def _assign_library(tenant: Tenant, blueprints: dict[str, Blueprint]) -> None:
    LibraryItem.objects.bulk_create(
        [LibraryItem(tenant=tenant, uuid=item.id, name=item.name, type=item.type) for item in library.ITEMS],
        ignore_conflicts=True,
    )
    items = {item.uuid: item for item in tenant.library_items.filter(uuid__in=[item.id for item in library.ITEMS])}
    if not CustomScript.objects.filter(item__in=items.values()).exists():  # not yet set up
        add_contents(tenant, items)
    nodes: dict[str, AssignmentNode] = {}
    if library.MAP_BLUEPRINT in blueprints:
        map_ = blueprints[library.MAP_BLUEPRINT]
        rows = AssignmentNode.objects.bulk_create(
            AssignmentNode(
                blueprint=map_,
                uuid=library.fixed_id("node", name),
                name=name,
                position=position,
                is_default=name == library.DEFAULT_NODE,
                conditions=[each.stored for each in conditions],
            )
            for position, (name, conditions) in enumerate(library.NODES.items())
        )
        nodes = {node.name: node for node in rows}
    Assignment.objects.bulk_create(
        Assignment(
            blueprint=blueprint,
            library_item=items[item.id],
            node=nodes[item.node or library.DEFAULT_NODE] if name == library.MAP_BLUEPRINT else None,
        )
        for name, blueprint in blueprints.items()
        for item in library.items_of(name)
    )


def _routing_activity(tenant: Tenant) -> list[RoutingActivity]:
    """Return a routing departure and an enrollment for each of the newest devices; one device matched no rule."""
    newest = list(tenant.devices.select_related("blueprint").order_by("-last_enrollment", "pk")[:ROUTED_DEVICES])
    rows = []
    for number, device in enumerate(reversed(newest)):
        route = FALLBACK if number == 0 else f"{device.get_platform_display()} devices"
        rows.append(
            _activity(
                device,
                "routing_departure",
                0,
                is_fallback=number == 0,
                matched_route={"id": str(library.fixed_id("route", route)), "label": route, "order": number % 4 + 1},
                destination_blueprint={"id": str(device.blueprint.uuid), "name": device.blueprint.name},
            )
        )
        rows.append(
            _activity(
                device,
                "computer_enrollment",
                20,
                enrollment_type="Automated Device Enrollment",
                blueprint_name=device.blueprint.name,
            )
        )
    return rows


def _activity(device: Device, activity_type: str, seconds: int, **details: Any) -> RoutingActivity:
    at = min(device.last_enrollment + timedelta(seconds=seconds), timezone.now())
    computer = {"id": str(device.uuid), "name": device.name, "enrolled_at": zulu(device.last_enrollment)}
    return RoutingActivity(
        tenant_id=device.tenant_id,
        activity_time=at,
        activity_type=activity_type,
        device_uuid=device.uuid,
        details={"computer": computer, **details},
    )
