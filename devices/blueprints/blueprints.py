from functools import partial
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from access.audit.events import Actor, Target, difference, log_event
from access.models import AuditEvent, Tenant
from devices.blueprints.templates import Template, template
from devices.enrollment import codes as enrollment_codes
from devices.fleet import records
from devices.models import Assignment, AssignmentNode, Blueprint
from devices.references import unknown_reference

# What a new blueprint takes over from its source where the caller names nothing else.
COPIED = ("params", "color", "icon")


class OtherType(ValidationError):
    """A blueprint was to be copied into one of another type."""


@transaction.atomic
def create_blueprint(
    *,
    tenant: Tenant,
    name: str,
    actor: Actor,
    description: str = "",
    color: str = "",
    icon: str = "",
    type: str = "",
    enrollment_code: str = "",
    enrollment_code_active: bool = False,
    source: Blueprint | Template | None = None,
) -> Blueprint:
    """Create a blueprint; a code of six digits is made for one without.

    A source gives its params, and its color and icon where none are named; a blueprint also its library items. Raises
    OtherType where `type` is not the source's, and ValidationError for a name or code that the tenant uses already.
    """
    enrollment_codes.lock(tenant)
    if isinstance(source, Blueprint) and (type := type or source.type) != source.type:
        raise OtherType("Blueprint type does not match the source blueprint type")
    given = {"color": color, "icon": icon, "type": type}
    copied = {field: getattr(source, field) for field in COPIED} if source else {}
    blueprint = Blueprint(
        tenant=tenant,
        name=name,
        description=description,
        enrollment_code_active=enrollment_code_active,
        **{**copied, **{field: value for field, value in given.items() if value}},
    )
    _check_name(blueprint)
    if enrollment_code:
        enrollment_codes.check(enrollment_code, blueprint)
    blueprint.enrollment_code = enrollment_code or enrollment_codes.generate(blueprint)
    blueprint.save(force_insert=True)
    if isinstance(source, Blueprint):
        _copy_library(source, blueprint)
    log_event(target=_target(blueprint), actor=actor, action=AuditEvent.Action.CREATE, summary="Blueprint created")
    return blueprint


@transaction.atomic
def update_blueprint(
    *,
    tenant: Tenant,
    blueprint_id: UUID,
    actor: Actor,
    name: str | None = None,
    description: str | None = None,
    color: str | None = None,
    icon: str | None = None,
    enrollment_code: str | None = None,
    enrollment_code_active: bool | None = None,
) -> Blueprint:
    """Change what is given. A new name is in the records of its devices at once; an assignment map keeps its color and
    icon; activating a code that there is not makes one.

    Raises Blueprint.DoesNotExist, and ValidationError for a name or code that the tenant uses already.
    """
    enrollment_codes.lock(tenant)
    blueprint = tenant.blueprints.select_for_update().get(uuid=blueprint_id)
    if enrollment_code_active and not (enrollment_code or blueprint.enrollment_code):
        enrollment_code = enrollment_codes.generate(blueprint)  # an imported one came without
    given: dict[str, Any] = {
        "name": name,
        "description": description,
        "enrollment_code": enrollment_code,
        "enrollment_code_active": enrollment_code_active,
    }
    if blueprint.type != Blueprint.Type.MAP:
        given |= {"color": color, "icon": icon}
    changes = difference(_state(blueprint), {field: value for field, value in given.items() if value is not None})
    if not changes:
        return blueprint
    for field in changes:
        setattr(blueprint, field, given[field])
    if "name" in changes:
        _check_name(blueprint)
    if "enrollment_code" in changes:
        enrollment_codes.check(blueprint.enrollment_code, blueprint)
    blueprint.save(update_fields=[*changes, "updated_at"])
    if "name" in changes:
        records.refresh(list(blueprint.devices.values_list("pk", flat=True)))
    log_event(
        target=_target(blueprint),
        actor=actor,
        action=AuditEvent.Action.UPDATE,
        summary="Blueprint updated",
        changes=changes,
    )
    return blueprint


@transaction.atomic
def delete_blueprint(*, tenant: Tenant, blueprint_id: UUID, actor: Actor) -> None:
    """Delete a blueprint and stop managing the devices in it. Raises Blueprint.DoesNotExist.

    Nothing of the devices is lost: each stays, with its secrets, notes and history, as removed from MDM and under the
    name of the blueprint that it was in, until it is assigned to another or deleted.
    """
    blueprint = tenant.blueprints.select_for_update().get(uuid=blueprint_id)
    devices = list(blueprint.devices.values_list("pk", flat=True))
    blueprint.deleted_at = timezone.now()
    blueprint.save(update_fields=["deleted_at", "updated_at"])
    blueprint.assignments.all().delete()
    blueprint.nodes.all().delete()
    blueprint.devices.update(is_removed=True, mdm_enabled=False)
    records.refresh(devices)
    log_event(
        target=_target(blueprint),
        actor=actor,
        action=AuditEvent.Action.DELETE,
        summary="Blueprint deleted",
        metadata={"devices": len(devices)},
    )


def source_of(*, tenant: Tenant, type: str, id: str) -> Blueprint | Template:
    """The template or blueprint that a new one is made from. Raises ValidationError for one that there is not."""
    found: Blueprint | Template | None = None
    if type == "template":
        found = template(int(id)) if id.isdecimal() and len(id) < 10 else None
    else:
        try:
            found = tenant.blueprints.filter(uuid=UUID(id)).first()
        except ValueError:
            raise ValidationError({"source": "Must be a valid UUID."}) from None
    if found is None:
        raise unknown_reference("source", id)
    return found


def _check_name(blueprint: Blueprint) -> None:
    if blueprint.tenant.blueprints.filter(name=blueprint.name).exclude(pk=blueprint.pk).exists():
        raise ValidationError({"name": "A Blueprint with this name already exists."})


def _copy_library(source: Blueprint, blueprint: Blueprint) -> None:
    nodes = list(source.nodes.order_by("pk"))
    copies = AssignmentNode.objects.bulk_create(AssignmentNode(blueprint=blueprint, name=node.name) for node in nodes)
    copy_of = {node.pk: copy for node, copy in zip(nodes, copies, strict=True)}
    Assignment.objects.bulk_create(
        Assignment(
            blueprint=blueprint,
            library_item_id=assignment.library_item_id,
            node=copy_of[assignment.node_id] if assignment.node_id else None,
        )
        for assignment in source.assignments.order_by("pk")
    )


def _state(blueprint: Blueprint) -> dict[str, Any]:
    fields = ("name", "description", "color", "icon", "type", "enrollment_code", "enrollment_code_active")
    return {field: getattr(blueprint, field) for field in fields}


def _target(blueprint: Blueprint) -> Target:
    return Target(blueprint.tenant, "blueprint", blueprint.uuid, blueprint.name, state=partial(_state, blueprint))
