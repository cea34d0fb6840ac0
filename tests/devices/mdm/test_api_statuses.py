"""The API on library items and parameters of devices that are enrolled here, row by row as they come about."""

from typing import Any

import pytest

from access.models import ApiToken, Tenant
from devices.library.profiles import create_profile, update_profile
from devices.library.scripts import create_script
from devices.mdm.simulator.device import SimulatedDevice
from devices.models import Blueprint, DeviceInventory, LibraryItem
from tests.devices.mdm.conftest import NewDevice, stored
from tests.devices.mdm.test_rollout import assign, remove
from tests.devices.sending import ACTOR
from tests.factories.devices import PROFILE, LibraryItemFactory
from tests.types import Call, IssueToken

pytestmark = pytest.mark.django_db
NEVER = dict.fromkeys(
    ("reported_at", "log", "last_audit_run", "last_audit_log", "control_log", "control_reported_at"), None
)
AGENT = "This needs an agent on the Mac, which this server does not have."


@pytest.fixture
def token(issue_token: IssueToken) -> ApiToken:
    reads = ("get_device_library_items", "get_library_item_statuses", "get_device_parameters", "get_device_status")
    return issue_token(*reads)


class Answers:
    """What both operations say about an item on a device."""

    def __init__(self, api: Call, token: ApiToken) -> None:
        self.api, self.token = api, token

    def get(self, path: str) -> Any:
        answer = self.api("GET", f"/api/v1/{path}", self.token)
        assert answer.status_code == 200
        return answer.json()

    def rows(self, device: SimulatedDevice, item: LibraryItem) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        """The row of the device among those of the item, and the row of the item among those of the device."""
        uuid = str(stored(device).uuid)
        of_item = self.get(f"library/library-items/{item.uuid}/status")["results"]
        of_device = self.get(f"devices/{uuid}/library-items")["library_items"]
        found = [row for row in of_item if row["computer"]["id"] == uuid]
        assert len(found) <= 1
        listed = [row for row in of_device if row["item_id"] == str(item.uuid)]
        assert len(listed) == len(found)
        return next(iter(found), None), next(iter(listed), None)

    def told(self, device: SimulatedDevice, item: LibraryItem) -> dict[str, Any] | None:
        """What both rows say alike: the number, the status and the report."""
        found, listed = self.rows(device, item)
        if found is None or listed is None:
            return None
        names = ("id", "status", *(NEVER.keys() - {"reported_at"}))
        alike = {name: found[name] for name in names}
        assert alike == {name: listed[name] for name in names}
        assert (found["reported_at"] is None) == (listed["reported_at"] is None)
        return {**alike, "reported_at": listed["reported_at"]}


@pytest.fixture
def answers(api: Call, token: ApiToken) -> Answers:
    return Answers(api, token)


def test_a_profile_from_the_assignment_to_the_removal(
    answers: Answers, tenant: Tenant, blueprint: Blueprint, new_device: NewDevice
) -> None:
    profile = create_profile(tenant=tenant, actor=ACTOR, file=PROFILE.encode(), name="Dock")
    device = new_device()
    device.connect()
    assert answers.told(device, profile) is None

    assign(blueprint, profile)
    pending = answers.told(device, profile)
    assert pending is not None
    number = pending["id"]
    assert pending == {"id": number, "status": "pending", **NEVER}

    device.connect()
    success = answers.told(device, profile)
    assert success is not None
    assert success["reported_at"] is not None
    assert success == {**pending, "status": "success", "reported_at": success["reported_at"]}

    update_profile(tenant=tenant, item_id=profile.uuid, actor=ACTOR, name="Another dock")
    device.switches.errors = {"InstallProfile"}
    device.connect()
    failed = answers.told(device, profile)
    assert failed is not None
    assert (failed["id"], failed["status"]) == (number, "failed")
    assert failed["log"]
    assert failed["reported_at"] >= success["reported_at"]

    remove(blueprint, profile)
    device.connect()
    assert answers.told(device, profile) is None


def test_a_change_is_pending_without_a_report_until_the_device_shows_it(
    answers: Answers, tenant: Tenant, blueprint: Blueprint, new_device: NewDevice
) -> None:
    profile = create_profile(tenant=tenant, actor=ACTOR, file=PROFILE.encode(), name="Dock")
    assign(blueprint, profile)
    device = new_device()
    device.connect()
    update_profile(tenant=tenant, item_id=profile.uuid, actor=ACTOR, name="Another dock")
    device.switches.not_now = 1  # it is compared, and the command is postponed
    device.connect()
    told = answers.told(device, profile)
    assert told is not None
    assert told == {"id": told["id"], "status": "pending", **NEVER}


def test_what_needs_an_agent_is_incompatible_and_says_why(
    answers: Answers, tenant: Tenant, blueprint: Blueprint, new_device: NewDevice
) -> None:
    script = create_script(
        tenant=tenant, actor=ACTOR, name="Rosetta", execution_frequency="once", script="#!/bin/zsh\nexit 0"
    )
    assign(blueprint, script)
    mac, iphone = new_device(), new_device("iphone")
    mac.connect()
    iphone.connect()
    told = answers.told(mac, script)
    assert told is not None
    assert (told["status"], told["log"]) == ("INCOMPATIBLE", AGENT)
    assert told["reported_at"] is not None
    assert answers.told(iphone, script) is None  # it is for Macs alone
    remove(blueprint, script)
    mac.connect()
    assert answers.told(mac, script) is None


def test_a_profile_whose_file_is_elsewhere_has_a_word_of_profiles(
    answers: Answers, tenant: Tenant, blueprint: Blueprint, new_device: NewDevice
) -> None:
    profile = LibraryItemFactory.create(tenant=tenant, type="profile", name="Copied")
    assign(blueprint, profile)
    device = new_device()
    device.connect()
    told = answers.told(device, profile)
    assert told is not None
    assert (told["status"], told["log"]) == ("failed", "This server does not have the contents of the item.")


def test_devices_are_one_row_each_and_the_newest_is_first(
    answers: Answers, tenant: Tenant, blueprint: Blueprint, new_device: NewDevice
) -> None:
    profile = create_profile(tenant=tenant, actor=ACTOR, file=PROFILE.encode(), name="Dock")
    assign(blueprint, profile)
    devices = [new_device() for _ in range(3)]
    devices[1].connect()
    page = answers.get(f"library/library-items/{profile.uuid}/status")
    assert page["count"] == 3
    assert [row["status"] for row in page["results"]] == ["pending", "success", "pending"]
    numbers = [row["id"] for row in page["results"]]
    assert numbers == sorted(numbers, reverse=True)
    assert all(isinstance(number, int) for number in numbers)


def test_parameters_of_a_device_that_is_enrolled_here_are_not_passed(answers: Answers, new_device: NewDevice) -> None:
    """An agent checks them, and this server has none. A report from before, of another server, proves nothing."""
    device = new_device()
    row = stored(device)
    path = f"devices/{row.uuid}/parameters"
    assert answers.get(path)["parameters"] == []
    parameter = {"status": "PASS", "item_id": str(row.uuid), "name": "Clock", "category": "", "subcategory": ""}
    DeviceInventory.objects.update_or_create(device=row, defaults={"parameters": [parameter]})
    honest = [{**parameter, "status": "INCOMPATIBLE"}]
    assert answers.get(path)["parameters"] == honest
    assert answers.get(f"devices/{row.uuid}/status")["parameters"] == honest
    device.unenroll()
    assert answers.get(path)["parameters"] == [parameter]
