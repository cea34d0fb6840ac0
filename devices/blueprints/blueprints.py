"""Create, change, copy and delete blueprints."""

from functools import partial
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from access.audit.events import Actor, Target, difference, log_event
from access.models import AuditEvent, Tenant
from devices.blueprints.required_versions import copy_required_versions
from devices.blueprints.templates import Template, template
from devices.declarations import planning
from devices.enrollment import codes as enrollment_codes
from devices.fleet import records
from devices.library.assignment import library_items
from devices.library.desired.changes import blueprints_changed
from devices.library.items import log_activity
from devices.models import Assignment, AssignmentNode, Blueprint, LibraryActivity
from devices.references import unknown_reference

# Fields that a new blueprint copies from its source, unless the caller gives a value.
COPIED_FIELDS = ("params", "color", "icon")


class BlueprintTypeMismatch(ValidationError):
    """The type of the new blueprint differs from the type of the blueprint to copy."""


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
    """Create a blueprint. Without an enrollment code it gets a random one of six digits.

    From a `source` it copies the params, and the color and icon if none are given. From a blueprint it also copies the
    library items and the required versions. Raises BlueprintTypeMismatch if `type` differs from the source blueprint's,
    and ValidationError for a name or code that the tenant already uses.
    """
    enrollment_codes.lock(tenant)
    if isinstance(source, Blueprint) and (type := type or source.type) != source.type:
        raise BlueprintTypeMismatch("Blueprint type does not match the source blueprint type")
    fields = {field: getattr(source, field) for field in COPIED_FIELDS} if source else {}
    fields |= {field: value for field, value in {"color": color, "icon": icon, "type": type}.items() if value}
    blueprint = Blueprint(
        tenant=tenant,
        name=name,
        description=description,
        enrollment_code_active=enrollment_code_active,
        **fields,
    )
    _check_name(blueprint)
    if enrollment_code:
        enrollment_codes.check(enrollment_code, blueprint)
    blueprint.enrollment_code = enrollment_code or enrollment_codes.generate(blueprint)
    blueprint.save(force_insert=True)
    if isinstance(source, Blueprint):
        _copy_library(source, blueprint)
        copy_required_versions(source, blueprint)
        log_activity(list(library_items(blueprint)), actor, LibraryActivity.Type.ASSIGNMENT_CHANGED)
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
    """Change a blueprint; fields that are None stay unchanged.

    A new name is in the records of its devices at once, or within seconds if thousands have it. The color and icon of
    an assignment map stay unchanged. If the code is activated and there is none, the blueprint gets a random one.
    Raises Blueprint.DoesNotExist, and ValidationError for a name or code that the tenant already uses.
    """
    enrollment_codes.lock(tenant)
    blueprint = tenant.blueprints.select_for_update().get(uuid=blueprint_id)
    if enrollment_code_active and not (enrollment_code or blueprint.enrollment_code):
        enrollment_code = enrollment_codes.generate(blueprint)  # imported blueprints have no code
    fields: dict[str, Any] = {
        "name": name,
        "description": description,
        "enrollment_code": enrollment_code,
        "enrollment_code_active": enrollment_code_active,
    }
    if blueprint.type != Blueprint.Type.MAP:
        fields |= {"color": color, "icon": icon}
    changes = difference(_state(blueprint), {field: value for field, value in fields.items() if value is not None})
    if not changes:
        return blueprint
    for field in changes:
        setattr(blueprint, field, fields[field])
    if "name" in changes:
        _check_name(blueprint)
    if "enrollment_code" in changes:
        enrollment_codes.check(blueprint.enrollment_code, blueprint)
    ended = enrollment_codes.end_generation(blueprint) if enrollment_codes.FIELDS & changes.keys() else ()
    blueprint.save(update_fields=[*changes, "updated_at", *ended])
    if "name" in changes:
        records.refresh_sharing(blueprint.devices.values_list("pk", flat=True))
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
    """Delete a blueprint and stop managing its devices. Raises Blueprint.DoesNotExist.

    The devices stay, with their secrets, notes and history. They are marked as removed from MDM and still show the name
    of the deleted blueprint, until they are assigned to another one or deleted.
    """
    blueprint = tenant.blueprints.select_for_update().get(uuid=blueprint_id)
    blueprint.deleted_at = timezone.now()
    blueprint.save(update_fields=["deleted_at", "updated_at"])
    log_activity(list(library_items(blueprint)), actor, LibraryActivity.Type.ASSIGNMENT_CHANGED)
    blueprint.assignments.all().delete()
    blueprint.nodes.all().delete()
    blueprint.required_versions.all().delete()
    planning.reconsider(blueprint)
    blueprints_changed([blueprint.pk])
    devices = blueprint.devices.update(is_removed=True, mdm_enabled=False)
    records.refresh_sharing(blueprint.devices.values_list("pk", flat=True))
    log_event(
        target=_target(blueprint),
        actor=actor,
        action=AuditEvent.Action.DELETE,
        summary="Blueprint deleted",
        metadata={"devices": devices},
    )


def source_of(*, tenant: Tenant, type: str, id: str) -> Blueprint | Template:
    """Return the template or blueprint that a new blueprint is created from. Raises ValidationError if there is none.

    `type` is "template" or "blueprint"; `id` is a template's number or a blueprint's uuid.
    """
    source: Blueprint | Template | None = None
    if type == "template":
        source = template(int(id)) if id.isdecimal() and len(id) < 10 else None
    else:
        try:
            source = tenant.blueprints.filter(uuid=UUID(id)).first()
        except ValueError:
            raise ValidationError({"source": "Must be a valid UUID."}) from None
    if source is None:
        raise unknown_reference("source", id)
    return source


def _check_name(blueprint: Blueprint) -> None:
    if blueprint.tenant.blueprints.filter(name=blueprint.name).exclude(pk=blueprint.pk).exists():
        raise ValidationError({"name": "A Blueprint with this name already exists."})


def _copy_library(source: Blueprint, blueprint: Blueprint) -> None:
    nodes = list(source.nodes.order_by("pk"))
    copies = AssignmentNode.objects.bulk_create(AssignmentNode(blueprint=blueprint, name=node.name) for node in nodes)
    copies_by_pk = {node.pk: copy for node, copy in zip(nodes, copies, strict=True)}
    Assignment.objects.bulk_create(
        Assignment(
            blueprint=blueprint,
            library_item_id=assignment.library_item_id,
            node=copies_by_pk[assignment.node_id] if assignment.node_id else None,
        )
        for assignment in source.assignments.order_by("pk")
    )


def _state(blueprint: Blueprint) -> dict[str, Any]:
    fields = ("name", "description", "color", "icon", "type", "enrollment_code", "enrollment_code_active")
    return {field: getattr(blueprint, field) for field in fields}


def _target(blueprint: Blueprint) -> Target:
    return Target(blueprint.tenant, "blueprint", blueprint.uuid, blueprint.name, state=partial(_state, blueprint))
