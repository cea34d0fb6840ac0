"""That SQLite finds the devices of one person or one Blueprint by an index, once it knows its tables."""

import pytest
from django.db import connection

from access.models import Tenant
from access.tasks.upkeep import refresh_statistics
from devices.models import Blueprint
from tests import plans
from tests.devices.macs import store_macs
from tests.factories.devices import BlueprintFactory, DirectoryIntegrationFactory, UserFactory

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db,
    pytest.mark.sqlite_only,
]


def steps(**filters: object) -> str:
    devices = Tenant.objects.get().devices.filtered(filters).sorted_by([]).values("pk")[:300]
    sql, parameters = devices.query.get_compiler(connection=connection).as_sql()
    return "\n".join(plans.plan(sql, parameters))


def test_after_the_statistics_are_refreshed(tenant: Tenant) -> None:
    integration = DirectoryIntegrationFactory.create(tenant=tenant)
    blueprints = BlueprintFactory.create_batch(10, tenant=tenant)
    people = UserFactory.create_batch(100, tenant=tenant, integration=integration)
    store_macs(tenant, 1000, *blueprints, people=people)
    refresh_statistics()
    by_email = steps(user_email_exact=people[0].email)
    assert "INDEX user_email (tenant_id=? AND email=?)" in by_email
    assert "INDEX device_user (user_id=?)" in by_email
    named = Blueprint.with_deleted.filter(tenant=tenant).identified(str(blueprints[3].uuid))
    assert list(named) == [blueprints[3]]
    assert "INDEX device_blueprint (blueprint_id=?)" in steps(blueprint_id=[blueprints[3].pk])
