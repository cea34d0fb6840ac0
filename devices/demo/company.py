"""How the demo company has set up its tenant: blueprints, the library on them, and the routing of new devices."""

from datetime import timedelta
from random import Random
from typing import Any

from django.db import transaction
from django.utils import timezone

from access.audit.events import Actor, Target, log_event
from access.models import AuditEvent, Tenant
from devices.dates import zulu
from devices.demo import library
from devices.enrollment import codes as enrollment_codes
from devices.enrollment.routing import routing_of, update_routing
from devices.models import Assignment, AssignmentNode, Blueprint, Device, LibraryItem, RoutingActivity

ROUTED = 12  # of the newest devices, whose way through the routing is told
FALLBACK = "Everything else"


@transaction.atomic
def set_up_company(*, tenant: Tenant, actor: Actor) -> None:
    """Dress the blueprints that the demo fleet brought, and give them their library and the tenant its routing.

    What is there already stays as it is.
    """
    enrollment_codes.lock(tenant)
    blueprints = {row.name: row for row in tenant.blueprints.filter(name__in=library.BLUEPRINTS)}
    codes = _codes(tenant)
    undressed = [row for row in blueprints.values() if not row.enrollment_code]
    for blueprint in undressed:
        _style_field(blueprint, next(codes))
    fields = ["icon", "color", "description", "type", "params", "enrollment_code", "enrollment_code_active"]
    Blueprint.objects.bulk_update(undressed, fields)
    _assign_library(tenant, {row.name: row for row in undressed})
    if undressed:
        log_event(
            target=Target.whole(tenant),
            actor=actor,
            action=AuditEvent.Action.CREATE,
            summary="Demo library added",
            metadata={"blueprints": len(undressed), "library_items": len(library.ITEMS)},
        )
    if not routing_of(tenant).enrollment_code:
        update_routing(tenant=tenant, actor=actor, enrollment_code=next(codes), enrollment_code_active=True)
        RoutingActivity.objects.bulk_create(_routed(tenant))


def _codes(tenant: Tenant) -> Any:
    """Six digits that nothing of the tenant has, the same for every new tenant."""
    taken = set(tenant.blueprints.values_list("enrollment_code", flat=True)) | {routing_of(tenant).enrollment_code}
    random = Random(tenant.subdomain)  # noqa: S311 - made up, and meant to be the same again
    while True:
        code = f"{random.randrange(10**enrollment_codes.DIGITS):0{enrollment_codes.DIGITS}}"
        if code not in taken:
            taken.add(code)
            yield code


def _style_field(blueprint: Blueprint, code: str) -> None:
    look = library.BLUEPRINTS[blueprint.name]
    blueprint.icon, blueprint.color, blueprint.description = look.icon, look.color, look.description
    blueprint.enrollment_code, blueprint.enrollment_code_active = code, True
    if blueprint.name == library.MAP:
        blueprint.type = Blueprint.Type.MAP
    if blueprint.name in library.MACS:
        blueprint.params = {str(parameter.id): {"mute": False, "daily": True} for parameter in library.PARAMETERS}


def _assign_library(tenant: Tenant, blueprints: dict[str, Blueprint]) -> None:
    LibraryItem.objects.bulk_create(
        [LibraryItem(tenant=tenant, uuid=item.id, name=item.name, type=item.type) for item in library.ITEMS],
        ignore_conflicts=True,
    )
    items = {item.uuid: item for item in tenant.library_items.filter(uuid__in=[item.id for item in library.ITEMS])}
    nodes: dict[str, AssignmentNode] = {}
    if library.MAP in blueprints:
        map_ = blueprints[library.MAP]
        made = AssignmentNode.objects.bulk_create(
            [AssignmentNode(blueprint=map_, uuid=library.fixed_id("node", name), name=name) for name in library.NODES]
        )
        nodes = {node.name: node for node in made}
    Assignment.objects.bulk_create(
        Assignment(
            blueprint=blueprint,
            library_item=items[item.id],
            node=nodes[item.node or library.NODES[0]] if name == library.MAP else None,
        )
        for name, blueprint in blueprints.items()
        for item in library.items_of(name)
    )


def _routed(tenant: Tenant) -> list[RoutingActivity]:
    """Departures of the newest devices, one of which met no rule, and their enrollments a moment later."""
    newest = list(tenant.devices.select_related("blueprint").order_by("-last_enrollment", "pk")[:ROUTED])
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
