import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import orjson
import pytest
from pytest_django import DjangoAssertNumQueries

from access.models import AuditEvent, Tenant
from devices.models import Device, Fleet, Platform
from devices.services import records
from tests.factories.devices import ENROLLED, BlueprintFactory, DeviceFactory, TagFactory, UserFactory
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


@pytest.fixture
def listed(api: Call, token: IssuedApiToken) -> Callable[[str], list[str]]:
    """The names that a query of the list answers, in order."""

    def listed(query: str = "") -> list[str]:
        answer = api("GET", f"/api/v1/devices?{query}", token)
        assert answer.status_code == 200, answer.content
        return [device["device_name"] for device in answer.json()]

    return listed


def fleet_of(tenant: Tenant, count: int) -> None:
    blueprint = BlueprintFactory.create(tenant=tenant)
    Device.objects.bulk_create(
        [
            Device(
                tenant=tenant,
                name=f"Mac {n}",
                serial_number=f"C02{n:07}",
                platform=Platform.MAC,
                blueprint=blueprint,
                first_enrollment=ENROLLED,
                last_enrollment=ENROLLED,
                record=f'{{"device_name":"Mac {n}"}}',
            )
            for n in range(count)
        ],
        batch_size=1000,
    )
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


def test_nobody_assigned_and_never_checked_in_are_null(api: Call, token: IssuedApiToken, tenant: Tenant) -> None:
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


def test_300_of_10000_devices_cost_one_query_besides_the_tokens(
    api: Call, token: IssuedApiToken, tenant: Tenant, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    fleet_of(tenant, 10_000)
    for query, queries in (("", 2), ("?offset=9700", 2), ("?platform=mac&ordering=-device_name", 2)):
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


@pytest.mark.parametrize(("limit", "rows"), [("1", 1), ("300", 300), ("301", 300), ("99999999999999999999", 300)])
def test_the_page_size_is_capped(limit: str, rows: int, api: Call, token: IssuedApiToken, tenant: Tenant) -> None:
    fleet_of(tenant, 301)
    assert len(api("GET", f"/api/v1/devices?limit={limit}", token).json()) == rows


@pytest.mark.parametrize(
    ("query", "field", "message"),
    [
        ("limit=0", "limit", "Ensure this value is greater than or equal to 1."),
        ("limit=ten", "limit", "A valid integer is required."),
        (f"limit={'9' * 5000}x", "limit", "A valid integer is required."),
        ("offset=-1", "offset", "Ensure this value is greater than or equal to 0."),
        ("offset=2147483649", "offset", "Ensure this value is less than or equal to 2147483648."),
        (f"offset={'9' * 5000}", "offset", "A valid integer is required."),
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


@pytest.fixture
def mixed(tenant: Tenant, other_tenant: Tenant) -> dict[str, Any]:
    """Four devices that differ in everything a filter looks at, and a twin of the first in another tenant."""
    ann = UserFactory.create(tenant=tenant, name="Ann Fisher", email="ann@accuhive.test")
    bob = UserFactory.create(tenant=tenant, name="Bob", email="bob.ann@accuhive.test")
    design = BlueprintFactory.create(
        tenant=tenant, name="Design", uuid=uuid.UUID("aaaaaaaa-1111-4111-8111-000000000001")
    )
    shop = BlueprintFactory.create(tenant=tenant, name="Shop", uuid=uuid.UUID("bbbbbbbb-1111-4111-8111-000000000002"))
    vip, loaner = TagFactory.create(tenant=tenant, name="VIP"), TagFactory.create(tenant=tenant, name="loaner")
    common: dict[str, Any] = {
        "name": "alpha",
        "serial_number": "C02AAA111",
        "model": "MacBook Air",
        "os_version": "15.1",
        "asset_tag": "A-1",
        "mac_address": "AA:BB:CC:00:11:22",
        "filevault_enabled": True,
    }
    made = {
        "alpha": DeviceFactory.create(tenant=tenant, blueprint=design, user=ann, tags=[vip, loaner], **common),
        "beta": DeviceFactory.create(
            tenant=tenant,
            blueprint=design,
            user=bob,
            tags=[loaner],
            name="beta",
            serial_number="C02BBB222",
            model="Mac mini",
            os_version="14.7",
            filevault_enabled=False,
            last_check_in=None,
        ),
        "gamma": DeviceFactory.create(
            tenant=tenant,
            blueprint=shop,
            name="gamma",
            platform=Platform.IPHONE,
            model="iPhone 15",
            os_version="18.1",
            last_check_in=ENROLLED + timedelta(days=3),
        ),
        "delta": DeviceFactory.create(
            tenant=tenant,
            blueprint=shop,
            name="delta",
            platform=Platform.APPLE_TV,
            model="Apple TV 4K",
            os_version="18.1.1",
            last_check_in=ENROLLED + timedelta(days=2),
        ),
    }
    DeviceFactory.create(tenant=other_tenant, **common)
    return {**made, "ann": ann, "vip": vip, "loaner": loaner, "design": design}


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", "alpha beta gamma delta"),
        ("asset_tag=a-1", "alpha"),
        ("blueprint_id={design.uuid}", "alpha beta"),
        ("blueprint_id=BBBBBBBB-1111", "gamma delta"),
        ("device_id={alpha.uuid}", "alpha"),
        ("device_name=ALPH", "alpha"),
        ("filevault_enabled=true", "alpha"),
        ("filevault_enabled=False", "beta"),
        ("mac_address=aa:bb:cc:00:11:22", "alpha"),
        ("mac_address=aa:bb:cc", ""),
        ("model=mac", "alpha beta"),
        ("os_version=18.1", "gamma delta"),
        ("platform=mac", "alpha beta"),
        ("platform=iphone", "gamma"),
        ("platform=APPLETV", "delta"),
        ("serial_number=bbb", "beta"),
        ("tag_name=VIP", "alpha"),
        ("tag_name=vip", ""),
        ("tag_name_in=VIP,loaner", "alpha beta"),
        ("tag_name_in=nothing", ""),
        ("tag_id={vip.uuid}", "alpha"),
        ("tag_id_in={vip.uuid},{loaner.uuid}", "alpha beta"),
        ("user=ann", "alpha"),
        ("user_name=FISHER", "alpha"),
        ("user_email=ann", "alpha beta"),
        ("user_email_exact=ann@accuhive.test", "alpha"),
        ("user_email_exact=ann", ""),
        ("user_id={ann.uuid}", "alpha"),
        ("platform=&model=", "alpha beta gamma delta"),
        ("model=mac&user=ann&tag_name=VIP", "alpha"),
        ("model=100%25", ""),
        ("device_name=_lpha", ""),
        ("ordering=device_name", "alpha beta delta gamma"),
        ("ordering=-device_name", "gamma delta beta alpha"),
        ("ordering=last_check_in", "beta alpha delta gamma"),
        ("ordering=-last_check_in", "gamma delta alpha beta"),
        ("ordering=-user", "beta alpha gamma delta"),
        ("ordering=user", "gamma delta alpha beta"),
        ("ordering=platform,-os_version", "delta alpha beta gamma"),
        ("ordering=blueprint_id,-device_name", "beta alpha gamma delta"),
        ("ordering=device_name&limit=2&offset=1", "beta delta"),
    ],
)
def test_filters_and_orders(query: str, names: str, listed: Callable[[str], list[str]], mixed: dict[str, Any]) -> None:
    assert listed(query.format(**mixed)) == names.split()


def test_a_filtered_list_counts_what_it_found(api: Call, token: IssuedApiToken, mixed: dict[str, Any]) -> None:
    answer = api("GET", "/api/v1/devices?model=mac&limit=1", token)
    assert (answer["X-Total-Count"], answer["X-Total-Pages"]) == ("2", "2")
    assert "model=mac&limit=1&offset=1" in answer["Link"]
    beyond = api("GET", "/api/v1/devices?model=mac&offset=5", token)
    assert (beyond.json(), beyond["X-Total-Count"]) == ([], "2")


def test_an_unknown_ordering_names_the_known_ones(api: Call, token: IssuedApiToken) -> None:
    answer = api("GET", "/api/v1/devices?ordering=device_name,record", token)
    assert answer.status_code == 400
    assert answer.json()["ordering"][0].startswith('"record" is not one of asset_tag,')


# --- Changing one -----------------------------------------------------------------------------------------------------


def test_an_update_changes_what_is_given_and_answers_the_record(
    api: Call, token: IssuedApiToken, mixed: dict[str, Any], tenant: Tenant
) -> None:
    path = f"/api/v1/devices/{mixed['beta'].uuid}"
    shop = mixed["gamma"].blueprint
    answer = api(
        "PATCH",
        path,
        token,
        json={
            "user": str(mixed["ann"].uuid),
            "asset_tag": " N-7 ",
            "blueprint_id": str(shop.uuid),
            "tags": ["VIP", "new"],
        },
    )
    assert answer.status_code == 200
    row = answer.json()
    assert (row["user"]["name"], row["asset_tag"], row["blueprint_name"], row["tags"]) == (
        "Ann Fisher",
        "N-7",
        "Shop",
        ["VIP", "new"],
    )
    assert api("GET", path, token).json() == row
    assert api("PATCH", path, token, json={"asset_tag": "N-8"}).json() == {**row, "asset_tag": "N-8"}
    cleared = api("PATCH", path, token, json={"user": None, "asset_tag": None, "tags": []}).json()
    assert (cleared["user"], cleared["asset_tag"], cleared["tags"]) == (None, "", [])


def test_an_update_is_on_record_with_old_and_new(
    api: Call, token: IssuedApiToken, mixed: dict[str, Any], tenant: Tenant
) -> None:
    api("PATCH", f"/api/v1/devices/{mixed['beta'].uuid}", token, json={"asset_tag": "N-7", "tags": ["loaner"]})
    event = tenant.audit_events.get(target_type="device")
    assert (event.summary, event.actor_type, event.actor_id, event.actor_name) == (
        "Device updated",
        AuditEvent.ActorType.API_TOKEN,
        str(token.id),
        token.name,
    )
    assert (event.target_id, event.changes) == (
        str(mixed["beta"].uuid),
        {"asset_tag": {"old": "", "new": "N-7"}},
    )


def test_an_update_that_changes_nothing_leaves_no_trace(
    api: Call, token: IssuedApiToken, mixed: dict[str, Any], tenant: Tenant
) -> None:
    path = f"/api/v1/devices/{mixed['alpha'].uuid}"
    before = api("GET", path, token).json()
    assert api("PATCH", path, token, json={"asset_tag": "A-1"}).json() == before
    assert api("PATCH", path, token, json={}).json() == before
    assert not tenant.audit_events.filter(target_type="device").exists()


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({"asset_tag": ""}, {"asset_tag": ["This field may not be blank."]}),
        ({"asset_tag": "x" * 256}, {"asset_tag": ["Ensure this field has no more than 255 characters."]}),
        ({"asset_tag": ["x"]}, {"asset_tag": ["Not a valid string."]}),
        ({"asset_tag": "a\0b"}, {"asset_tag": ["Null characters are not allowed."]}),
        ({"user": "7"}, {"user": ["Must be a valid UUID."]}),
        ({"blueprint_id": None}, {"blueprint_id": ["This field may not be null."]}),
        ({"tags": "x"}, {"tags": ['Expected a list of items but got type "str".']}),
        ({"tags": ["x"] * 201}, {"tags": ["Ensure this field has no more than 200 elements."]}),
        ({"tags": [None]}, {"tags": ["This field may not be null."]}),
        ({"tags": [""]}, {"tags": ["This field may not be blank."]}),
        (
            {"user": "98765000-0000-4000-8000-000000000004"},
            {"user": ['Invalid pk "98765000-0000-4000-8000-000000000004" - object does not exist.']},
        ),
    ],
)
def test_a_bad_update_names_its_fields_and_changes_nothing(
    body: dict[str, Any], errors: dict[str, list[str]], api: Call, token: IssuedApiToken, mixed: dict[str, Any]
) -> None:
    path = f"/api/v1/devices/{mixed['alpha'].uuid}"
    before = api("GET", path, token).json()
    answer = api("PATCH", path, token, json={"asset_tag": "changed", **body})
    assert (answer.status_code, answer.json()) == (400, errors)
    assert api("GET", path, token).json() == before


def test_other_tenants_blueprints_and_users_cannot_be_assigned(
    api: Call, token: IssuedApiToken, mixed: dict[str, Any], other_tenant: Tenant
) -> None:
    path = f"/api/v1/devices/{mixed['alpha'].uuid}"
    for field, theirs in (
        ("user", UserFactory.create(tenant=other_tenant)),
        ("blueprint_id", BlueprintFactory.create(tenant=other_tenant)),
    ):
        answer = api("PATCH", path, token, json={field: str(theirs.uuid)})
        assert (answer.status_code, list(answer.json())) == (400, [field])


def test_fields_that_are_not_for_changing_are_left_alone(
    api: Call, token: IssuedApiToken, mixed: dict[str, Any]
) -> None:
    path = f"/api/v1/devices/{mixed['alpha'].uuid}"
    before = api("GET", path, token).json()
    body = {name: "changed" for name in before if name not in {"user", "asset_tag", "blueprint_id", "tags"}}
    answer = api(
        "PATCH", path, token, json={**body, "tenant": "x", "tenant_id": 1, "id": 1, "uuid": "x", "record": "{}"}
    )
    assert (answer.status_code, answer.json()) == (200, before)


@pytest.mark.parametrize(
    ("body", "content_type", "status", "detail"),
    [
        (
            b'{"a": 1\n"b": 2}',
            "application/json",
            400,
            "JSON parse error - Expecting ',' delimiter: line 2 column 1 (char 8)",
        ),
        (b'"\\ud800"', "application/json", 400, None),
        (b"\xff", "application/json", 400, None),
        (b"[" * 100_000, "application/json", 400, None),
        (b'{"tags":' + b"[" * 900 + b"]" * 900 + b"}", "application/json", 400, None),
        (b'{"asset_tag":' + b"9" * 5000 + b"}", "application/json", 400, None),
        (b"[]", "application/json", 400, None),
        (b"asset_tag=x", "application/x-www-form-urlencoded", 415, None),
        (b"x", "text/plain", 415, 'Unsupported media type "text/plain" in request.'),
        (b"x" * 1_100_000, "application/json", 413, "The request body is too large."),
    ],
)
def test_bodies_that_cannot_be_read(
    body: bytes,
    content_type: str,
    status: int,
    detail: str | None,
    api: Call,
    token: IssuedApiToken,
    mixed: dict[str, Any],
) -> None:
    answer = api("PATCH", f"/api/v1/devices/{mixed['alpha'].uuid}", token, data=body, content_type=content_type)
    assert answer.status_code == status, answer.content
    if detail:
        assert answer.json() == {"detail": detail}


def test_deleting_one(api: Call, token: IssuedApiToken, mixed: dict[str, Any], tenant: Tenant) -> None:
    path = f"/api/v1/devices/{mixed['alpha'].uuid}"
    answer = api("DELETE", path, token)
    assert (answer.status_code, answer.content) == (204, b"")
    assert api("GET", path, token).status_code == 404
    assert api("DELETE", path, token).status_code == 404
    assert api("GET", "/api/v1/devices", token)["X-Total-Count"] == "3"
    event = tenant.audit_events.get(target_type="device")
    assert (event.summary, event.target_name) == ("Device deleted", "alpha")


def test_a_change_that_cannot_be_recorded_is_not_made(
    api: Call, token: IssuedApiToken, mixed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"/api/v1/devices/{mixed['alpha'].uuid}"
    before = api("GET", path, token).content

    def broken(**event: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr("devices.services.devices.record", broken)
    assert api("PATCH", path, token, json={"asset_tag": "X", "tags": []}).status_code == 500
    assert api("DELETE", path, token).status_code == 500
    assert api("GET", path, token).content == before
    assert orjson.loads(before)["asset_tag"] == "A-1"
