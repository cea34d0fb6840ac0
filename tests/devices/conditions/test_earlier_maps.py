"""The maps of an earlier version, whose conditions no server knows."""

from importlib import import_module

import pytest
from django.apps import apps

from access.models import Tenant
from devices.library.scope import items_for
from devices.models import AssignmentNode
from tests.factories.devices import AssignmentFactory, AssignmentNodeFactory, DeviceFactory

pytestmark = pytest.mark.django_db


def test_a_branch_among_several_is_for_no_device_until_its_conditions_are_set(tenant: Tenant) -> None:
    only = AssignmentNodeFactory.create(blueprint__tenant=tenant)
    first = AssignmentNodeFactory.create(blueprint__tenant=tenant)
    second = AssignmentNodeFactory.create(blueprint=first.blueprint)
    AssignmentNode.objects.update(position=0, is_default=False, conditions=[])  # the values of the new columns
    for node in (only, first, second):
        AssignmentFactory.create(blueprint=node.blueprint, node=node)
    import_module("devices.migrations.0029_assignment_maps").place_branches(apps, None)

    assert items_for(DeviceFactory.create(tenant=tenant, blueprint=only.blueprint)).exists()
    assert not items_for(DeviceFactory.create(tenant=tenant, blueprint=first.blueprint)).exists()
    only.refresh_from_db()
    assert only.is_default
    default, *others = first.blueprint.nodes.order_by("position")
    assert (default.name, default.is_default, default.conditions) == ("Every device", True, [])
    assert others == [first, second]
