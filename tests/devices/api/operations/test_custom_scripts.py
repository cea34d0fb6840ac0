from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from access.models import Tenant
from devices.models import LibraryItem
from tests.factories.devices import AssignmentFactory, CustomProfileFactory, CustomScriptFactory, LibraryStatusFactory
from tests.types import Call, IssuedApiToken, IssueToken, Response

URL = "/api/v1/library/custom-scripts"
SCRIPT = {"name": "Rosetta", "execution_frequency": "once", "script": "#!/bin/zsh\nexit 0"}
KEYS = [
    "id",
    "name",
    "active",
    "execution_frequency",
    "restart",
    "script",
    "remediation_script",
    "created_at",
    "updated_at",
    "show_in_self_service",
]
IN_SELF_SERVICE = [*KEYS, "self_service_category_id", "self_service_recommended"]


@pytest.fixture
def token(issue_token: IssueToken) -> IssuedApiToken:
    names = ("list", "get", "create", "update", "delete")
    ids = [f"{name}_custom_script{'s' * (name == 'list')}" for name in names]
    return issue_token(*ids, "list_self_service_categories", "get_library_item_activity")


@pytest.fixture
def create(api: Call, token: IssuedApiToken) -> Any:
    return lambda **fields: api("POST", URL, token, json=SCRIPT | fields)


@pytest.fixture
def category(api: Call, token: IssuedApiToken) -> str:
    answer = api("GET", "/api/v1/self-service/categories", token)
    assert [row["name"] for row in answer.json()] == ["Apps", "Productivity", "Utilities", "Security"]
    id: str = answer.json()[2]["id"]
    return id


def test_a_script_from_its_creation_to_its_end(api: Call, token: IssuedApiToken, tenant: Tenant) -> None:
    created = api("POST", URL, token, json={**SCRIPT, "restart": True})
    script = created.json()
    assert (created.status_code, list(script)) == (201, KEYS)
    assert script.items() >= {**SCRIPT, "active": True, "restart": True, "remediation_script": ""}.items()
    url = f"{URL}/{script['id']}"
    assert api("GET", url, token).json() == script
    assert api("GET", URL, token).json() == {"count": 1, "next": None, "previous": None, "results": [script]}

    edited = api("PATCH", url, token, json={"name": "Rosetta 2", "active": False}).json()
    assert edited == script | {"name": "Rosetta 2", "active": False, "updated_at": edited["updated_at"]}
    assert edited["updated_at"] > script["updated_at"] > script["created_at"]

    item = tenant.library_items.get()
    AssignmentFactory.create(blueprint__tenant=tenant, blueprint__name="Macs", library_item=item)
    LibraryStatusFactory.create(device__tenant=tenant, item=item)
    assert api("DELETE", url, token).status_code == 204
    assert api("GET", url, token).status_code == 404
    events = tenant.audit_events.filter(target_type="library_item").order_by("sequence")
    assert [(event.action, event.summary) for event in events] == [
        ("create", "Custom Script created"),
        ("update", "Custom Script edited"),
        ("delete", "Custom Script deleted"),
    ]
    assert events[1].changes == {
        "name": {"old": "Rosetta", "new": "Rosetta 2"},
        "active": {"old": True, "new": False},
    }
    assert events[2].metadata == {"name": "Rosetta 2", "type": "custom-script", "blueprints": ["Macs"]}


def test_scripts_lose_the_blanks_at_their_end_alone(create: Any, api: Call, token: IssuedApiToken) -> None:
    script = create(script="\n  #!/bin/zsh\nexit 0 \n\n", remediation_script="  echo\n").json()
    assert (script["script"], script["remediation_script"]) == ("\n  #!/bin/zsh\nexit 0", "  echo")
    for blank in ("", " \n "):
        answer = create(script=blank)
        assert (answer.status_code, answer.json()) == (400, {"script": ["This field may not be blank."]})
    answer = api("PATCH", f"{URL}/{script['id']}", token, json={"script": "\n"})
    assert answer.json() == {"script": ["This field may not be blank."]}


def test_a_trail_has_a_checksum_of_a_script(create: Any, api: Call, token: IssuedApiToken, tenant: Tenant) -> None:
    script = create(script="echo secret-in-the-script").json()
    api("PATCH", f"{URL}/{script['id']}", token, json={"script": "echo other\necho more", "name": "Other"})
    events = tenant.audit_events.filter(target_type="library_item").order_by("sequence")
    assert not any("secret-in-the-script" in f"{event.changes} {event.new_state}" for event in events)
    assert events[1].changes["script"]["old"].startswith("1 lines (sha256 ")
    activity = api("GET", f"/api/v1/library/library-items/{script['id']}/activity", token).json()
    (named, changed) = activity["results"][0]["details"]
    assert named == "Name: Rosetta → Other"
    old, new = changed.removeprefix("Script: ").split(" → ")
    assert (old[:8], new[:8]) == ("1 lines ", "2 lines ")
    assert activity["results"][1]["details"] is None


def error(answer: Response) -> Any:
    assert answer.status_code == 400
    return answer.json()


def test_the_rules_of_self_service(create: Any, api: Call, token: IssuedApiToken, category: str) -> None:
    missing = {"show_in_self_service": ["Required when not enforcing install"]}
    assert error(create(execution_frequency="no_enforcement")) == missing
    without_category = {"self_service_category_id": ["Required when showing in self service"]}
    assert error(create(execution_frequency="no_enforcement", show_in_self_service=True)) == without_category
    assert list(error(create(show_in_self_service=True, self_service_category_id=token.id))) == [
        "self_service_category_id"
    ]
    # Without Self Service, the other fields of Self Service are ignored.
    dropped = create(self_service_category_id=category, self_service_recommended=True).json()
    assert list(dropped) == KEYS

    shown = create(
        execution_frequency="no_enforcement",
        show_in_self_service=True,
        self_service_category_id=category,
        self_service_recommended=True,
    ).json()
    assert list(shown) == IN_SELF_SERVICE
    assert (shown["self_service_category_id"], shown["self_service_recommended"]) == (category, True)
    url = f"{URL}/{shown['id']}"
    assert error(api("PATCH", url, token, json={"show_in_self_service": False})) == missing
    hidden = api("PATCH", url, token, json={"show_in_self_service": False, "execution_frequency": "every_day"})
    assert list(hidden.json()) == KEYS
    assert error(api("PATCH", url, token, json={"show_in_self_service": True})) == without_category


def test_categories_become_rows_where_an_item_needs_one(create: Any, tenant: Tenant, category: str) -> None:
    assert not tenant.self_service_categories.exists()
    assert create(show_in_self_service=True, self_service_category_id=category).status_code == 201
    assert create(show_in_self_service=True, self_service_category_id=category).status_code == 201
    stored = tenant.self_service_categories.order_by("position")
    assert [row.name for row in stored] == ["Apps", "Productivity", "Utilities", "Security"]
    assert str(stored[2].uuid) == category


@pytest.mark.parametrize(
    ("fields", "refused"),
    [
        ({"name": ""}, {"name": ["This field may not be blank."]}),
        ({"name": "x" * 256}, {"name": ["Ensure this field has no more than 255 characters."]}),
        ({"execution_frequency": "hourly"}, {"execution_frequency": ['"hourly" is not a valid choice.']}),
        ({"script": None}, {"script": ["This field may not be null."]}),
        ({"remediation_script": None}, {"remediation_script": ["This field may not be null."]}),
        ({"active": "maybe"}, {"active": ["Must be a valid boolean."]}),
        ({"script": "x" * 500_001}, {"script": ["Ensure this field has no more than 500000 characters."]}),
        ({"script": "a\0b"}, {"script": ["Null characters are not allowed."]}),
        ({"self_service_category_id": "x"}, {"self_service_category_id": ["Must be a valid UUID."]}),
    ],
)
def test_fields_that_are_refused(
    fields: dict[str, Any], refused: dict[str, Any], create: Any, api: Call, token: IssuedApiToken, tenant: Tenant
) -> None:
    assert error(create(**fields)) == refused
    item = CustomScriptFactory.create(tenant=tenant)
    assert error(api("PATCH", f"{URL}/{item.uuid}", token, json=fields)) == refused


def test_an_item_of_another_kind_is_no_script(api: Call, token: IssuedApiToken, tenant: Tenant) -> None:
    item = CustomProfileFactory.create(tenant=tenant)
    for method in ("GET", "PATCH", "DELETE"):
        assert api(method, f"{URL}/{item.uuid}", token, json={}).status_code == 404
    assert LibraryItem.objects.get() == item


class Walk:
    def __init__(self, api: Call, token: IssuedApiToken) -> None:
        self.api, self.token = api, token

    def names(self, query: str) -> list[list[str]]:
        """The names on each page. The pages are read by `next`."""
        url, pages = f"{URL}{query}", []
        while url:
            page = self.api("GET", url, self.token).json()
            pages.append([row["name"] for row in page["results"]])
            url = page["next"].removeprefix("http://accuhive.api.iru.test") if page["next"] else ""
        return pages


def test_the_three_ways_through_a_list(api: Call, token: IssuedApiToken, tenant: Tenant) -> None:
    for number in range(5):
        CustomScriptFactory.create(tenant=tenant, name=str(number))
    CustomProfileFactory.create(tenant=tenant)
    walk = Walk(api, token)
    expected = [["0", "1"], ["2", "3"], ["4"]]
    for query in ("?limit=2", "?page=1&limit=2", "?limit=2&offset=0"):
        assert walk.names(query) == expected, query
    assert walk.names("") == walk.names("?page=") == [["0", "1", "2", "3", "4"]]
    second = api("GET", f"{URL}?page=2&limit=2&source=x", token).json()
    host = "http://accuhive.api.iru.test"
    assert second["next"] == f"{host}{URL}?limit=2&source=x&page=3"
    assert second["previous"] == f"{host}{URL}?limit=2&source=x"
    assert api("GET", f"{URL}?page=3&limit=2", token).json()["previous"] == f"{host}{URL}?limit=2&page=2"
    assert api("GET", f"{URL}?limit=2&offset=2", token).json()["previous"] == f"{host}{URL}?limit=2"
    for page in ("4", "0", "-1", "x", "9" * 30):
        answer = api("GET", f"{URL}?page={page}&limit=2", token)
        assert (answer.status_code, answer.json()) == (404, {"detail": "Invalid page."})
    assert api("GET", f"{URL}?offset=9", token).json()["results"] == []


def test_the_first_page_is_there_without_rows(api: Call, token: IssuedApiToken) -> None:
    empty: dict[str, Any] = {"count": 0, "next": None, "previous": None, "results": []}
    assert api("GET", f"{URL}?page=1", token).json() == empty


def test_the_queries_do_not_grow_with_the_rows(
    api: Call, token: IssuedApiToken, tenant: Tenant, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(20):
        CustomScriptFactory.create(tenant=tenant)
    with django_assert_num_queries(3):
        assert len(api("GET", URL, token).json()["results"]) == 20
