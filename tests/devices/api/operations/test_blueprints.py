import pytest
from pytest_django import DjangoAssertNumQueries

from access.models import Tenant
from tests.factories.devices import BlueprintFactory, DeviceFactory
from tests.types import Call, IssuedApiToken, IssueToken


@pytest.fixture
def token(issue_token: IssueToken) -> IssuedApiToken:
    return issue_token("list_blueprints", "get_blueprint")


def test_the_record(api: Call, token: IssuedApiToken, tenant: Tenant) -> None:
    blueprint = BlueprintFactory.create(
        tenant=tenant, name="Design", enrollment_code="424242", enrollment_code_active=True
    )
    DeviceFactory.create(tenant=tenant, blueprint=blueprint)
    DeviceFactory.create(tenant=tenant, blueprint=blueprint, is_missing=True)
    answer = api("GET", f"/api/v1/blueprints/{blueprint.uuid}", token).json()
    assert answer == {
        "id": str(blueprint.uuid),
        "name": "Design",
        "icon": blueprint.icon,
        "color": blueprint.color,
        "description": "",
        "params": {},
        "computers_count": 2,
        "missing_computers_count": 1,
        "enrollment_code": {"code": "424242", "is_active": True},
        "type": "classic",
    }
    assert api("GET", "/api/v1/blueprints", token).json()["results"] == [answer]


def test_pages_and_filters(api: Call, token: IssuedApiToken, tenant: Tenant, other_tenant: Tenant) -> None:
    first, second, third = (BlueprintFactory.create(tenant=tenant, name=name) for name in ("Alpha", "Beta", "Alphabet"))
    theirs = BlueprintFactory.create(tenant=other_tenant, name="Alpha")

    def names(query: str) -> list[str]:
        return [each["name"] for each in api("GET", f"/api/v1/blueprints?{query}", token).json()["results"]]

    assert names("") == ["Alpha", "Alphabet", "Beta"]
    assert names("name=alpha") == ["Alpha", "Alphabet"]
    assert names(f"id={second.uuid}") == ["Beta"]
    assert names(f"id__in={first.uuid},%20{third.uuid},{theirs.uuid}") == ["Alpha", "Alphabet"]

    base = "http://accuhive.api.iru.test/api/v1/blueprints?source=irupkg&limit=2"
    page = api("GET", "/api/v1/blueprints?limit=2&source=irupkg", token).json()
    assert (page["count"], page["next"], page["previous"]) == (3, f"{base}&offset=2", None)
    page = api("GET", "/api/v1/blueprints?limit=2&offset=2&source=irupkg", token).json()
    assert (page["count"], page["next"], page["previous"]) == (3, None, base)
    beyond = api("GET", "/api/v1/blueprints?offset=9", token).json()
    assert (beyond["count"], beyond["next"], beyond["results"]) == (3, None, [])
    beyond = api("GET", "/api/v1/blueprints?limit=9&offset=9", token).json()
    assert (beyond["results"], beyond["previous"]) == ([], "http://accuhive.api.iru.test/api/v1/blueprints?limit=9")


def test_the_number_of_queries_does_not_grow_with_the_rows(
    api: Call, token: IssuedApiToken, tenant: Tenant, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for blueprint in BlueprintFactory.create_batch(12, tenant=tenant):
        DeviceFactory.create(tenant=tenant, blueprint=blueprint)
    with django_assert_num_queries(3):
        assert len(api("GET", "/api/v1/blueprints", token).json()["results"]) == 12
