"""The devices of an item are counted with indexes only, because the rows of devices are large."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from access.models import Tenant
from access.tasks.upkeep import refresh_statistics
from devices.library.statuses import counts_of
from devices.models import LibraryStatus
from tests import plans
from tests.devices.macs import store_macs
from tests.factories.devices import AssignmentFactory, BlueprintFactory, LibraryItemFactory

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_only]


@pytest.mark.parametrize("reported", [0, 300])
def test_devices_without_a_report_are_counted_in_indexes(tenant: Tenant, reported: int) -> None:
    blueprints = BlueprintFactory.create_batch(3, tenant=tenant)
    item = LibraryItemFactory.create(tenant=tenant)
    for blueprint in blueprints:
        AssignmentFactory.create(blueprint=blueprint, library_item=item, node=None)
    devices = store_macs(tenant, 600, *blueprints, record_size=400)
    LibraryStatus.objects.bulk_create(
        LibraryStatus(item=item, device=device, status="PASS") for device in devices[:reported]
    )
    refresh_statistics()
    with CaptureQueriesContext(connection) as queries:
        counts = counts_of(item)
    assert counts == {"PENDING": 600 - reported} | ({"PASS": reported} if reported else {})
    (counted,) = (query["sql"] for query in queries if 'FROM "devices_device"' in query["sql"])
    steps = [step for step in plans.plan(counted.replace("%", "%%"), []) if "SCAN" in step or "SEARCH" in step]
    assert steps
    assert all("COVERING INDEX" in step for step in steps), steps
