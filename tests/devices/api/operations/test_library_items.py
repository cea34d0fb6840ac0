from datetime import timedelta
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from access.audit.events import Actor
from access.models import Administrator, Tenant
from devices.library import scripts
from devices.models import Blueprint, LibraryItem, Platform
from tests.factories.devices import (
    ENROLLED,
    AssignmentFactory,
    AssignmentNodeFactory,
    BlueprintFactory,
    CustomProfileFactory,
    CustomScriptFactory,
    DeviceFactory,
    LibraryItemFactory,
    LibraryStatusFactory,
)
from tests.types import Call, IssuedApiToken, IssueToken

BASE = "/api/v1/library/library-items"
STATUS_KEYS = [
    "id",
    "blueprint",
    "computer",
    "status",
    "reported_at",
    "log",
    "last_audit_run",
    "last_audit_log",
    "control_log",
    "control_reported_at",
]


@pytest.fixture
def token(issue_token: IssueToken) -> IssuedApiToken:
    return issue_token("get_library_item_activity", "get_library_item_statuses", "assign_library_item")


class Statuses:
    """The list of devices of one item."""

    def __init__(self, api: Call, token: IssuedApiToken, item: LibraryItem) -> None:
        self.api, self.token, self.url = api, token, f"{BASE}/{item.uuid}/status"

    def page(self, query: str = "") -> Any:
        answer = self.api("GET", f"{self.url}{query}", self.token)
        assert answer.status_code == 200
        return answer.json()

    def rows(self, query: str = "") -> list[tuple[str, str]]:
        return [(row["computer"]["name"], row["status"]) for row in self.page(query)["results"]]


@pytest.fixture
def blueprint(tenant: Tenant) -> Blueprint:
    return BlueprintFactory.create(tenant=tenant, name="Macs")


@pytest.fixture
def item(tenant: Tenant, blueprint: Blueprint) -> LibraryItem:
    item = CustomScriptFactory.create(tenant=tenant, name="Script")
    AssignmentFactory.create(blueprint=blueprint, library_item=item)
    return item


@pytest.fixture
def statuses(api: Call, token: IssuedApiToken, item: LibraryItem) -> Statuses:
    return Statuses(api, token, item)


def test_a_device_is_listed_from_the_moment_it_is_in_scope(
    statuses: Statuses, item: LibraryItem, tenant: Tenant, blueprint: Blueprint
) -> None:
    first = DeviceFactory.create(tenant=tenant, blueprint=blueprint, name="First")
    DeviceFactory.create(tenant=tenant, blueprint=blueprint, name="Second")
    DeviceFactory.create(tenant=tenant, blueprint=blueprint, name="Phone", platform=Platform.IPHONE)
    DeviceFactory.create(tenant=tenant, blueprint=blueprint, name="Removed", is_removed=True)
    DeviceFactory.create(tenant=tenant, name="Elsewhere")
    assert statuses.rows() == [("Second", "PENDING"), ("First", "PENDING")]
    second, row = statuses.page()["results"]
    assert list(row) == STATUS_KEYS
    assert row["blueprint"] == {"id": str(blueprint.uuid), "name": "Macs"}
    assert row["computer"] == {"id": str(first.uuid), "name": "First"}
    assert {row[key] for key in STATUS_KEYS[4:]} == {None}
    assert second["id"] > row["id"]

    LibraryStatusFactory.create(
        item=item, device=first, status="ERROR", log="", reported_at=ENROLLED + timedelta(days=1)
    )
    reported = statuses.page()["results"][1]
    expected = {"status": "ERROR", "log": "", "reported_at": "2024-05-14T20:09:27Z"}
    assert reported == row | expected  # with the same id

    item.active = False
    item.save()
    assert statuses.rows() == [("First", "ERROR")]


def test_a_device_that_reported_is_listed_wherever_it_is_now(statuses: Statuses, item: LibraryItem) -> None:
    elsewhere = DeviceFactory.create(tenant=item.tenant, name="Elsewhere")
    LibraryStatusFactory.create(item=item, device=elsewhere)
    assert statuses.rows() == [("Elsewhere", "PASS")]


def test_filters_and_pages(statuses: Statuses, item: LibraryItem, blueprint: Blueprint) -> None:
    devices = [DeviceFactory.create(tenant=item.tenant, blueprint=blueprint, name=name) for name in "abcde"]
    LibraryStatusFactory.create(item=item, device=devices[1], status="PASS")
    LibraryStatusFactory.create(item=item, device=devices[2], status="PENDING")
    LibraryStatusFactory.create(item=item, device=devices[3], status="ERROR")
    pass_, pending, failed = [("b", "PASS")], [(name, "PENDING") for name in "eca"], [("d", "ERROR")]
    assert statuses.rows("?status=PASS") == statuses.rows("?status=pass") == pass_
    assert statuses.rows("?status=pending") == pending
    assert statuses.rows("?status=error&computer_id=") == failed
    assert statuses.rows("?status=INSTALLING") == []
    assert statuses.rows(f"?computer_id={devices[0].uuid}") == [("a", "PENDING")]
    assert statuses.rows(f"?computer_id={item.uuid}") == []
    assert statuses.rows(f"?computer_id={devices[0].uuid}&status=PASS") == []
    # Pages of two rows, read by `next` as a published client does.
    url, walked = "?limit=2", []
    while url:
        page = statuses.page(url)
        assert page["count"] == 5
        walked.append([row["computer"]["name"] for row in page["results"]])
        url = f"?{page['next'].split('?')[1]}" if page["next"] else ""
    assert walked == [["e", "d"], ["c", "b"], ["a"]]
    assert statuses.page("?offset=9")["results"] == []


def test_conditions_of_a_map_select_the_devices(api: Call, token: IssuedApiToken, tenant: Tenant) -> None:
    item = CustomScriptFactory.create(tenant=tenant)
    default = AssignmentNodeFactory.create(blueprint__tenant=tenant)
    is_new = {"attribute": "os_version", "operator": "at_least", "values": ["15"]}
    node = AssignmentNodeFactory.create(blueprint=default.blueprint, conditions=[is_new])
    AssignmentFactory.create(blueprint=node.blueprint, library_item=item, node=node)
    DeviceFactory.create(tenant=tenant, blueprint=node.blueprint, name="New", os_version="15.1")
    old = DeviceFactory.create(tenant=tenant, blueprint=node.blueprint, name="Old", os_version="9.9")
    statuses = Statuses(api, token, item)
    assert statuses.rows() == [("New", "PENDING")]
    LibraryStatusFactory.create(item=item, device=old)
    assert statuses.rows() == [("Old", "PASS"), ("New", "PENDING")]


def test_profiles_are_for_the_families_that_they_name(api: Call, token: IssuedApiToken, blueprint: Blueprint) -> None:
    item = CustomProfileFactory.create(tenant=blueprint.tenant, runs_on_mac=False, runs_on_tv=True, runs_on_ipad=True)
    AssignmentFactory.create(blueprint=blueprint, library_item=item)
    for platform in Platform:
        DeviceFactory.create(tenant=blueprint.tenant, blueprint=blueprint, platform=platform, name=platform.value)
    assert Statuses(api, token, item).rows() == [("AppleTV", "pending"), ("iPad", "pending")]


def test_policies_against_threats_have_two_more_keys(api: Call, token: IssuedApiToken, blueprint: Blueprint) -> None:
    item = LibraryItemFactory.create(tenant=blueprint.tenant, type="threat-security-policy")
    AssignmentFactory.create(blueprint=blueprint, library_item=item)
    reported, silent = (DeviceFactory.create(tenant=blueprint.tenant, blueprint=blueprint) for _ in range(2))
    edr_status = {"status": "enabled", "last_baseline_scan": "Feb 27, 2024 at 7:34:21 AM"}
    LibraryStatusFactory.create(item=item, device=reported, status="enabled", edr_status=edr_status)
    newer, older = Statuses(api, token, item).page()["results"]
    assert list(older) == [*STATUS_KEYS, "edr_status", "type"]
    assert (older["edr_status"], newer["edr_status"]) == (edr_status, None)
    assert {newer["type"], older["type"]} == {"threat-security-policy"}
    assert newer["computer"]["id"] == str(silent.uuid)


def test_the_queries_do_not_grow_with_the_devices(
    statuses: Statuses, item: LibraryItem, blueprint: Blueprint, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(15):
        device = DeviceFactory.create(tenant=item.tenant, blueprint=blueprint)
        LibraryStatusFactory.create(item=item, device=device)
    with django_assert_num_queries(9):
        assert len(statuses.rows()) == 15


def test_activity_is_newest_first_and_filtered(
    api: Call, token: IssuedApiToken, tenant: Tenant, owner: Administrator, blueprint: Blueprint
) -> None:
    actor = Actor.of(owner)
    item = scripts.create_script(tenant=tenant, actor=actor, name="A", execution_frequency="once", script="exit")
    scripts.update_script(tenant=tenant, item_id=item.uuid, actor=actor, name="B", restart=True)
    body = {"library_item_id": str(item.uuid)}
    path = f"/api/v1/blueprints/{blueprint.uuid}/assign-library-item"
    assert api("POST", path, token, json=body).status_code == 200
    url = f"{BASE}/{item.uuid}/activity"
    page = api("GET", url, token).json()
    assigned, edited, created = page["results"]
    assert (page["count"], page["next"]) == (3, None)
    assert assigned["id"] > edited["id"] > created["id"]
    assert edited == {
        "id": edited["id"],
        "activity_time": edited["activity_time"],
        "activity_type": "library_item_edited",
        "user_id": str(owner.id),
        "user_email": owner.email,
        "details": ["Name: A → B", "Restart: False → True"],
    }
    assert (assigned["activity_type"], assigned["details"]) == ("library_item_assignment_changed", None)
    assert (assigned["user_id"], assigned["user_email"]) == (str(token.id), "")

    def ids(query: str) -> list[int]:
        return [row["id"] for row in api("GET", f"{url}?{query}", token).json()["results"]]

    assert ids("activity_type=library_item_edited") == [edited["id"]]
    assert ids(f"user_id={token.id}") == [assigned["id"]]
    assert ids(f"user_email={owner.email.upper()}") == [edited["id"], created["id"]]
    assert ids(f"user_email={owner.email}&activity_type=library_item_created") == [created["id"]]
    assert ids("limit=1&offset=1") == [edited["id"]]


def test_the_activity_outlives_the_item(api: Call, tenant: Tenant, issue_token: IssueToken) -> None:
    token = issue_token("get_library_item_activity", "get_library_item_statuses", "delete_custom_script")
    item = CustomScriptFactory.create(tenant=tenant)
    assert api("DELETE", f"/api/v1/library/custom-scripts/{item.uuid}", token).status_code == 204
    (row,) = api("GET", f"{BASE}/{item.uuid}/activity", token).json()["results"]
    assert row["activity_type"] == "library_item_deleted"
    assert api("GET", f"{BASE}/{item.uuid}/status", token).status_code == 404
