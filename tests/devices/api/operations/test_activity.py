from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from access.models import Tenant
from devices.fleet.activity import log
from devices.models import Device
from tests.factories.devices import ENROLLED, BlueprintFactory, DeviceActivityFactory, DeviceFactory
from tests.types import Call, IssuedApiToken, IssueToken

ROW = [
    "id",
    "created_at",
    "action_type",
    "computer",
    "blueprint",
    "user",
    "external_token",
    "blueprint_routing",
    "details",
]


@pytest.fixture
def token(issue_token: IssueToken) -> IssuedApiToken:
    return issue_token("get_device_activity")


@pytest.fixture
def mac(tenant: Tenant) -> Device:
    return DeviceFactory.create(tenant=tenant, name="Desk", blueprint=BlueprintFactory.create(tenant=tenant, name="B"))


def test_what_happened_newest_first(
    api: Call,
    token: IssuedApiToken,
    mac: Device,
    tenant: Tenant,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    row = DeviceActivityFactory.create(device=mac)
    later = DeviceActivityFactory.create(device=mac, created_at=ENROLLED + timedelta(days=1))
    same = DeviceActivityFactory.create(device=mac)
    DeviceActivityFactory.create(device=DeviceFactory.create(tenant=tenant))
    with django_assert_num_queries(4):
        answer = api("GET", f"/api/v1/devices/{mac.uuid}/activity", token).json()
    assert list(answer) == ["device_id", "activity"]
    assert list(answer["activity"]) == ["count", "next", "previous", "results"]
    assert [each["id"] for each in answer["activity"]["results"]] == [later.pk, same.pk, row.pk]
    assert all(list(each) == ROW for each in answer["activity"]["results"])
    assert answer["activity"]["results"][-1] == {
        "id": row.pk,
        "created_at": "2024-05-13T20:09:27.374451Z",
        "action_type": "enrollment",
        "computer": {"id": str(mac.uuid), "name": "Desk", "is_removed": False},
        "blueprint": {"id": str(mac.blueprint.uuid), "name": "B", "is_removed": False},
        "user": None,
        "external_token": None,
        "blueprint_routing": False,
        "details": {"blueprint_name": "B", "enrollment_type": "Automated Device Enrollment"},
    }
    page = api("GET", f"/api/v1/devices/{mac.uuid}/activity?limit=1&offset=1", token).json()["activity"]
    assert [each["id"] for each in page["results"]] == [same.pk]
    assert page["next"].endswith("?limit=1&offset=2")
    assert page["previous"].endswith("?limit=1")


def test_routing_activity_has_no_blueprint_and_marks_deleted_ones(
    api: Call, token: IssuedApiToken, mac: Device
) -> None:
    log(device=mac, action_type="enrollment", details={}, at=ENROLLED)
    log(device=mac, action_type="routing_arrival", details={}, blueprint_routing=True)
    mac.blueprint.deleted_at = timezone.now()
    mac.blueprint.save(update_fields=["deleted_at"])
    arrival, enrolment = api("GET", f"/api/v1/devices/{mac.uuid}/activity", token).json()["activity"]["results"]
    assert (arrival["blueprint"], arrival["blueprint_routing"], arrival["details"]) == (None, True, {})
    assert (enrolment["blueprint"]["is_removed"], enrolment["blueprint_routing"]) == (True, False)
