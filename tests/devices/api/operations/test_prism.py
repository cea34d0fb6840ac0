"""The promises of the Prism operations except the rows: pages, cursors, counts and refused requests."""

import json
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from pytest_django import DjangoAssertNumQueries

from access.audit.events import Actor
from access.models import Tenant
from devices.fleet.devices import update_device
from devices.models import Platform
from devices.models.prism.categories import CATEGORIES
from tests.contract import OPERATIONS
from tests.devices.prism.reports import REPORTED, app, fleet_with_apps, report
from tests.factories.devices import BlueprintFactory, DeviceFactory, UserFactory
from tests.types import Call, IssuedApiToken, IssueToken

pytestmark = pytest.mark.django_db

PATH = "/api/v1/prism/apps"


@pytest.fixture
def token(issue_token: IssueToken) -> IssuedApiToken:
    return issue_token("prism_apps", "prism_count", "prism_device_information")


@pytest.fixture
def ask(api: Call, token: IssuedApiToken) -> Any:
    def ask(query: str = "", path: str = PATH) -> Any:
        answer = api("GET", f"{path}?{query}", token)
        assert answer.status_code == 200, answer.content
        return answer.json()

    return ask


@pytest.fixture
def refusal(api: Call, token: IssuedApiToken) -> Any:
    def refusal(query: str, path: str = PATH) -> Any:
        answer = api("GET", f"{path}?{query}", token)
        assert answer.status_code == 400, answer.content
        return answer.json()

    return refusal


def names(page: Any) -> list[str]:
    return [row["name"] for row in page["data"]]


def test_a_row_has_the_columns_of_the_contract_in_their_order(ask: Any, tenant: Tenant) -> None:
    user = UserFactory.create(tenant=tenant, name="Ann", email="ann@accuhive.test", deprecated_user_id="17")
    device = DeviceFactory.create(tenant=tenant, user=user, asset_tag="A-1")
    report(device, app("Slack", bundle_size=12, copyright="© 2026\nSlack"))
    page = ask()
    assert list(page) == ["offset", "limit", "total", "data", "cursor"]
    (row,) = page["data"]
    assert list(row) == list(OPERATIONS["prism_apps"]["response_shape"]["data"][0])
    assert list(row.items())[:17] == [
        ("device_id", str(device.uuid)),
        ("device__name", device.name),
        ("device__family", "Mac"),
        ("device__user_id", "17"),
        ("device__user_name", "Ann"),
        ("device__user_email", "ann@accuhive.test"),
        ("blueprint_id", str(device.blueprint.uuid)),
        ("blueprint_name", device.blueprint.name),
        ("tags", None),
        ("asset_tag", "A-1"),
        ("serial_number", device.serial_number),
        ("model_id", None),
        ("count", None),
        ("created_at", "2026-09-03T04:00:00.123456+00:00"),
        ("updated_at", "2026-09-03T04:00:00.123456+00:00"),
        ("last_changed_at", "2026-09-03T04:00:00.123456+00:00"),
        ("last_collected_at", "2026-09-03T04:00:00.123456+00:00"),
    ]
    assert (row["bundle_size"], row["copyright"], row["signature"]) == (12, "© 2026\nSlack", None)


def test_what_is_known_of_a_device_is_as_it_is_now(ask: Any, tenant: Tenant) -> None:
    (device,) = fleet_with_apps(tenant, 1, "Slack")
    other = BlueprintFactory.create(tenant=tenant, name="Elsewhere")
    update_device(
        tenant=tenant, device_id=device.uuid, actor=Actor.command("test"), asset_tag="new", blueprint=other.uuid
    )
    (row,) = ask()["data"]
    assert (row["asset_tag"], row["blueprint_name"]) == ("new", "Elsewhere")
    assert (row["device__user_id"], row["device__user_name"], row["device__user_email"]) == ("", None, None)


def test_a_walk_meets_every_row_once_whatever_is_added_meanwhile(ask: Any, tenant: Tenant) -> None:
    """The vendor's script pages like this: `limit=300&cursor=`, then the cursor of each reply until there is none."""
    fleet_with_apps(tenant, 4, *(f"App {number:02}" for number in range(15)))
    page = ask("limit=20&cursor=")
    seen, pages = list(page["data"]), 1
    while page["cursor"]:
        newcomer = DeviceFactory.create(tenant=tenant)
        report(newcomer, app("late"), at=REPORTED - timedelta(days=1))  # before the position
        page = ask(f"limit=20&cursor={quote(page['cursor'])}")
        assert page["offset"] is None
        assert page["total"] == 60
        seen += page["data"]
        pages += 1
    assert pages == 3  # the last page is full, and no empty page follows
    found = [(row["device_id"], row["name"]) for row in seen]
    assert len(found) == len(set(found)) == 60


def test_a_walk_goes_on_after_its_row_was_deleted(ask: Any, tenant: Tenant) -> None:
    (device,) = fleet_with_apps(tenant, 1, "a", "b", "c", "d")
    cursor = ask("limit=2&cursor=")["cursor"]
    report(device, app("a"), app("c"), app("d"))
    assert names(ask(f"limit=2&cursor={quote(cursor)}")) == ["c", "d"]


def test_offsets_end_on_a_short_page(ask: Any, tenant: Tenant) -> None:
    fleet_with_apps(tenant, 1, "a", "b", "c", "d", "e")
    pages = [ask(f"limit=2&offset={offset}") for offset in (0, 2, 4, 6)]
    assert [names(page) for page in pages] == [["a", "b"], ["c", "d"], ["e"], []]
    assert [(page["offset"], page["limit"], page["total"]) for page in pages] == [
        (0, 2, 5),
        (2, 2, 5),
        (4, 2, 5),
        (6, 2, 5),
    ]
    assert names(ask(f"limit=2&cursor={quote(pages[0]['cursor'])}")) == ["c", "d"]  # a client may go on with it
    assert pages[2]["cursor"] is None


def test_pages_have_25_rows_and_at_most_300(ask: Any, tenant: Tenant) -> None:
    fleet_with_apps(tenant, 20, *(f"App {number}" for number in range(16)))
    assert len(ask()["data"]) == 25
    page = ask("limit=1000&cursor=&filter=&device_families=")
    assert (len(page["data"]), page["limit"]) == (300, 300)


def test_sorted_pages_have_no_cursor(ask: Any, tenant: Tenant) -> None:
    fleet_with_apps(tenant, 1, "b", "c", "a")
    page = ask("sort_by=-name&limit=2")
    assert (names(page), page["cursor"], page["total"]) == (["c", "b"], None, 3)
    assert names(ask("sort_by=-name&limit=2&offset=2")) == ["a"]
    assert names(ask("sort_by=-name&cursor=")) == ["a", "b", "c"]  # paging by cursor has its own order


def test_blueprints_and_families_restrict(ask: Any, tenant: Tenant, other_tenant: Tenant) -> None:
    design, shop = (BlueprintFactory.create(tenant=tenant) for _ in range(2))
    for name, platform, blueprint in (
        ("mac", Platform.MAC, design),
        ("tv", Platform.APPLE_TV, shop),
        ("phone", Platform.IPHONE, shop),
    ):
        report(DeviceFactory.create(tenant=tenant, platform=platform, blueprint=blueprint), app(name))
    foreign = BlueprintFactory.create(tenant=other_tenant)
    report(DeviceFactory.create(tenant=other_tenant, blueprint=foreign), app("foreign"))
    assert names(ask("device_families=tvOS")) == ["tv"]
    assert names(ask("device_families=Mac, iPhone")) == ["mac", "phone"]
    assert names(ask(f"blueprint_ids={shop.uuid}")) == ["tv", "phone"]
    assert names(ask(f"blueprint_ids={shop.uuid},{design.uuid}&device_families=Mac")) == ["mac"]
    assert names(ask(f"blueprint_ids={foreign.uuid}")) == []
    assert ask(f"blueprint_ids={shop.uuid}")["total"] == 2


SENT_IN_THE_WILD: tuple[tuple[dict[str, Any], list[str]], ...] = (
    ({"name": {"not_in": ["Okta Verify"]}, "device__name": {"not_in": ["Ann’s MacBook Air"]}}, ["Safari"]),  # noqa: RUF001
    ({"app_name": {"like": ["saf"]}}, ["Safari", "Safari"]),
    ({"updated_at": {"gte": "2026-09-03T04:00:00.000Z", "lte": "2026-09-04T04:00:00.000Z"}}, ["Okta Verify", "Safari"]),
    (
        {"last_changed_at": {"or": {"gt": "2026-09-10T04:00:00.000Z", "lt": "2026-09-02T04:00:00.000Z"}}},
        ["Safari", "Okta Verify"],
    ),
    ({"device__user_name": {"in": ["Thor Odinson"]}, "app_store_vendable": {"eq": True}}, ["Safari"]),
    ({"device__user_email": {"is_null": True}}, ["Okta Verify", "Safari"]),
)


@pytest.mark.parametrize(("filter", "found"), SENT_IN_THE_WILD, ids=lambda value: json.dumps(value)[:40])
def test_filters_that_clients_send(ask: Any, tenant: Tenant, filter: dict[str, Any], found: list[str]) -> None:
    thor = UserFactory.create(tenant=tenant, name="Thor Odinson")
    anns = DeviceFactory.create(tenant=tenant, name="Ann’s MacBook Air")  # noqa: RUF001
    report(anns, app("Okta Verify"), app("Safari"))
    report(
        DeviceFactory.create(tenant=tenant, name="Other", user=thor),
        app("Okta Verify"),
        app("Safari", app_store_vendable=True),
        at=REPORTED + timedelta(days=10),
    )
    page = ask(f"filter={quote(json.dumps(filter))}")
    assert (sorted(names(page)), page["total"]) == (sorted(found), len(found))


@pytest.mark.parametrize(
    ("filter", "message"),
    [
        ("device_serial_number", "filter is not JSON"),
        ("{", "filter is not JSON"),
        ("[]", "filter is not a JSON object"),
        ("null", "filter is not a JSON object"),
        ('"name"', "filter is not a JSON object"),
        ("NaN", "filter is not JSON"),
        ('{"name": ["Slack"]}', '"name" is not an object of operators'),
        ('{"app": {"in": []}}', 'unknown column "app"'),
        ('{"blueprint_id": {"in": []}}', 'unknown column "blueprint_id"'),
        ('{"device__family": {"in": ["Mac"]}}', 'unknown column "device__family"'),
        ('{"device__user__password": {"like": ["a"]}}', 'unknown column "device__user__password"'),
        ('{"content__name": {"in": []}}', 'unknown column "content__name"'),
        ('{"name": {"eq": true}}', 'does not take the operator "eq"'),
        ('{"name": {"in": "Slack"}}', 'the operator "in" of the column "name" takes a list of values'),
        ('{"name": {"in": [1]}}', 'the operator "in"'),
        ('{"name": {"in": ["a\\u0000"]}}', 'the operator "in"'),
        ('{"name": {"in": [], "not_in": []}}', "both in and not_in"),
        ('{"name": {"is_null": "yes"}}', 'the operator "is_null" of the column "name" takes true or false'),
        ('{"updated_at": {"gte": "yesterday"}}', 'the operator "gte" of the column "updated_at" takes a date'),
        ('{"updated_at": {"or": {}}}', 'the operator "or"'),
        ('{"beta_app": {"like": ["t"]}}', 'does not take the operator "like"'),
        ('{"bundle_size": {"gt": 1e999}}', "filter"),
        ("[" * 5000, "filter is not"),
        ('{"name": {"in": [' + ",".join(['"a"'] * 600) + "]}}", "more than 500 values"),
    ],
)
def test_a_filter_that_is_wrong_is_named(refusal: Any, filter: str, message: str) -> None:
    answer = refusal(f"filter={quote(filter)}")
    assert list(answer) == ["detail"]
    assert message in answer["detail"]


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ("cursor=abc&offset=300", {"detail": "cursor and offset cannot be used together."}),
        ("cursor=&offset=300", {"detail": "cursor and offset cannot be used together."}),
        ("cursor=abc", {"detail": "This cursor cannot be read."}),
        ("cursor=%00", {"cursor": ["Null characters are not allowed."]}),
        ("cursor=MXwyfDM=", {"detail": "This cursor cannot be read."}),  # 1|2|3
        ("cursor=MjAyNi0wMS0wMVQwMDowMDowMFp8LTF8MA==", {"detail": "This cursor cannot be read."}),
        ("sort_by=app", {"detail": 'sort_by has the unknown column "app".'}),
        ("sort_by=-", {"detail": 'sort_by has the unknown column "".'}),
        ("blueprint_ids=abc", {"blueprint_ids": ["Enter a valid UUID."]}),
        ("device_families=Windows", {"device_families": ['"Windows" is not a valid choice.']}),
    ],
)
def test_what_cannot_be_served_is_refused(refusal: Any, query: str, answer: Any) -> None:
    assert refusal(query) == answer


def test_odd_page_sizes_are_the_default(ask: Any) -> None:
    assert ask("limit=0&offset=-1")["limit"] == 25
    assert ask("limit=a&offset=b")["offset"] == 0
    assert ask("cursor=&offset=0")["offset"] is None


def test_a_page_costs_the_same_queries_for_any_number_of_rows(
    ask: Any, tenant: Tenant, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    fleet_with_apps(tenant, 30, *(f"App {number}" for number in range(10)))
    filter = quote('{"name":{"like":["app"]},"device__name":{"like":["mac"]}}')
    with django_assert_max_num_queries(9):
        assert len(ask(f"limit=300&cursor=&filter={filter}")["data"]) == 300


def test_the_count_is_that_of_the_whole_category(ask: Any, refusal: Any, tenant: Tenant, other_tenant: Tenant) -> None:
    fleet_with_apps(tenant, 3, "a", "b")
    fleet_with_apps(other_tenant, 1, "a")
    count = "/api/v1/prism/count"
    assert ask("category=apps", count) == {"count": 6, "approximate": False}
    assert ask("category=apps&filter={}", count) == {"count": 6, "approximate": False}
    assert ask("category=filevault", count) == {"count": 0, "approximate": False}
    assert ask("category=ms_compliance", count) == {"count": 0, "approximate": False}
    assert refusal("category=application_firewal", count) == {"detail": "Invalid category: application_firewal"}
    assert refusal("", count) == {"category": ["This field is required."]}


def test_every_category_has_the_columns_of_the_contract() -> None:
    for name, category in CATEGORIES.items():
        shape = OPERATIONS[f"prism_{name}"]["response_shape"]["data"][0]
        described = [key for key in shape if not key.endswith("?")]
        declared = [column.key for column in category.columns]
        assert declared == described if name != "kernel_extensions" else declared[: len(described)] == described


def test_sort_by_a_device_without_rows(ask: Any, tenant: Tenant) -> None:
    DeviceFactory.create(tenant=tenant)
    for query in ("", "cursor=", "sort_by=name", "sort_by=-device__name", "offset=5"):
        page = ask(query)
        assert (page["data"], page["total"], page["cursor"]) == ([], 0, None)
