import base64
from datetime import timedelta
from urllib.parse import quote, urlsplit

import pytest
from pytest_django import DjangoAssertNumQueries

from access.audit.events import Actor
from access.models import Tenant
from devices.demo.fleet import demo_fleet
from devices.imports.devices import import_devices
from tests.factories.devices import ENROLLED, DeviceFactory, DirectoryIntegrationFactory, UserFactory
from tests.types import Call, IssuedApiToken, IssueToken


@pytest.fixture
def token(issue_token: IssueToken) -> IssuedApiToken:
    return issue_token("list_users", "get_user")


def test_the_record(api: Call, token: IssuedApiToken, tenant: Tenant) -> None:
    user = UserFactory.create(tenant=tenant, name="Ann", email="ann@accuhive.test", deprecated_user_id="4711")
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


def test_only_an_imported_directory_has_a_number(api: Call, token: IssuedApiToken, tenant: Tenant) -> None:
    record = next(record for record, _ in demo_fleet(50) if record["user"])
    import_devices(tenant=tenant, rows=[("1", record)], actor=Actor.command("test"))
    (answer,) = api("GET", "/api/v1/users", token).json()["results"]
    assert answer["integration"]["id"] is None
    assert answer["integration"]["name"] == "Imported users"


def walk(api: Call, token: IssuedApiToken, url: str | None, link: str) -> list[list[str]]:
    pages = []
    while url:
        parts = urlsplit(url)
        page = api("GET", f"{parts.path}?{parts.query}", token).json()
        pages.append([user["name"] for user in page["results"]])
        url = page[link]
        assert url is None or url.startswith("http://accuhive.api.iru.test/api/v1/users?")
    return pages


def test_following_next_and_previous_meets_everybody_once(
    api: Call, token: IssuedApiToken, tenant: Tenant, other_tenant: Tenant
) -> None:
    for n in (3, 0, 4, 2, 1):
        UserFactory.create(tenant=tenant, name=f"{n}", created_at=ENROLLED - timedelta(days=n))
    UserFactory.create(tenant=other_tenant)
    url = "/api/v1/users?sizePerPage=2&email=accuhive"
    assert walk(api, token, url, "next") == [["0", "1"], ["2", "3"], ["4"]]
    second = api("GET", url, token).json()["next"].removeprefix("http://accuhive.api.iru.test")
    assert "email=accuhive" in second
    third = api("GET", second, token).json()["next"].removeprefix("http://accuhive.api.iru.test")
    assert walk(api, token, third, "previous") == [["4"], ["2", "3"], ["0", "1"]]


def test_users_created_at_one_moment_are_met_once_too_and_new_ones_disturb_nothing(
    api: Call, token: IssuedApiToken, tenant: Tenant
) -> None:
    for n in range(5):
        UserFactory.create(tenant=tenant, name=f"{n}")
    first = api("GET", "/api/v1/users?sizePerPage=2", token).json()
    UserFactory.create(tenant=tenant, name="new", created_at=ENROLLED + timedelta(days=1))
    assert [user["name"] for user in first["results"]] == ["4", "3"]
    assert walk(api, token, first["next"], "next") == [["2", "1"], ["0"]]
    assert walk(api, token, "/api/v1/users?sizePerPage=2&cursor=", "next") == [["new", "4"], ["3", "2"], ["1", "0"]]


@pytest.mark.slow
@pytest.mark.parametrize(("query", "rows"), [("sizePerPage=1000", 300), ("sizePerPage=301", 300), ("", 25)])
def test_a_page_has_at_most_300_users(api: Call, token: IssuedApiToken, tenant: Tenant, query: str, rows: int) -> None:
    UserFactory.create_batch(301, tenant=tenant, integration=DirectoryIntegrationFactory.create(tenant=tenant))
    page = api("GET", f"/api/v1/users?{query}", token).json()
    assert len(page["results"]) == rows
    assert page["next"]


def encoded(position: str) -> str:
    return quote(base64.b64encode(position.encode()))


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "cD0x!",
        "cD14",
        "cD0" + "5" * 500,
        "%00",
        encoded("p=1"),
        encoded("p=2024-05-13T20:09:27+00:00"),
        encoded("p=2024-05-13T20:09:27+00:00|1|1"),
        encoded("p=2024-05-13T20:09:27+00:00|x"),
        encoded(f"p=2024-05-13T20:09:27+00:00|{'5' * 40}"),
        encoded("p=0001-01-01T00:00:00+14:00|1"),
        encoded("p=yesterday|1"),
    ],
)
def test_a_foreign_cursor_is_refused(cursor: str, api: Call, token: IssuedApiToken) -> None:
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
    ],
)
def test_filters(query: str, names: list[str], api: Call, token: IssuedApiToken, tenant: Tenant) -> None:
    okta = DirectoryIntegrationFactory.create(tenant=tenant, name="Okta", type="okta")
    ann = UserFactory.create(tenant=tenant, name="Ann", email="ann@accuhive.test")
    UserFactory.create(
        tenant=tenant,
        name="Bob",
        email="bob@accuhive.test",
        integration=okta,
        archived=True,
        created_at=ENROLLED - timedelta(days=1),
    )
    found = api("GET", "/api/v1/users?" + query.format(ann=ann, okta=okta), token).json()
    assert [user["name"] for user in found["results"]] == names


def test_the_number_of_queries_does_not_grow_with_the_rows(
    api: Call, token: IssuedApiToken, tenant: Tenant, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(12):
        DeviceFactory.create(tenant=tenant, user=UserFactory.create(tenant=tenant))
    with django_assert_num_queries(2):
        assert len(api("GET", "/api/v1/users", token).json()["results"]) == 12


def test_only_a_person_without_devices_is_deleted(api: Call, issue_token: IssueToken, tenant: Tenant) -> None:
    token = issue_token("delete_user", "get_user")
    user = UserFactory.create(tenant=tenant, name="Ann")
    device = DeviceFactory.create(tenant=tenant, user=user)
    path = f"/api/v1/users/{user.uuid}"
    kept = api("DELETE", path, token)
    assert (kept.status_code, kept.json()) == (400, {"detail": "User still assigned to one or more devices."})
    assert api("GET", path, token).status_code == 200

    device.delete()
    deleted = api("DELETE", path, token)
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert api("GET", path, token).status_code == 404
    event = tenant.audit_events.get(target_type="user")
    assert (event.action, event.summary, event.target_name) == ("delete", "User deleted", "Ann")
