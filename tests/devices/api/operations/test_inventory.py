import pytest
from pytest_django import DjangoAssertNumQueries

from access.models import Tenant
from devices.models import DeviceInventory, Platform
from tests.factories.devices import BlueprintFactory, DeviceFactory
from tests.types import Call, IssuedApiToken, IssueToken

LISTS = ("apps", "library-items", "parameters", "status")
ITEM = {
    "id": 7,
    "status": "PASS",
    "item_id": "98765000-0000-4000-8000-000000000004",
    "name": "Firewall",
    "type": "profile",
    "log": "",
    "rules_present": True,
    "edr_status": {"status": "enabled"},
}
PARAMETER = {
    "status": "PASS",
    "item_id": "98765000-0000-4000-8000-000000000005",
    "name": "Set the clock",
    "category": "General",
    "subcategory": "Time",
}


@pytest.fixture
def token(issue_token: IssueToken) -> IssuedApiToken:
    return issue_token("get_device_apps", "get_device_library_items", "get_device_parameters", "get_device_status")


@pytest.mark.parametrize("platform", Platform.values)
def test_missing_reports_are_empty_lists(platform: str, api: Call, token: IssuedApiToken, tenant: Tenant) -> None:
    device = DeviceFactory.create(tenant=tenant, platform=platform)
    answers = {name: api("GET", f"/api/v1/devices/{device.uuid}/{name}", token).json() for name in LISTS}
    known = {"device_id": str(device.uuid)}
    assert answers == {
        "apps": {**known, "apps": []},
        "library-items": {**known, "library_items": []},
        "parameters": {**known, "parameters": []},
        "status": {**known, "parameters": [], "library_items": []},
    }


@pytest.mark.parametrize(
    ("platform", "row", "key", "missing"),
    [
        (Platform.MAC, {"app_name": "Numbers", "extra": 1}, "bundle_id", ""),
        (Platform.IPHONE, {"app_name": "Numbers"}, "app_id", ""),
        (Platform.WINDOWS, {"name": "Notepad"}, "publisher", ""),
        (Platform.ANDROID, {"display_name": "Maps"}, "sha1_hashes", []),
    ],
)
def test_an_app_has_every_key_of_its_platform(
    platform: str, row: dict[str, object], key: str, missing: object, api: Call, token: IssuedApiToken, tenant: Tenant
) -> None:
    device = DeviceFactory.create(tenant=tenant, platform=platform)
    DeviceInventory.objects.create(device=device, apps=[row])
    answer = api("GET", f"/api/v1/devices/{device.uuid}/apps", token)
    (app,) = answer.json()["apps"]
    assert (answer["X-Total-Count"], answer["X-Total-Pages"]) == ("1", "1")
    assert app[key] == missing
    assert {name: app[name] for name in row} == row


def test_library_items_and_parameters_name_things_as_they_are_now(
    api: Call, token: IssuedApiToken, tenant: Tenant
) -> None:
    blueprint = BlueprintFactory.create(tenant=tenant, name="Design")
    device = DeviceFactory.create(tenant=tenant, name="Renamed", blueprint=blueprint)
    stale = {**ITEM, "computer": {"id": "x", "name": "Old name"}}
    DeviceInventory.objects.create(device=device, library_items=[stale], parameters=[PARAMETER])
    (item,) = api("GET", f"/api/v1/devices/{device.uuid}/library-items", token).json()["library_items"]
    assert item["computer"] == {"id": str(device.uuid), "name": "Renamed"}
    assert item["blueprint"] == {"id": str(blueprint.uuid), "name": "Design"}
    assert {key: item[key] for key in ITEM} == ITEM
    # Published clients index these on every row.
    for key in ("reported_at", "last_audit_run", "last_audit_log", "control_reported_at", "control_log"):
        assert item[key] is None
    status = api("GET", f"/api/v1/devices/{device.uuid}/status", token).json()
    assert status["parameters"] == [PARAMETER]
    assert list(status["library_items"][0]) == [
        "id",
        "item_id",
        "name",
        "status",
        "reported_at",
        "type",
        "last_audit_log",
        "log",
    ]
    assert api("GET", f"/api/v1/devices/{device.uuid}/parameters", token).json()["parameters"] == [PARAMETER]


@pytest.mark.parametrize("name", LISTS)
def test_a_list_costs_one_query_after_the_token(
    name: str, api: Call, token: IssuedApiToken, tenant: Tenant, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    device = DeviceFactory.create(tenant=tenant)
    DeviceInventory.objects.create(device=device, apps=[{}] * 200, library_items=[ITEM] * 200)
    with django_assert_num_queries(2):
        assert api("GET", f"/api/v1/devices/{device.uuid}/{name}", token).status_code == 200
