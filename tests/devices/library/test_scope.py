"""An item's devices and a device's items are two answers to one question."""

from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from access.models import Tenant
from devices.conditions.conditions import Condition
from devices.library.scope import devices_for, items_for
from devices.library.statuses import Listed, counts_of, rows_of_device
from devices.models import AssignmentNode, Blueprint, Device, LibraryItem
from tests.devices.conditions.fleet import conditions, fleet, means
from tests.factories.devices import (
    AssignmentFactory,
    AssignmentNodeFactory,
    BlueprintFactory,
    CustomProfileFactory,
    DeviceFactory,
)

pytestmark = pytest.mark.django_db
MAC = Condition("family", "is", ("Mac",))


def profile(tenant: Tenant, **fields: object) -> LibraryItem:
    """An item for each family."""
    families = dict.fromkeys(["runs_on_mac", "runs_on_iphone", "runs_on_ipad", "runs_on_tv"], True)
    return CustomProfileFactory.create(tenant=tenant, **families, **fields)


def branch(blueprint: Blueprint, *conditions: Condition) -> AssignmentNode:
    return AssignmentNodeFactory.create(blueprint=blueprint, conditions=[each.stored for each in conditions])


def on(node: AssignmentNode, *items: LibraryItem) -> None:
    for item in items:
        AssignmentFactory.create(blueprint=node.blueprint, node=node, library_item=item)


def test_both_answers_agree_with_the_conditions(tenant: Tenant) -> None:
    blueprint = BlueprintFactory.create(tenant=tenant, type=Blueprint.Type.MAP)
    devices = fleet(blueprint)
    items = [profile(tenant) for _ in range(4)]
    branches = [branch(blueprint) for _ in range(3)]
    for node, item in zip(branches, items, strict=False):
        on(node, item, items[3])
    rows = st.lists(conditions(list(tenant.tags.order_by("pk"))), max_size=3)

    @settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(rows, min_size=3, max_size=3))
    def check(drawn: list[list[Condition]]) -> None:
        for node, held in zip(branches, drawn, strict=True):
            AssignmentNode.objects.filter(pk=node.pk).update(conditions=[each.stored for each in held])
        given_to = {device: list(items_for(device)) for device in devices}
        for n, item in enumerate(items):
            expected = {
                device
                for device in devices
                if any(
                    all(means(each, device) for each in given) for number, given in enumerate(drawn) if n in {number, 3}
                )
            }
            assert set(tenant.devices.filter(devices_for(item))) == expected, (n, drawn)
            assert {device for device, own in given_to.items() if item in own} == expected, (n, drawn)
            assert len(Listed(item)) == len(expected)
            assert sum(counts_of(item).values()) == len(expected)
        assert all(len(own) == len(set(own)) for own in given_to.values())

    check()


def test_a_device_gets_the_items_of_each_branch_whose_conditions_hold(tenant: Tenant) -> None:
    default = AssignmentNodeFactory.create(blueprint__tenant=tenant)
    for_macs = branch(default.blueprint, MAC)
    for_others = branch(default.blueprint, Condition("family", "is_not", ("Mac",)))
    everyone, macs, others, both = (profile(tenant, name=name) for name in ("a", "b", "c", "d"))
    on(default, everyone, both)
    on(for_macs, macs, both)
    on(for_others, others)
    mac, phone = (
        DeviceFactory.create(tenant=tenant, blueprint=default.blueprint, platform=each) for each in ("Mac", "iPhone")
    )
    assert list(items_for(mac).order_by("name")) == [everyone, macs, both]
    assert list(items_for(phone).order_by("name")) == [everyone, others, both]
    assert [row.item for row in rows_of_device(mac)] == [everyone, macs, both]
    assert [row.device for row in Listed(macs).page(0, 10)] == [mac]
    assert [row.device for row in Listed(others).of_device(mac.uuid)] == []


def test_a_classic_blueprint_gives_its_items_to_each_device(tenant: Tenant) -> None:
    assignment = AssignmentFactory.create(library_item=profile(tenant), blueprint__tenant=tenant)
    device = DeviceFactory.create(tenant=tenant, blueprint=assignment.blueprint)
    elsewhere = DeviceFactory.create(tenant=tenant, blueprint=BlueprintFactory.create(tenant=tenant))
    assert list(items_for(device)) == [assignment.library_item]
    assert list(items_for(elsewhere)) == []


def test_removed_devices_and_inactive_items_have_nothing_of_each_other(tenant: Tenant) -> None:
    node = AssignmentNodeFactory.create(blueprint__tenant=tenant)
    inactive, active = profile(tenant, active=False), profile(tenant)
    on(node, inactive, active)
    device, removed = (
        DeviceFactory.create(tenant=tenant, blueprint=node.blueprint, is_removed=each) for each in (False, True)
    )
    assert list(items_for(device)) == [active]
    assert list(items_for(removed)) == []
    assert not tenant.devices.filter(devices_for(inactive)).exists()


@pytest.mark.parametrize("branches", [0, 1, 30])
def test_the_items_of_a_device_take_two_queries(tenant: Tenant, branches: int) -> None:
    blueprint = BlueprintFactory.create(tenant=tenant, type=Blueprint.Type.MAP)
    item = profile(tenant)
    for _ in range(branches):
        # As many conditions as a branch may have, with as many values as one of them may have.
        many = Condition("serial_number", "is_not", tuple(uuid4().hex for _ in range(200)))
        on(branch(blueprint, *[many, Condition("tag", "has_not", (str(uuid4()),))] * 5), item)
    device = Device.objects.only("tenant", "blueprint", "is_removed").get(
        tenant=tenant, pk=DeviceFactory.create(tenant=tenant, blueprint=blueprint).pk
    )
    with CaptureQueriesContext(connection) as queries:
        items = list(items_for(device))
    assert items == ([item] if branches else [])
    assert len(queries) <= 2
