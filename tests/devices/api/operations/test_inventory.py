import pytest
from pytest_django import DjangoAssertNumQueries

from access.models import Tenant
from devices.models import DeviceInventory, Platform
from tests.factories.devices import (
    AssignmentFactory,
    BlueprintFactory,
    CustomProfileFactory,
    CustomScriptFactory,
    DeviceFactory,
    LibraryItemFactory,
    LibraryStatusFactory,
)
from tests.types import Call, IssuedApiToken, IssueToken

LISTS = ("apps", "library-items", "parameters", "status")
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
    DeviceInventory.objects.create(device=device, parameters=[PARAMETER])
    policy = LibraryItemFactory.create(tenant=tenant, name="Threats", type="threat-security-policy")
    LibraryStatusFactory.create(
        item=policy, device=device, log="", rules_present=True, edr_status={"status": "enabled"}
    )
    (item,) = api("GET", f"/api/v1/devices/{device.uuid}/library-items", token).json()["library_items"]
    assert item == {
        "id": item["id"],
        "status": "PASS",
        "reported_at": "2024-05-13T20:09:27.374451Z",
        "log": "",
        # Published clients read these keys in every row.
        "last_audit_run": None,
        "last_audit_log": None,
        "control_log": None,
        "control_reported_at": None,
        "item_id": str(policy.uuid),
        "name": "Threats",
        "type": "threat-security-policy",
        "computer": {"id": str(device.uuid), "name": "Renamed"},
        "blueprint": {"id": str(blueprint.uuid), "name": "Design"},
        "rules_present": True,
        "edr_status": {"status": "enabled"},
    }
    status = api("GET", f"/api/v1/devices/{device.uuid}/status", token).json()
    assert status["parameters"] == [PARAMETER]
    (row,) = status["library_items"]
    assert list(row) == ["id", "item_id", "name", "status", "reported_at", "type", "last_audit_log", "log"]
    assert row.items() <= item.items()
    assert api("GET", f"/api/v1/devices/{device.uuid}/parameters", token).json()["parameters"] == [PARAMETER]


def test_an_item_that_the_device_has_not_reported_on_is_pending(
    api: Call, token: IssuedApiToken, tenant: Tenant
) -> None:
    device = DeviceFactory.create(tenant=tenant)
    script = CustomScriptFactory.create(tenant=tenant, name="Script")
    profile = CustomProfileFactory.create(tenant=tenant, name="Profile")
    others = [
        CustomScriptFactory.create(tenant=tenant, active=False),
        CustomProfileFactory.create(tenant=tenant, runs_on_mac=False, runs_on_ipad=True),
    ]
    for item in (script, profile, *others):
        AssignmentFactory.create(blueprint=device.blueprint, library_item=item)
    path = f"/api/v1/devices/{device.uuid}/library-items"
    rows = api("GET", path, token).json()["library_items"]
    assert [(row["name"], row["status"]) for row in rows] == [("Profile", "pending"), ("Script", "PENDING")]
    told = {"id", "status", "item_id", "name", "type", "computer", "blueprint", "rules_present"}
    assert {row[key] for row in rows for key in row.keys() - told} == {None}
    assert "edr_status" not in rows[0]
    LibraryStatusFactory.create(item=script, device=device, status="ERROR")
    pending, reported = api("GET", path, token).json()["library_items"]
    assert (pending, reported["status"], reported["id"]) == (rows[0], "ERROR", rows[1]["id"])


@pytest.mark.parametrize(("name", "queries"), [("apps", 1), ("library-items", 4), ("parameters", 1), ("status", 4)])
def test_the_queries_do_not_grow_with_the_list(
    name: str,
    queries: int,
    api: Call,
    token: IssuedApiToken,
    tenant: Tenant,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    device = DeviceFactory.create(tenant=tenant)
    DeviceInventory.objects.create(device=device, apps=[{}] * 200)
    for number in range(20):
        item = CustomScriptFactory.create(tenant=tenant)
        AssignmentFactory.create(blueprint=device.blueprint, library_item=item)
        if number % 2:
            LibraryStatusFactory.create(item=item, device=device)
    with django_assert_num_queries(1 + queries):  # and one for the token
        assert api("GET", f"/api/v1/devices/{device.uuid}/{name}", token).status_code == 200
