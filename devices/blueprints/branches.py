"""Change the branches of an assignment map and their conditions.

In the API a branch is a node. Each change locks the Blueprint, as changes of its library items do.
"""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Count

from access.audit.events import Actor, Target, log_event
from access.models import AuditEvent, Tenant
from devices.conditions.conditions import MOST_CONDITIONS, MOST_VALUES, Condition, hold, of_branch, tag_names
from devices.library.desired.changes import blueprints_changed
from devices.library.items import log_activity
from devices.models import AssignmentNode, Blueprint, LibraryActivity

MOST_BRANCHES = 30  # of a map, with the default branch
DEFAULT_NAME = "Every device"
COUNTED = 10_000  # devices of a Blueprint that are counted without being asked to


@transaction.atomic
def add_branch(*, tenant: Tenant, blueprint_id: UUID, name: str, actor: Actor) -> AssignmentNode:
    """Add a branch without conditions as the last of the map. The first one of a map without branches also makes the
    default branch, which gets the items of the map.

    Raises Blueprint.DoesNotExist, and ValidationError for a classic Blueprint, for a name that another branch has, and
    for a map that has as many as it may.
    """
    blueprint = _locked(tenant, blueprint_id)
    if blueprint.type != Blueprint.Type.MAP:
        raise ValidationError("A classic Blueprint has no branches.")
    _check_name(blueprint, name, None)
    branches = list(blueprint.nodes.order_by("position", "pk"))
    if not any(branch.is_default for branch in branches):
        default_name = DEFAULT_NAME if name != DEFAULT_NAME else f"{DEFAULT_NAME} (default)"
        default = AssignmentNode.objects.create(blueprint=blueprint, name=default_name, is_default=True)
        blueprint.assignments.filter(node=None).update(node=default)
        branches.insert(0, default)
    if len(branches) >= MOST_BRANCHES:
        raise ValidationError(f"A map has at most {MOST_BRANCHES} branches.")
    branch = AssignmentNode(blueprint=blueprint, name=name)
    branch.save(force_insert=True)
    _place([*branches, branch])
    _log(blueprint, branch, actor, "Branch added to Assignment Map")
    return branch


@transaction.atomic
def rename_branch(*, tenant: Tenant, blueprint_id: UUID, branch_id: UUID, name: str, actor: Actor) -> None:
    """Raises Blueprint.DoesNotExist, AssignmentNode.DoesNotExist, and ValidationError for a name that another has."""
    blueprint = _locked(tenant, blueprint_id)
    branch = blueprint.nodes.get(uuid=branch_id)
    if name == branch.name:
        return
    _check_name(blueprint, name, branch)
    changes = {"name": {"old": branch.name, "new": name}}
    branch.name = name
    branch.save(update_fields=["name"])
    _log(blueprint, branch, actor, "Branch of Assignment Map renamed", changes)


@transaction.atomic
def move_branch(*, tenant: Tenant, blueprint_id: UUID, branch_id: UUID, later: bool, actor: Actor) -> None:
    """Move a branch one place up, or down with `later`. It changes only the order in which branches are shown; one that
    cannot move that way stays. The default branch is always the first.

    Raises Blueprint.DoesNotExist and AssignmentNode.DoesNotExist.
    """
    blueprint = _locked(tenant, blueprint_id)
    branches = list(blueprint.nodes.order_by("-is_default", "position", "pk"))
    branch = blueprint.nodes.get(uuid=branch_id)
    here = branches.index(branch)
    there = here + (1 if later else -1)
    if not 0 <= there < len(branches) or branch.is_default or branches[there].is_default:
        return
    branches[here], branches[there] = branches[there], branches[here]
    _place(branches)
    changes = {"position": {"old": here + 1, "new": there + 1}}
    _log(blueprint, branch, actor, "Branch of Assignment Map moved", changes)


@transaction.atomic
def delete_branch(*, tenant: Tenant, blueprint_id: UUID, branch_id: UUID, actor: Actor) -> None:
    """Delete a branch. Its items stay in the Library and on other branches.

    Raises Blueprint.DoesNotExist, AssignmentNode.DoesNotExist, and ValidationError for the default branch.
    """
    blueprint = _locked(tenant, blueprint_id)
    branch = blueprint.nodes.get(uuid=branch_id)
    if branch.is_default:
        raise ValidationError("The default branch of a map cannot be deleted.")
    items = list(tenant.library_items.filter(assignments__node=branch).order_by("name", "pk"))
    branch.delete()
    blueprints_changed([blueprint.pk])
    log_activity(items, actor, LibraryActivity.Type.ASSIGNMENT_CHANGED)
    metadata = {"library_items": [item.name for item in items]} if items else {}
    _log(blueprint, branch, actor, "Branch deleted from Assignment Map", metadata=metadata)


def add_condition(
    *,
    tenant: Tenant,
    blueprint_id: UUID,
    branch_id: UUID,
    attribute: str,
    operator: str,
    values: Iterable[str],
    actor: Actor,
    replaced: Condition | None = None,
) -> None:
    """Add a condition to a branch, in the place of `replaced` if that is given.

    Raises Blueprint.DoesNotExist, AssignmentNode.DoesNotExist, and ValidationError, with the name of the field where
    there is one: for values that the attribute does not take, for the default branch, and for too many conditions.
    """
    condition = Condition.checked(tenant=tenant, attribute=attribute, operator=operator, values=values)
    _set_conditions(tenant, blueprint_id, branch_id, actor, added=condition, removed=replaced)


def remove_condition(
    *, tenant: Tenant, blueprint_id: UUID, branch_id: UUID, condition: Condition, actor: Actor
) -> None:
    """Remove a condition from a branch. Raises as `add_condition`."""
    _set_conditions(tenant, blueprint_id, branch_id, actor, removed=condition)


def device_counts(blueprint: Blueprint) -> dict[int, int]:
    """The number of managed devices that each branch is for now, by its primary key. One query reads all devices of the
    Blueprint: see COUNTED."""
    branches = dict(blueprint.nodes.values_list("pk", "conditions"))
    if not branches:
        return {}
    devices = blueprint.devices.filter(is_removed=False)
    counts = devices.aggregate(
        **{f"branch_{pk}": Count("pk", filter=hold(conditions) or None) for pk, conditions in branches.items()}
    )
    return {pk: counts[f"branch_{pk}"] for pk in branches}


@transaction.atomic
def _set_conditions(
    tenant: Tenant,
    blueprint_id: UUID,
    branch_id: UUID,
    actor: Actor,
    *,
    added: Condition | None = None,
    removed: Condition | None = None,
) -> None:
    blueprint = _locked(tenant, blueprint_id)
    branch = blueprint.nodes.get(uuid=branch_id)
    if branch.is_default:
        raise ValidationError("The default branch of a map is for every device. It has no conditions.")
    before = of_branch(branch.conditions)
    if removed and removed not in before:
        raise ValidationError("Somebody has changed or removed this condition meanwhile.")
    after = [condition for condition in before if condition != removed]
    if added:
        if added in after:
            raise ValidationError("The branch has this condition already.")
        after.insert(before.index(removed) if removed else len(after), added)
    if after == before:
        return
    if len(after) > MOST_CONDITIONS:
        raise ValidationError(f"A branch has at most {MOST_CONDITIONS} conditions.")
    if sum(len(condition.values) for condition in after) > MOST_VALUES:
        raise ValidationError(f"The conditions of a branch have at most {MOST_VALUES:,} values together.")
    branch.conditions = [condition.stored for condition in after]
    branch.save(update_fields=["conditions"])
    blueprints_changed([blueprint.pk])
    names = tag_names(tenant, [*before, *after])
    words = {key: [each.words(names) for each in side] for key, side in (("old", before), ("new", after))}
    _log(blueprint, branch, actor, "Conditions of a branch changed", {"conditions": words})


def _locked(tenant: Tenant, blueprint_id: UUID) -> Blueprint:
    return tenant.blueprints.select_for_update().get(uuid=blueprint_id)


def _check_name(blueprint: Blueprint, name: str, branch: AssignmentNode | None) -> None:
    others = blueprint.nodes.exclude(pk=branch.pk) if branch else blueprint.nodes.all()
    if others.filter(name=name).exists():
        raise ValidationError({"name": "A branch with this name already exists."})


def _place(branches: list[AssignmentNode]) -> None:
    for position, branch in enumerate(branches):
        branch.position = position
    AssignmentNode.objects.bulk_update(branches, ["position"])


def _log(
    blueprint: Blueprint,
    branch: AssignmentNode,
    actor: Actor,
    summary: str,
    changes: dict[str, Any] | None = None,
    *,
    metadata: dict[str, Any] | None = None,
) -> None:
    log_event(
        target=Target(blueprint.tenant, "blueprint", blueprint.uuid, blueprint.name, "assignment_map"),
        actor=actor,
        action=AuditEvent.Action.UPDATE,
        summary=summary,
        changes=changes or {},
        metadata={"assignment_node": {"id": str(branch.uuid), "name": branch.name}} | (metadata or {}),
    )
