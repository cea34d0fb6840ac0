import re
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from pytest_django import DjangoAssertNumQueries

from access.audit.events import Actor
from access.models import Administrator, Tenant
from devices.enrollment.routing import update_routing
from devices.models import RoutingActivity
from tests.factories.devices import BlueprintFactory
from tests.types import Call, IssuedApiToken, IssueToken

URL = "/api/v1/blueprint-routing/"
NOW = datetime(2026, 3, 1, 12, 0, 0, 5, UTC)


@pytest.fixture
def token(issue_token: IssueToken) -> IssuedApiToken:
    return issue_token("get_blueprint_routing", "update_blueprint_routing", "get_blueprint_routing_activity")


def test_the_code_is_changed_and_the_activity_tells(
    api: Call, token: IssuedApiToken, tenant: Tenant, other_tenant: Tenant
) -> None:
    assert api("GET", URL, token).json() == {"enrollment_code": {"code": "", "is_active": False}}
    changed = api("PATCH", URL, token, json={"enrollment_code": {"code": "123456", "is_active": True}})
    assert (changed.status_code, changed.json()) == (200, {"enrollment_code": {"code": "123456", "is_active": True}})
    assert api("GET", URL, token).json() == changed.json()
    assert api("PATCH", URL, token, json={"enrollment_code": {"is_active": False}}).json() == {
        "enrollment_code": {"code": "123456", "is_active": False}
    }
    same = api("PATCH", URL, token, json={"enrollment_code": {"code": "123456", "is_active": False}})
    assert same.status_code == 200

    page = api("GET", f"{URL}activity", token).json()
    assert (page["count"], page["next"], page["previous"]) == (2, None, None)
    newest, first = page["results"]
    assert first == {
        "id": first["id"],
        "activity_time": first["activity_time"],
        "activity_type": "enrollment_settings_changed",
        "user": None,
        "device_id": None,
        "details": {"code": {"new": "123456", "old": ""}, "is_active": {"new": True, "old": False}},
    }
    assert isinstance(first["id"], int)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", first["activity_time"])
    assert newest["details"] == {"is_active": {"new": False, "old": True}}
    assert [event.actor_name for event in tenant.audit_events.filter(target_type="blueprint_routing")] == [
        token.name
    ] * 2
    assert not other_tenant.routing_activity.exists()


def test_a_person_who_changes_it_is_named(
    api: Call, token: IssuedApiToken, tenant: Tenant, owner: Administrator
) -> None:
    update_routing(tenant=tenant, actor=Actor.of(owner), enrollment_code="1")
    (row,) = api("GET", f"{URL}activity", token).json()["results"]
    assert row["user"] == {"id": str(owner.id), "email": owner.email}


def test_activating_it_without_a_code_makes_one(api: Call, token: IssuedApiToken, tenant: Tenant) -> None:
    code = api("PATCH", URL, token, json={"enrollment_code": {"is_active": True}}).json()["enrollment_code"]
    assert re.fullmatch(r"\d{6}", code["code"])
    assert code["is_active"] is True


def test_a_blueprints_code_is_refused_and_the_other_way_round(
    api: Call, issue_token: IssueToken, tenant: Tenant, other_tenant: Tenant
) -> None:
    token = issue_token("update_blueprint_routing", "create_blueprint")
    BlueprintFactory.create(tenant=tenant, enrollment_code="111111")
    BlueprintFactory.create(tenant=other_tenant, enrollment_code="222222")
    used = {"enrollment_code": ["This enrollment code is already in use."]}
    taken = api("PATCH", URL, token, json={"enrollment_code": {"code": "111111"}})
    assert (taken.status_code, taken.json()) == (400, used)
    assert api("PATCH", URL, token, json={"enrollment_code": {"code": "222222"}}).status_code == 200
    body = {"name": "New", "enrollment_code": {"is_active": True, "code": "222222"}}
    assert api("POST", "/api/v1/blueprints", token, json=body).json() == used


@pytest.mark.parametrize("body", [{}, {"enrollment_code": None}, {"enrollment_code": {"code": "x" * 21}}])
def test_a_body_without_a_usable_code_is_refused(
    body: object, api: Call, token: IssuedApiToken, tenant: Tenant
) -> None:
    answer = api("PATCH", URL, token, json=body)
    assert (answer.status_code, list(answer.json())) == (400, ["enrollment_code"])
    assert not tenant.routing_activity.exists()


def test_the_activity_comes_in_pages_newest_first(
    api: Call,
    token: IssuedApiToken,
    tenant: Tenant,
    other_tenant: Tenant,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    device = uuid4()
    for place, minutes in ((tenant, 1), (tenant, 3), (tenant, 2), (other_tenant, 4)):
        RoutingActivity.objects.create(
            tenant=place,
            activity_time=NOW + timedelta(minutes=minutes),
            activity_type="routing_departure",
            device_uuid=device,
            details={"is_fallback": True},
        )
    with django_assert_num_queries(3):
        page = api("GET", f"{URL}activity?limit=2", token).json()
    assert [row["activity_time"] for row in page["results"]] == [
        "2026-03-01T12:03:00.000005Z",
        "2026-03-01T12:02:00.000005Z",
    ]
    assert {(row["device_id"], row["details"]["is_fallback"]) for row in page["results"]} == {(str(device), True)}
    assert page["next"] == "http://accuhive.api.iru.test/api/v1/blueprint-routing/activity?limit=2&offset=2"
    rest = api("GET", f"{URL}activity?limit=2&offset=2", token).json()
    assert (rest["count"], rest["next"], len(rest["results"])) == (3, None, 1)
