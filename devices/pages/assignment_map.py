"""The assignment map on the page of a Blueprint: its branches, their conditions, and their library items."""

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from access.pages.dialogs import Dialog, refuse, saved, show
from access.pages.guards import PageRequest, requires
from access.pages.responses import form_data
from access.roles import Capability
from devices.blueprints import branches as services
from devices.conditions.attributes import ATTRIBUTES, Attribute
from devices.conditions.conditions import Condition, of_branch, tag_names
from devices.models import Assignment, AssignmentNode, Blueprint
from devices.pages.forms.assignment_map import BranchForm, ConditionForm

CHANGED = "blueprints-changed"
NAMED_VALUES = 12  # of a condition, which may have hundreds


@dataclass(slots=True)
class Branch:
    """A branch as it is shown. `node` is None in a map without branches, where every device gets the items.

    `devices` is the number that it is for now; None if that was not counted.
    """

    name: str
    node: AssignmentNode | None = None
    conditions: list[tuple[Condition, str]] = field(default_factory=list)  # with its words
    assignments: list[Assignment] = field(default_factory=list)
    devices: int | None = None
    can_move_up: bool = False
    can_move_down: bool = False

    @property
    def is_default(self) -> bool:
        return self.node is None or self.node.is_default


def assignment_map(blueprint: Blueprint, *, device_count: int, count: bool) -> dict[str, Any]:
    """What the template of the map reads. The devices of each branch are counted if the Blueprint has few, or with
    `count`, for which a person asks."""
    nodes = list(blueprint.nodes.order_by("-is_default", "position", "pk"))
    conditions = {node.pk: of_branch(node.conditions) for node in nodes}
    names = tag_names(blueprint.tenant, [each for some in conditions.values() for each in some])
    items: dict[int | None, list[Assignment]] = defaultdict(list)
    for assignment in blueprint.assignments.select_related("library_item").order_by("library_item__name", "pk"):
        items[assignment.node_id].append(assignment)
    counted = count or device_count <= services.COUNTED
    counts = services.device_counts(blueprint) if counted else {}
    movable = [node for node in nodes if not node.is_default]
    branches = [
        Branch(
            name=node.name,
            node=node,
            conditions=[(each, each.words(names, NAMED_VALUES)) for each in conditions[node.pk]],
            assignments=items.pop(node.pk, []),
            devices=counts.get(node.pk),
            can_move_up=node in movable[1:],
            can_move_down=node in movable[:-1],
        )
        for node in nodes
    ]
    if None in items or not nodes:
        managed = blueprint.devices.filter(is_removed=False).count() if counted else None
        branches.insert(0, Branch(services.DEFAULT_NAME, assignments=items[None], devices=managed))
    return {
        "branches": branches,
        "attributes": ATTRIBUTES.values(),
        "counted": counted,
        "full": len(nodes) >= services.MOST_BRANCHES,
    }


@requires(Capability.EDIT_BLUEPRINTS)
@require_http_methods(["GET", "POST"])
def add_branch(request: PageRequest, blueprint_id: UUID) -> HttpResponse:
    blueprint = _map(request, blueprint_id)
    form = BranchForm(form_data(request))
    if form.is_valid():
        try:
            services.add_branch(
                tenant=request.tenant, blueprint_id=blueprint_id, name=form.cleaned_data["name"], actor=request.actor
            )
        except ValidationError as error:
            refuse(form, error)
        else:
            return _saved(request, blueprint, "The branch is added. Give it conditions before you assign items to it.")
    about = "A branch is for the devices for which all of its conditions hold. You add them afterwards."
    if not blueprint.nodes.filter(is_default=False).exists():
        about += " With a second branch, calls of the API that assign items to this Blueprint must name the branch."
    return show(request, Dialog("Add a branch", "Add branch", _page(blueprint), about=about), form)


@requires(Capability.EDIT_BLUEPRINTS)
@require_http_methods(["GET", "POST"])
def rename_branch(request: PageRequest, blueprint_id: UUID, branch_id: UUID) -> HttpResponse:
    blueprint, branch = _branch(request, blueprint_id, branch_id)
    form = BranchForm(form_data(request), branch=branch)
    if form.is_valid():
        try:
            services.rename_branch(
                tenant=request.tenant,
                blueprint_id=blueprint_id,
                branch_id=branch_id,
                name=form.cleaned_data["name"],
                actor=request.actor,
            )
        except ValidationError as error:
            refuse(form, error)
        else:
            return _saved(request, blueprint, "Saved.")
    return show(request, Dialog(f"Rename “{branch.name}”", "Save", _page(blueprint)), form)


@requires(Capability.EDIT_BLUEPRINTS)
@require_POST
def move_branch(request: PageRequest, blueprint_id: UUID, branch_id: UUID) -> HttpResponse:
    blueprint, branch = _branch(request, blueprint_id, branch_id)
    services.move_branch(
        tenant=request.tenant,
        blueprint_id=blueprint_id,
        branch_id=branch_id,
        later="later" in request.POST,
        actor=request.actor,
    )
    return saved(request, f"{_page(blueprint)}#branch-{branch.uuid}", CHANGED, f"“{branch.name}” is moved.")


@requires(Capability.EDIT_BLUEPRINTS)
@require_http_methods(["GET", "POST"])
def delete_branch(request: PageRequest, blueprint_id: UUID, branch_id: UUID) -> HttpResponse:
    blueprint, branch = _branch(request, blueprint_id, branch_id)
    form = forms.Form(form_data(request))
    if form.is_valid():
        try:
            services.delete_branch(
                tenant=request.tenant, blueprint_id=blueprint_id, branch_id=branch_id, actor=request.actor
            )
        except ValidationError as error:
            refuse(form, error)
        else:
            return _saved(request, blueprint, f"“{branch.name}” is deleted.")
    dialog = Dialog(
        f"Delete “{branch.name}”?",
        "Delete branch",
        _page(blueprint),
        about="The default branch of a map cannot be deleted." if branch.is_default else _loss(branch),
        danger=True,
        disabled=branch.is_default,
    )
    return show(request, dialog, form)


@requires(Capability.EDIT_BLUEPRINTS)
@require_http_methods(["GET", "POST"])
def add_condition(request: PageRequest, blueprint_id: UUID, branch_id: UUID, attribute: str) -> HttpResponse:
    blueprint, branch = _branch(request, blueprint_id, branch_id)
    declared = ATTRIBUTES.get(attribute)
    if declared is None:
        raise Http404
    title = f"Add a condition to “{branch.name}”"
    return _condition_dialog(request, branch, Dialog(title, "Add", _page(blueprint)), declared)


@requires(Capability.EDIT_BLUEPRINTS)
@require_http_methods(["GET", "POST"])
def edit_condition(request: PageRequest, blueprint_id: UUID, branch_id: UUID, condition_key: str) -> HttpResponse:
    blueprint, branch = _branch(request, blueprint_id, branch_id)
    condition = _condition(branch, condition_key)
    if condition.declared is None:
        raise Http404
    dialog = Dialog(f"Edit a condition of “{branch.name}”", "Save", _page(blueprint))
    return _condition_dialog(request, branch, dialog, condition.declared, condition)


@requires(Capability.EDIT_BLUEPRINTS)
@require_http_methods(["GET", "POST"])
def remove_condition(request: PageRequest, blueprint_id: UUID, branch_id: UUID, condition_key: str) -> HttpResponse:
    blueprint, branch = _branch(request, blueprint_id, branch_id)
    condition = _condition(branch, condition_key)
    form = forms.Form(form_data(request))
    if form.is_valid():
        try:
            services.remove_condition(
                tenant=request.tenant,
                blueprint_id=blueprint_id,
                branch_id=branch_id,
                condition=condition,
                actor=request.actor,
            )
        except ValidationError as error:
            refuse(form, error)
        else:
            return _saved(request, blueprint, "The condition is removed.")
    dialog = Dialog(
        f"Remove a condition from “{branch.name}”?",
        "Remove",
        _page(blueprint),
        about=_gain(len(branch.conditions) - 1),
        facts={"Condition": condition.words(tag_names(request.tenant, [condition]), NAMED_VALUES)},
        danger=True,
    )
    return show(request, dialog, form)


def _condition_dialog(
    request: PageRequest,
    branch: AssignmentNode,
    dialog: Dialog,
    attribute: Attribute,
    condition: Condition | None = None,
) -> HttpResponse:
    form = ConditionForm(form_data(request), tenant=request.tenant, attribute=attribute, condition=condition)
    if form.is_valid():
        try:
            services.add_condition(
                tenant=request.tenant,
                blueprint_id=branch.blueprint.uuid,
                branch_id=branch.uuid,
                attribute=attribute.id,
                operator=form.cleaned_data["operator"],
                values=form.values,
                actor=request.actor,
                replaced=condition,
            )
        except ValidationError as error:
            refuse(form, error)
        else:
            return _saved(request, branch.blueprint, "The condition is saved.")
    if form.has_no_choice:
        del form.fields["values"], form.fields["operator"]
        dialog = replace(dialog, about="There are no tags yet. Give one to a device first.", disabled=True)
    return show(request, dialog, form)


def _gain(others: int) -> str:
    if not others:
        return "It is the last one. The branch is then for every device of the Blueprint: all of them get its items."
    hold = "the other condition holds" if others == 1 else "the other conditions hold"
    return f"The branch is then for more devices: those for which {hold}."


def _loss(branch: AssignmentNode) -> str:
    count = branch.assignments.count()
    if not count:
        return "No library item is assigned to it."
    items, they = ("1 library item is", "It stays") if count == 1 else (f"{count} library items are", "They stay")
    it = "it" if count == 1 else "them"
    return (
        f"{items} assigned to it. Devices no longer get {it}, unless another branch gives {it} to them. "
        f"{they} in the Library."
    )


def _map(request: PageRequest, blueprint_id: UUID) -> Blueprint:
    return get_object_or_404(request.tenant.blueprints, uuid=blueprint_id, type=Blueprint.Type.MAP)


def _branch(request: PageRequest, blueprint_id: UUID, branch_id: UUID) -> tuple[Blueprint, AssignmentNode]:
    blueprint = _map(request, blueprint_id)
    return blueprint, get_object_or_404(blueprint.nodes, uuid=branch_id)


def _condition(branch: AssignmentNode, key: str) -> Condition:
    condition = next((each for each in of_branch(branch.conditions) if each.key == key), None)
    if condition is None:
        raise Http404
    return condition


def _page(blueprint: Blueprint) -> str:
    return reverse("blueprint", args=[blueprint.uuid])


def _saved(request: PageRequest, blueprint: Blueprint, notice: str) -> HttpResponse:
    return saved(request, _page(blueprint), CHANGED, notice)
