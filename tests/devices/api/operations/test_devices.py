import json

import pytest
from pytest_django import DjangoAssertNumQueries

from access.audit.events import Actor
from access.models import Tenant
from access.tokens.rotation import rotate_token
from devices.fleet import records
from devices.models import Fleet
from tests.devices.macs import store_macs
from tests.factories.devices import BlueprintFactory, DeviceFactory, TagFactory, UserFactory
from tests.types import Call, IssuedApiToken, IssueToken

RECORD = [
    "device_id",
    "device_name",
    "model",
    "serial_number",
    "platform",
    "os_version",
    "supplemental_build_version",
    "supplemental_os_version_extra",
    "last_check_in",
    "user",
    "asset_tag",
    "blueprint_id",
    "mdm_enabled",
    "agent_installed",
    "is_missing",
    "is_removed",
    "agent_version",
    "first_enrollment",
    "last_enrollment",
    "blueprint_name",
    "lost_mode_status",
    "tags",
]


@pytest.fixture
def token(issue_token: IssueToken) -> IssuedApiToken:
    return issue_token("list_devices", "get_device", "update_device", "delete_device")


def fleet_of(tenant: Tenant, count: int) -> None:
    store_macs(tenant, count, BlueprintFactory.create(tenant=tenant))
    Fleet.objects.create(tenant=tenant, device_count=count)


# --- The list ---------------------------------------------------------------------------------------------------------


def test_the_record(api: Call, token: IssuedApiToken, tenant: Tenant) -> None:
    user = UserFactory.create(tenant=tenant, name="Zoë Łukasiewicz", email="zoe@accuhive.test")
    device = DeviceFactory.create(
        tenant=tenant,
        name="Zoë's “Mac”",
        user=user,
        tags=[TagFactory.create(tenant=tenant, name=name) for name in "ba"],
    )
    (row,) = api("GET", "/api/v1/devices", token).json()
    assert list(row) == RECORD
    assert row["device_id"] == str(device.uuid)
    assert row["device_name"] == "Zoë's “Mac”"
    assert row["last_check_in"] == "2024-05-14T20:09:27.374451Z"
    assert row["first_enrollment"] == "2024-05-13 20:09:27.374451+00:00"
    assert row["user"] == {
        "email": "zoe@accuhive.test",
        "name": "Zoë Łukasiewicz",
        "id": str(user.uuid),
        "is_archived": False,
    }
    assert row["tags"] == ["a", "b"]
    assert api("GET", f"/api/v1/devices/{device.uuid}", token).json() == row


def test_the_record_costs_no_query_but_that_for_the_token(
    api: Call, token: IssuedApiToken, tenant: Tenant, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    device = DeviceFactory.create(tenant=tenant)
    with django_assert_num_queries(1):
        answer = api("GET", f"/api/v1/devices/{device.uuid}", token)
    assert answer.json() == json.loads(device.record_json)
    # A former secret is found by another statement.
    issued = rotate_token(tenant=tenant, token_id=token.id, actor=Actor.command("test"), overlap="24h")
    for secret in (token.secret, issued.secret):
        token.secret = secret
        assert api("GET", f"/api/v1/devices/{device.uuid}", token).json() == json.loads(device.record_json)


def test_an_unassigned_device_that_never_checked_in_has_nulls(api: Call, token: IssuedApiToken, tenant: Tenant) -> None:
    DeviceFactory.create(tenant=tenant, last_check_in=None)
    (row,) = api("GET", "/api/v1/devices", token).json()
    assert (row["user"], row["last_check_in"]) == (None, None)


def test_three_more_keys_where_windows_or_android_is_managed(api: Call, token: IssuedApiToken, tenant: Tenant) -> None:
    DeviceFactory.create(tenant=tenant)
    records.enable_extended_records(Fleet.objects.get(tenant=tenant))
    (row,) = api("GET", "/api/v1/devices", token).json()
    assert list(row) == [*RECORD, "api_level", "security_patch_level", "full_software_version"]


def test_an_empty_fleet(api: Call, token: IssuedApiToken) -> None:
    answer = api("GET", "/api/v1/devices", token)
    assert answer.json() == []
    assert (answer["X-Total-Count"], answer["X-Total-Pages"]) == ("0", "0")


@pytest.mark.slow
def test_a_page_of_300_among_10000_devices_costs_one_query_after_the_token(
    api: Call, token: IssuedApiToken, tenant: Tenant, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    fleet_of(tenant, 10_000)
    # With a filter, its matches are counted first: a few queries more, and as many for a fleet of any size.
    for query, queries in (
        ("", 2),
        ("?offset=9700", 2),
        ("?platform=mac", 3),
        ("?platform=mac&ordering=-device_name", 6),
    ):
        with django_assert_num_queries(queries):
            answer = api("GET", f"/api/v1/devices{query}", token)
        assert len(answer.json()) == 300
        assert (answer["X-Total-Count"], answer["X-Total-Pages"]) == ("10000", "34")


def test_pages_cover_the_fleet_once_and_link_to_each_other(
    api: Call, token: IssuedApiToken, tenant: Tenant, other_tenant: Tenant
) -> None:
    fleet_of(tenant, 7)
    fleet_of(other_tenant, 3)
    seen: list[str] = []
    url: str | None = "/api/v1/devices?limit=3&source=iructl"
    links = []
    while url:
        answer = api("GET", url, token)
        seen += [device["device_name"] for device in answer.json()]
        links.append(answer["Link"])
        following = answer["Link"].split(";")[0].strip("<>")
        url = None if following == "None" else following.removeprefix("http://accuhive.api.iru.test")
    assert seen == [f"Mac {n}" for n in range(7)]
    base = "http://accuhive.api.iru.test/api/v1/devices?source=iructl&limit=3"
    assert links == [
        f'<{base}&offset=3>; rel="next", <None>; rel="prev"',
        f'<{base}&offset=6>; rel="next", <{base}>; rel="prev"',
        f'<None>; rel="next", <{base}&offset=3>; rel="prev"',
    ]
    beyond = api("GET", "/api/v1/devices?limit=3&offset=100", token)
    assert (beyond.status_code, beyond.json(), beyond["X-Total-Count"]) == (200, [], "7")
    host = "http://accuhive.api.iru.test"
    just_beyond = api("GET", "/api/v1/devices?offset=300", token)
    assert just_beyond["Link"] == f'<None>; rel="next", <{host}/api/v1/devices?limit=300>; rel="prev"'


@pytest.mark.slow
@pytest.mark.parametrize(("limit", "rows"), [("1", 1), ("300", 300), ("301", 300), ("99999999999999999999", 300)])
def test_the_page_size_is_capped(limit: str, rows: int, api: Call, token: IssuedApiToken, tenant: Tenant) -> None:
    fleet_of(tenant, 301)
    assert len(api("GET", f"/api/v1/devices?limit={limit}", token).json()) == rows


@pytest.mark.slow
@pytest.mark.parametrize("limit", ["0", "-1", "ten", "1.5", "9" * 5000, f"{'9' * 5000}x", "NaN"])
def test_a_page_size_that_is_none_means_the_default(
    limit: str, api: Call, token: IssuedApiToken, tenant: Tenant
) -> None:
    fleet_of(tenant, 301)
    assert len(api("GET", f"/api/v1/devices?limit={limit}", token).json()) == 300


@pytest.mark.parametrize("offset", ["-1", "two", "1.5", "9" * 5000])
def test_an_offset_that_is_none_means_the_beginning(
    offset: str, api: Call, token: IssuedApiToken, tenant: Tenant
) -> None:
    fleet_of(tenant, 3)
    answer = api("GET", f"/api/v1/devices?limit=2&offset={offset}", token)
    assert [device["device_name"] for device in answer.json()] == ["Mac 0", "Mac 1"]
    assert answer["Link"].endswith('limit=2&offset=2>; rel="next", <None>; rel="prev"')


def test_a_list_that_fills_its_last_page_has_no_page_after_it(api: Call, token: IssuedApiToken, tenant: Tenant) -> None:
    fleet_of(tenant, 6)
    base = "http://accuhive.api.iru.test/api/v1/devices?"
    for filters in ("", "device_name=Mac&"):
        links = [api("GET", f"/api/v1/devices?{filters}limit=3&offset={offset}", token)["Link"] for offset in (0, 3)]
        assert links == [
            f'<{base}{filters}limit=3&offset=3>; rel="next", <None>; rel="prev"',
            f'<None>; rel="next", <{base}{filters}limit=3>; rel="prev"',
        ]


def test_a_filtered_list_is_in_the_order_of_the_whole_one(api: Call, token: IssuedApiToken, tenant: Tenant) -> None:
    # Serial numbers, names and check-ins run against the order of enrollment, so no index gives it by chance.
    for n in range(6):
        DeviceFactory.create(tenant=tenant, name=f"Mac {9 - n}", serial_number=f"C02{9 - n}", os_version="26.1")
    everything = [device["device_id"] for device in api("GET", "/api/v1/devices", token).json()]
    queries = ("serial_number=c02", "device_name=mac", "platform=mac", "os_version=26", "ordering=model", "ordering=,")
    for query in queries:
        pages = [api("GET", f"/api/v1/devices?{query}&limit=2&offset={offset}", token).json() for offset in (0, 2, 4)]
        assert [device["device_id"] for page in pages for device in page] == everything, query


@pytest.mark.parametrize(
    ("query", "field", "message"),
    [
        ("offset=2147483649", "offset", "Ensure this value is less than or equal to 2147483648."),
        ("device_id=1", "device_id", "Enter a valid UUID."),
        ("tag_id_in=1,2", "tag_id_in", "Enter a valid UUID."),
        ("filevault_enabled=maybe", "filevault_enabled", "Must be a valid boolean."),
        ("platform=Amiga", "platform", '"Amiga" is not a valid choice.'),
        ("device_name=a%00b", "device_name", "Null characters are not allowed."),
    ],
)
def test_bad_parameters_name_their_field(
    query: str, field: str, message: str, api: Call, token: IssuedApiToken
) -> None:
    answer = api("GET", f"/api/v1/devices?{query}", token)
    assert answer.status_code == 400
    assert message in answer.json()[field]
    assert list(answer.json()) == [field]
