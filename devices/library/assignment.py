"""The library items of a blueprint. Published clients search for the exact error texts, so they must not change."""

from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet

from access.audit.events import Actor, Target, log_event
from access.models import AuditEvent, Tenant
from devices.library.desired.changes import blueprints_changed
from devices.library.items import log_activity
from devices.library.kinds import kind_of
from devices.models import Assignment, AssignmentNode, Blueprint, LibraryActivity, LibraryItem
from devices.references import get_referenced


def library_items(blueprint: Blueprint) -> QuerySet[LibraryItem]:
    """Return the items assigned to the blueprint or to one of its nodes, each once, ordered by name."""
    assigned = blueprint.assignments.values("library_item")
    return blueprint.tenant.library_items.filter(pk__in=assigned).order_by("name", "pk")


@transaction.atomic
def assign_library_item(
    *, tenant: Tenant, blueprint_id: UUID, library_item_id: UUID, node_id: UUID | None, actor: Actor
) -> Blueprint:
    """Assign a library item to a blueprint, or to a node of a map; to its only node if none is named.

    Raises Blueprint.DoesNotExist, and ValidationError for every other reason. If the tenant does not have the item, the
    error has the name of the field.
    """
    blueprint = _get_locked(tenant, blueprint_id)
    node = _node(blueprint, node_id)
    if node_id and node is None:
        raise ValidationError("Assignment node not found")
    item = get_referenced(tenant.library_items.filter(uuid=library_item_id), "library_item_id", library_item_id)
    here = blueprint.assignments.filter(node=node)
    if here.filter(library_item=item).exists():
        raise ValidationError(f"Library Item already exists {'in Assignment Node' if node_id else 'on Blueprint'}")
    if kind_of(item).singleton and here.filter(library_item__type=item.type).exists():
        raise ValidationError("Assignment node can only have one of this Library Item type.")
    Assignment.objects.create(blueprint=blueprint, library_item=item, node=node)
    blueprints_changed([blueprint.pk])
    _log(blueprint, item, node, actor, "Library Item assigned to Blueprint")
    return blueprint


@transaction.atomic
def remove_library_item(
    *, tenant: Tenant, blueprint_id: UUID, library_item_id: UUID, node_id: UUID | None, actor: Actor
) -> Blueprint:
    """Remove a library item from a blueprint or a node. Raises Blueprint.DoesNotExist, and ValidationError if the item
    is not there."""
    blueprint = _get_locked(tenant, blueprint_id)
    node = _node(blueprint, node_id)
    here = blueprint.assignments.filter(node=node, library_item__uuid=library_item_id)
    assignment = here.select_related("library_item").first()
    if assignment is None or (node_id and node is None):
        raise ValidationError(f"Library Item does not exist {'in Assignment Node' if node_id else 'on Blueprint'}")
    assignment.delete()
    blueprints_changed([blueprint.pk])
    _log(blueprint, assignment.library_item, node, actor, "Library Item removed from Blueprint")
    return blueprint


def _get_locked(tenant: Tenant, blueprint_id: UUID) -> Blueprint:
    return tenant.blueprints.select_for_update().get(uuid=blueprint_id)


def _node(blueprint: Blueprint, node_id: UUID | None) -> AssignmentNode | None:
    """The node with this id; None if the blueprint has no such node. Raises if a node must be named, or must not.

    Without an id it is the default node: the only node of a map, and None if items are assigned to the blueprint
    itself, as in a classic blueprint and in a map without nodes.
    """
    if node_id is not None:
        if blueprint.type == Blueprint.Type.CLASSIC:
            raise ValidationError("assignment_node_id cannot be provided for Classic Blueprint")
        return blueprint.nodes.filter(uuid=node_id).first()
    nodes = list(blueprint.nodes.all()[:2]) if blueprint.type == Blueprint.Type.MAP else []
    if len(nodes) > 1:  # only conditional logic makes a second node
        raise ValidationError("Must provide assignment_node_id for Assignment Map Blueprint")
    return nodes[0] if nodes else None


def _log(blueprint: Blueprint, item: LibraryItem, node: AssignmentNode | None, actor: Actor, summary: str) -> None:
    log_activity([item], actor, LibraryActivity.Type.ASSIGNMENT_CHANGED)
    metadata: dict[str, Any] = {"library_item": {"id": str(item.uuid), "name": item.name}}
    if node:
        metadata["assignment_node"] = {"id": str(node.uuid), "name": node.name}
    log_event(
        target=Target(blueprint.tenant, "blueprint", blueprint.uuid, blueprint.name, "library_items"),
        actor=actor,
        action=AuditEvent.Action.UPDATE,
        summary=summary,
        metadata=metadata,
    )
