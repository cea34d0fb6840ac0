from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from access.models import AuditEvent, Tenant
from devices.blueprints import branches
from devices.conditions.conditions import Condition
from devices.library.scope import items_for
from devices.models import AssignmentNode, Blueprint
from tests.devices.sending import ACTOR
from tests.factories.devices import (
    AssignmentFactory,
    AssignmentNodeFactory,
    BlueprintFactory,
    DeviceFactory,
    LibraryItemFactory,
    TagFactory,
)

pytestmark = pytest.mark.django_db
MAC = Condition("family", "is", ("Mac",))


@pytest.fixture
def map_(tenant: Tenant) -> Blueprint:
    return BlueprintFactory.create(tenant=tenant, type=Blueprint.Type.MAP)


@pytest.fixture
def branch(map_: Blueprint) -> AssignmentNode:
    return add(map_, "Macs")


def add(map_: Blueprint, name: str) -> AssignmentNode:
    return branches.add_branch(tenant=map_.tenant, blueprint_id=map_.uuid, name=name, actor=ACTOR)


def of(branch: AssignmentNode) -> dict[str, Any]:
    blueprint = branch.blueprint
    return {"tenant": blueprint.tenant, "blueprint_id": blueprint.uuid, "branch_id": branch.uuid, "actor": ACTOR}


def condition(branch: AssignmentNode, condition: Condition, **more: Any) -> None:
    more |= {"attribute": condition.attribute, "operator": condition.operator, "values": condition.values}
    branches.add_condition(**of(branch), **more)
    branch.refresh_from_db()


def newest(tenant: Tenant) -> AuditEvent:
    return tenant.audit_events.latest("sequence")


def names(map_: Blueprint) -> list[str]:
    return list(map_.nodes.order_by("position").values_list("name", flat=True))


def test_the_first_branch_makes_a_default_branch_with_the_items_of_the_map(map_: Blueprint) -> None:
    assignment = AssignmentFactory.create(blueprint=map_)
    device = DeviceFactory.create(tenant=map_.tenant, blueprint=map_)
    before = list(items_for(device))
    branch = add(map_, "Macs")
    assignment.refresh_from_db()
    assert assignment.node is not None
    assert (assignment.node.name, assignment.node.is_default) == ("Every device", True)
    assert (branch.is_default, branch.conditions, names(map_)) == (False, [], ["Every device", "Macs"])
    assert list(items_for(device)) == before == [assignment.library_item]
    add(map_, "Phones")
    assert names(map_) == ["Every device", "Macs", "Phones"]
    assert newest(map_.tenant).summary == "Branch added to Assignment Map"


def test_only_a_map_has_branches_and_only_so_many(map_: Blueprint, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValidationError):
        add(BlueprintFactory.create(tenant=map_.tenant), "Macs")
    monkeypatch.setattr(branches, "MOST_BRANCHES", 2)
    add(map_, "Macs")
    with pytest.raises(ValidationError):
        add(map_, "Phones")
    assert map_.nodes.count() == 2


def test_two_branches_of_a_map_have_different_names(branch: AssignmentNode) -> None:
    other = add(branch.blueprint, "Phones")
    changes: list[Callable[[], object]] = [
        partial(add, branch.blueprint, "Macs"),
        partial(branches.rename_branch, **of(other), name="Macs"),
    ]
    for change in changes:
        with pytest.raises(ValidationError) as refused:
            change()
        assert list(refused.value.message_dict) == ["name"]
    add(BlueprintFactory.create(tenant=branch.blueprint.tenant, type=Blueprint.Type.MAP), "Macs")


def test_a_branch_is_renamed(branch: AssignmentNode) -> None:
    branches.rename_branch(**of(branch), name="Laptops")
    event = newest(branch.blueprint.tenant)
    assert event.changes == {"name": {"old": "Macs", "new": "Laptops"}}
    branches.rename_branch(**of(branch), name="Laptops")
    assert newest(branch.blueprint.tenant) == event


@pytest.mark.parametrize(
    ("name", "later", "expected"),
    [
        ("Phones", False, ["Every device", "Phones", "Macs", "Tablets"]),
        ("Phones", True, ["Every device", "Macs", "Tablets", "Phones"]),
        ("Macs", False, None),
        ("Tablets", True, None),
        ("Every device", True, None),
    ],
)
def test_branches_move_among_each_other(
    branch: AssignmentNode, name: str, later: bool, expected: list[str] | None
) -> None:
    map_ = branch.blueprint
    for other in ("Phones", "Tablets"):
        add(map_, other)
    events, before = map_.tenant.audit_events.count(), names(map_)
    branches.move_branch(**of(map_.nodes.get(name=name)), later=later)
    assert names(map_) == (expected or before)
    assert map_.tenant.audit_events.count() == events + bool(expected)


def test_a_deleted_branch_leaves_its_items_in_the_library(branch: AssignmentNode) -> None:
    tenant = branch.blueprint.tenant
    item = LibraryItemFactory.create(tenant=tenant, name="Wi-Fi")
    AssignmentFactory.create(blueprint=branch.blueprint, node=branch, library_item=item)
    default = branch.blueprint.nodes.get(is_default=True)
    with pytest.raises(ValidationError):
        branches.delete_branch(**of(default))
    branches.delete_branch(**of(branch))
    assert tenant.library_items.get() == item
    assert not item.assignments.exists()
    event = newest(tenant)
    assert event.summary == "Branch deleted from Assignment Map"
    assert event.metadata == {
        "assignment_node": {"id": str(branch.uuid), "name": "Macs"},
        "library_items": ["Wi-Fi"],
    }
    assert tenant.library_activity.get().item_uuid == item.uuid


def test_conditions_are_added_replaced_and_removed(branch: AssignmentNode) -> None:
    tenant = branch.blueprint.tenant
    tag = TagFactory.create(tenant=tenant, name="Kiosk")
    kiosk, phone = Condition("tag", "has", (str(tag.uuid),)), Condition("family", "is", ("iPhone",))
    condition(branch, MAC)
    condition(branch, kiosk)
    assert branch.conditions == [MAC.stored, kiosk.stored]
    assert newest(tenant).changes == {
        "conditions": {"old": ["Device family is Mac"], "new": ["Device family is Mac", "Tag is “Kiosk”"]}
    }
    condition(branch, phone, replaced=MAC)
    assert branch.conditions == [phone.stored, kiosk.stored]
    branches.remove_condition(**of(branch), condition=phone)
    branch.refresh_from_db()
    assert branch.conditions == [kiosk.stored]


def test_the_second_of_two_people_who_change_a_condition_is_told(branch: AssignmentNode) -> None:
    condition(branch, MAC)
    phone, pad = (Condition("family", "is", (family,)) for family in ("iPhone", "iPad"))
    condition(branch, phone, replaced=MAC)
    changes: list[Callable[[], object]] = [
        partial(condition, branch, pad, replaced=MAC),
        partial(branches.remove_condition, **of(branch), condition=MAC),
        partial(condition, branch, phone),  # it is there already
    ]
    for change in changes:
        with pytest.raises(ValidationError):
            change()
    branch.refresh_from_db()
    assert branch.conditions == [phone.stored]


def test_the_default_branch_takes_no_conditions(branch: AssignmentNode) -> None:
    with pytest.raises(ValidationError):
        condition(branch.blueprint.nodes.get(is_default=True), MAC)


def test_conditions_are_limited(branch: AssignmentNode, monkeypatch: pytest.MonkeyPatch) -> None:
    serials = [Condition("serial_number", "is_not", (f"A{n}", f"B{n}")) for n in range(3)]
    monkeypatch.setattr(branches, "MOST_CONDITIONS", 2)
    for each in serials[:2]:
        condition(branch, each)
    with pytest.raises(ValidationError, match="at most 2 conditions"):
        condition(branch, serials[2])
    monkeypatch.setattr(branches, "MOST_VALUES", 4)
    with pytest.raises(ValidationError, match="at most 4 values"):
        condition(branch, Condition("serial_number", "is", ("A", "B", "C")), replaced=serials[0])
    condition(branch, serials[2], replaced=serials[0])


def test_the_devices_of_all_branches_are_counted_in_one_query(branch: AssignmentNode) -> None:
    map_, tenant = branch.blueprint, branch.blueprint.tenant
    condition(branch, MAC)
    condition(branch, Condition("assigned_user", "absent"))
    unknown = AssignmentNodeFactory.create(blueprint=map_, conditions=[{"attribute": "", "operator": "", "values": []}])
    for platform, removed in (("Mac", False), ("Mac", True), ("iPhone", False)):
        DeviceFactory.create(tenant=tenant, blueprint=map_, platform=platform, is_removed=removed)
    DeviceFactory.create(tenant=tenant, blueprint=BlueprintFactory.create(tenant=tenant))
    with CaptureQueriesContext(connection) as queries:
        counts = branches.device_counts(map_)
    assert counts == {map_.nodes.get(is_default=True).pk: 2, branch.pk: 1, unknown.pk: 0}
    assert len(queries) == 2
    assert branches.device_counts(BlueprintFactory.create(tenant=tenant)) == {}


def test_branches_of_another_map_are_not_found(branch: AssignmentNode, other_tenant: Tenant) -> None:
    tenant = branch.blueprint.tenant
    for owner in (tenant, other_tenant):
        elsewhere = of(branch) | {"branch_id": AssignmentNodeFactory.create(blueprint__tenant=owner).uuid}
        changes: list[Callable[[], object]] = [
            partial(branches.rename_branch, **elsewhere, name="Theirs"),
            partial(branches.move_branch, **elsewhere, later=False),
            partial(branches.delete_branch, **elsewhere),
            partial(branches.add_condition, **elsewhere, attribute="assigned_user", operator="absent", values=[]),
            partial(branches.remove_condition, **elsewhere, condition=MAC),
        ]
        for change in changes:
            with pytest.raises(AssignmentNode.DoesNotExist):
                change()
