from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from django.http import HttpResponse
from pytest_django import DjangoAssertNumQueries

from access.models import ApiToken, Tenant
from tests.factories.devices import DeviceFactory, DirectoryIntegrationFactory, UserFactory

Api = Callable[..., HttpResponse]


@pytest.fixture
def token(issue_token: Callable[..., ApiToken]) -> ApiToken:
    return issue_token("list_users", "get_user")


def test_the_record(api: Api, token: ApiToken, tenant: Tenant) -> None:
    user = UserFactory(tenant=tenant, name="Ann", email="ann@accuhive.test", deprecated_user_id="4711")
    DeviceFactory.create_batch(2, tenant=tenant, user=user)
    answer = api("GET", f"/api/v1/users/{user.uuid}", token).json()
    assert answer == {
        "active": True,
        "archived": False,
        "created_at": "2024-05-13T20:09:27.374451Z",
        "department": None,
        "deprecated_user_id": "4711",
        "email": "ann@accuhive.test",
        "id": str(user.uuid),
        "integration": {
            "id": user.integration.number,
            "name": "Google Workspace",
            "uuid": str(user.integration.uuid),
            "type": "google",
        },
        "job_title": None,
        "name": "Ann",
        "device_count": 2,
        "updated_at": answer["updated_at"],
    }
    listed = api("GET", "/api/v1/users", token).json()
    assert list(listed) == ["next", "previous", "results"]
    assert listed["results"] == [answer]


def walk(api: Api, token: ApiToken, url: str | None, link: str) -> list[list[str]]:
    pages = []
    while url:
        parts = urlsplit(url)
        page = api("GET", f"{parts.path}?{parts.query}", token).json()
        pages.append([user["name"] for user in page["results"]])
        url = page[link]
        assert url is None or url.startswith("http://accuhive.api.iru.test/api/v1/users?")
    return pages


def test_following_next_and_previous_meets_everybody_once(
    api: Api, token: ApiToken, tenant: Tenant, other_tenant: Tenant
) -> None:
    for n in range(5):
        UserFactory(tenant=tenant, name=f"{n}")
    UserFactory(tenant=other_tenant)
    url = "/api/v1/users?sizePerPage=2&email=accuhive"
    assert walk(api, token, url, "next") == [["0", "1"], ["2", "3"], ["4"]]
    second = api("GET", url, token).json()["next"].removeprefix("http://accuhive.api.iru.test")
    assert "email=accuhive" in second
    third = api("GET", second, token).json()["next"].removeprefix("http://accuhive.api.iru.test")
    assert walk(api, token, third, "previous") == [["4"], ["2", "3"], ["0", "1"]]


@pytest.mark.parametrize("cursor", ["x", "cD0x!", "cD14", "cj0xJnA9LTE=", "cD0" + "5" * 500, "%00"])
def test_a_foreign_cursor_is_refused(cursor: str, api: Api, token: ApiToken) -> None:
    answer = api("GET", f"/api/v1/users?cursor={cursor}", token)
    assert answer.status_code == 400
    assert list(answer.json()) == ["cursor"]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("email=ANN", ["Ann"]),
        ("id={ann.uuid}", ["Ann"]),
        ("integration_id={okta.uuid}", ["Bob"]),
        ("archived=true", ["Bob"]),
        ("archived=False", ["Ann"]),
        ("sizePerPage=1000", ["Ann", "Bob"]),
    ],
)
def test_filters(query: str, names: list[str], api: Api, token: ApiToken, tenant: Tenant) -> None:
    okta = DirectoryIntegrationFactory(tenant=tenant, name="Okta", type="okta")
    ann = UserFactory(tenant=tenant, name="Ann", email="ann@accuhive.test")
    UserFactory(tenant=tenant, name="Bob", email="bob@accuhive.test", integration=okta, archived=True)
    found = api("GET", "/api/v1/users?" + query.format(ann=ann, okta=okta), token).json()
    assert [user["name"] for user in found["results"]] == names


def test_the_number_of_queries_does_not_grow_with_the_rows(
    api: Api, token: ApiToken, tenant: Tenant, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(12):
        DeviceFactory(tenant=tenant, user=UserFactory(tenant=tenant))
    with django_assert_num_queries(2):
        assert len(api("GET", "/api/v1/users", token).json()["results"]) == 12
