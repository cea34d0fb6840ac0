from typing import Any

import pytest

from access.audit.events import Actor
from access.models import Tenant
from devices.fleet import records
from devices.fleet.users import update_user
from devices.models import User
from tests.factories.devices import DeviceFactory, UserFactory

ACTOR = Actor.command("test")


def test_renaming_a_user_refreshes_the_records_of_their_devices(tenant: Tenant) -> None:
    user = UserFactory.create(tenant=tenant, name="Ann", email="ann@accuhive.test", department="Sales")
    device = DeviceFactory.create(tenant=tenant, user=user)
    updated = update_user(
        tenant=tenant, user_id=user.uuid, actor=ACTOR, name="Anne", email="anne@accuhive.test", archived=True
    )
    assert (updated.name, updated.department) == ("Anne", "Sales")
    assert updated.updated_at > user.updated_at
    device.refresh_from_db()
    expected = f'{{"email":"anne@accuhive.test","name":"Anne","id":"{user.uuid}","is_archived":true}}'
    assert f'"user":{expected}' in device.record_json
    assert not list(records.outdated([device.pk]))
    event = tenant.audit_events.get()
    assert event.changes["name"] == {"old": "Ann", "new": "Anne"}


@pytest.mark.parametrize("field", [{"name": "Anne"}, {"email": "anne@accuhive.test"}, {"archived": True}])
def test_each_field_in_the_records_of_devices_refreshes_them(tenant: Tenant, field: dict[str, Any]) -> None:
    user = UserFactory.create(tenant=tenant, name="Ann", email="ann@accuhive.test")
    device = DeviceFactory.create(tenant=tenant, user=user)
    update_user(tenant=tenant, user_id=user.uuid, actor=ACTOR, **field)
    assert not list(records.outdated([device.pk]))


def test_none_clears_a_field_and_a_missing_field_stays(tenant: Tenant) -> None:
    user = UserFactory.create(tenant=tenant, department="Sales", job_title="Lead")
    updated = update_user(tenant=tenant, user_id=user.uuid, actor=ACTOR, department=None)
    assert (updated.department, updated.job_title) == (None, "Lead")
    update_user(tenant=tenant, user_id=user.uuid, actor=ACTOR, job_title="Lead")
    assert tenant.audit_events.count() == 1


def test_another_tenants_person_is_unknown(tenant: Tenant, other_tenant: Tenant) -> None:
    user = UserFactory.create(tenant=other_tenant)
    with pytest.raises(User.DoesNotExist):
        update_user(tenant=tenant, user_id=user.uuid, actor=ACTOR, name="Mallory")
