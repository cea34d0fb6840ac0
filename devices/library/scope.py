"""Which devices get a library item, and which items a device gets.

Both questions are answered with the same conditions (`devices.conditions`), so that a page of an item and a page of a
device cannot differ.
"""

import json
from collections import defaultdict
from typing import Any

from django.db.models import Exists, Q, QuerySet

from devices.conditions.conditions import NOBODY, hold
from devices.library.kinds import platforms_of
from devices.models import Assignment, AssignmentNode, Device, LibraryItem


def items_for(device: Device) -> QuerySet[LibraryItem]:
    """The active items that the device's Blueprint gives to it: those of a classic one, or those of each branch of a
    map whose conditions all hold for the device. Each item is there once; a device that is no longer managed has none.

    The conditions are compared with the stored row of the device. The item of another family is among them: see
    `platforms_of`. This takes one query, and the queryset is the second.
    """
    return LibraryItem.objects.filter(tenant=device.tenant_id, active=True, pk__in=assigned_to(device))


def assigned_to(device: Device) -> QuerySet[Assignment, Any]:
    """The primary keys of those items, and of inactive ones. This takes one query; the queryset is for another one."""
    if device.is_removed:
        return Assignment.objects.none().values("library_item")
    branches = AssignmentNode.objects.filter(blueprint=device.blueprint_id).exclude(conditions=[])
    conditional = dict(branches.values_list("pk", "conditions"))
    row = Device.objects.filter(tenant=device.tenant_id, pk=device.pk)
    gets = ~Q(node__in=conditional)
    for branch, conditions in conditional.items():
        gets |= Q(node=branch) & Q(Exists(row.filter(hold(conditions))))
    return Assignment.objects.filter(gets, blueprint=device.blueprint_id).values("library_item")


def devices_for(item: LibraryItem) -> Q:
    """The managed devices of the item's families in the Blueprints that it is assigned to, without those for which the
    conditions of its branches do not hold. This takes one query."""
    if not item.active:
        return NOBODY
    blueprints = defaultdict(set)
    for blueprint, conditions in item.assignments.values_list("blueprint", "node__conditions"):
        blueprints[json.dumps(conditions or [])].add(blueprint)
    everywhere = blueprints.pop("[]", set())
    assigned = Q(blueprint__in=everywhere)
    for conditions, some in blueprints.items():
        assigned |= Q(blueprint__in=some - everywhere) & hold(json.loads(conditions))
    return assigned & Q(platform__in=platforms_of(item), is_removed=False)
