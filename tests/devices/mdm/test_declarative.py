"""Declarative management from end to end: what devices are told, fetch, apply and report."""

import json
import plistlib
from datetime import time, timedelta
from typing import Any

import pytest
from django.utils import timezone

from access.models import Tenant
from devices.blueprints.required_versions import require_no_version, require_version
from devices.declarations import planning
from devices.enrollment.profiles import enrollment_profile
from devices.mdm.questions import ask_inventory
from devices.mdm.simulator.declarations import ask, live, report
from devices.mdm.simulator.device import SimulatedDevice
from devices.models import Blueprint, DeviceDeclarations, Enrollment, RequiredVersion
from tests.devices.mdm.apple_answers import check_in_faults
from tests.devices.mdm.apple_declarations import report_faults
from tests.devices.mdm.conftest import NewDevice, stored
from tests.devices.mdm.test_answers import WHO
from tests.devices.mdm.test_budget import counted
from tests.devices.sending import ACTOR
from tests.factories.devices import BlueprintFactory

pytestmark = pytest.mark.django_db
ACTIVATION, STATUS, UPDATE = "iru.activation", "iru.status", "iru.softwareupdate"
Family = RequiredVersion.Family


def require(blueprint: Blueprint, version: str = "26.1", family: Family = Family.MAC, *, days: int = 7) -> None:
    require_version(
        tenant=blueprint.tenant,
        blueprint_id=blueprint.uuid,
        family=family,
        version=version,
        date=(timezone.now() + timedelta(days=days)).date(),
        time=time(18),
        actor=ACTOR,
    )


def names(device: SimulatedDevice) -> set[str]:
    return {name for part in device.state.declared.parts.values() for name in part}


def sessions(device: SimulatedDevice, number: int = 2) -> list[str]:
    return [kind for _ in range(number) for kind, _ in device.connect()]


def row_of(device: SimulatedDevice) -> DeviceDeclarations:
    return DeviceDeclarations.objects.get(device__serial_number=device.serial_number)


@pytest.mark.parametrize("kind", WHO)
def test_every_device_is_told_once_and_reports(
    kind: str, new_device: NewDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = new_device(kind)
    sent: list[dict[str, Any]] = []
    check_in = device.check_in

    def watched(type: str, **fields: Any) -> Any:
        sent.append({"MessageType": type, "UDID": device.udid, **fields})
        return check_in(type, **fields)

    monkeypatch.setattr(device, "check_in", watched)
    asked = sessions(device)
    assert asked.count("DeclarativeManagement") == 1
    assert names(device) == {ACTIVATION, STATUS}
    row = row_of(device)
    assert row.token == device.state.declared.token
    assert row.reported_at is not None
    assert row.status["device.operating-system.version"] == device.state.os_version
    assert {name: state["valid"] for name, state in row.states.items()} == {ACTIVATION: "valid", STATUS: "valid"}
    assert sessions(device) == []
    platform, letters = WHO[kind]
    assert [fault for message in sent for fault in check_in_faults(message, letters)] == []
    reports = [json.loads(message["Data"]) for message in sent if message["Endpoint"] == "status"]
    assert [report_faults(each, platform, device.state.os_version) for each in reports] == [[]]


def test_a_mac_of_which_nothing_is_known_waits_for_its_inventory(new_device: NewDevice) -> None:
    device = new_device("mac")
    device.switches.errors = {"DeviceInformation"}
    assert "DeclarativeManagement" not in sessions(device)
    device.switches.errors = set()
    ask_inventory(stored(device), Enrollment.objects.get())
    assert "DeclarativeManagement" in sessions(device)


def test_a_mac_updates_itself_to_the_required_version(new_device: NewDevice, blueprint: Blueprint) -> None:
    device = new_device("mac")
    sessions(device)
    require(blueprint)
    enrollment = Enrollment.objects.get()
    assert enrollment.push_due_at is not None
    assert sessions(device) == ["DeclarativeManagement"]
    assert names(device) == {ACTIVATION, STATUS, UPDATE}
    assert device.state.os_version == "15.1"
    assert row_of(device).status["softwareupdate.install-state"] == "downloading"
    device.switches.updates_early = True
    sessions(device, 1)
    row = stored(device)
    assert (row.os_version, row.supplemental_build_version) == ("26.1", device.state.build)
    assert row.inventory.details["general"]["system_version"] == f"macOS 26.1 ({device.state.build})"
    enrollment.refresh_from_db()
    assert enrollment.push_due_at is not None
    assert {"DeclarativeManagement", "DeviceInformation"} <= set(sessions(device, 1))
    assert names(device) == {ACTIVATION, STATUS}
    assert row_of(device).states.keys() == {ACTIVATION, STATUS}


def test_a_phone_installs_when_the_deadline_is_over(new_device: NewDevice, blueprint: Blueprint) -> None:
    device = new_device("iphone")
    sessions(device)
    require(blueprint, family=Family.MOBILE)
    require(blueprint, "27.0")
    sessions(device)
    assert device.state.os_version == "18.1"
    device.switches.clock = timedelta(days=9)
    sessions(device)
    assert (device.state.os_version, stored(device).os_version) == ("26.1", "26.1")


def test_a_requirement_that_is_taken_back_is_gone(new_device: NewDevice, blueprint: Blueprint) -> None:
    device = new_device("mac")
    require(blueprint)
    sessions(device)
    assert UPDATE in names(device)
    require_no_version(tenant=blueprint.tenant, blueprint_id=blueprint.uuid, family=Family.MAC, actor=ACTOR)
    assert sessions(device) == ["DeclarativeManagement"]
    assert names(device) == {ACTIVATION, STATUS}


def test_a_device_of_another_blueprint_has_its_own(new_device: NewDevice, blueprint: Blueprint, tenant: Tenant) -> None:
    device, other = new_device("mac"), BlueprintFactory.create(tenant=tenant)
    require(blueprint)
    sessions(device)
    assert UPDATE in names(device)
    row = stored(device)
    row.blueprint = other
    row.save(update_fields=["blueprint"])
    sessions(device)
    assert UPDATE not in names(device)


def test_a_device_that_enrolls_again_is_told_again(new_device: NewDevice, blueprint: Blueprint) -> None:
    device = new_device("iphone")
    sessions(device)
    before = row_of(device)
    device.unenroll()
    device.state = device._new_state()
    device.enroll(enrollment_profile(blueprint))
    assert "DeclarativeManagement" in sessions(device)
    after = row_of(device)
    assert after.token == before.token == device.state.declared.token
    assert after.enrollment_id != before.enrollment_id
    assert after.reported_at is not None


def test_what_a_device_refused_it_is_told_again_the_next_day(new_device: NewDevice) -> None:
    device = new_device("iphone")
    device.switches.errors = {"DeclarativeManagement"}
    assert sessions(device).count("DeclarativeManagement") == 1
    assert row_of(device).token == ""
    device.switches.errors = set()
    assert sessions(device) == []
    Enrollment.objects.update(declared="")  # as the daily inventory does
    assert sessions(device) == ["DeclarativeManagement"]
    assert row_of(device).token == device.state.declared.token != ""


def test_a_declaration_that_is_invalid_is_kept_with_its_reason(new_device: NewDevice, blueprint: Blueprint) -> None:
    device = new_device("mac")
    device.switches.refuses_declarations = {"com.apple.configuration.softwareupdate.enforcement.specific"}
    require(blueprint)
    sessions(device)
    state = row_of(device).states[UPDATE]
    assert (state["active"], state["valid"]) == (False, "invalid")
    assert state["reasons"] == [
        {"code": "Error.ConfigurationCannotBeApplied", "description": "The switch of this device says so."}
    ]


def test_an_error_in_planning_keeps_the_commands_going(
    new_device: NewDevice, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    device = new_device("iphone")
    monkeypatch.setattr(planning, "plan", lambda *_: 1 / 0)
    assert "DeviceInformation" in sessions(device, 1)
    assert "could not be planned" in caplog.text


def test_a_device_gets_the_newest_token_even_after_it_was_queued(new_device: NewDevice, blueprint: Blueprint) -> None:
    device = new_device("iphone")
    device.connect()
    require(blueprint, family=Family.MOBILE)
    delivery = plistlib.loads(device.say("Idle").body)
    require(blueprint, "26.2", Family.MOBILE)
    again = plistlib.loads(device.say("Idle").body)
    assert delivery["CommandUUID"] == again["CommandUUID"]
    first, second = (
        json.loads(each["Command"]["Data"])["SyncTokens"]["DeclarationsToken"] for each in (delivery, again)
    )
    assert first != second == row_of(device).token


@pytest.mark.parametrize("endpoint", ["status", f"declaration/configuration/{UPDATE}"])
def test_a_device_that_speaks_before_it_is_told_is_told_all_the_same(
    endpoint: str, new_device: NewDevice, blueprint: Blueprint
) -> None:
    device = new_device("mac")
    sessions(device)
    require(blueprint)
    assert ask(device, endpoint, b'{"StatusItems": {}}').status == 200
    assert sessions(device) == ["DeclarativeManagement"]
    assert UPDATE in names(device)


def test_a_device_that_has_fetched_the_list_by_itself_is_not_told(new_device: NewDevice, blueprint: Blueprint) -> None:
    device = new_device("mac")
    sessions(device)
    require(blueprint)
    device.state.declared.due = True
    live(device)
    assert UPDATE in names(device)
    assert sessions(device) == []


def test_a_requirement_costs_the_same_for_many_devices(new_device: NewDevice, blueprint: Blueprint) -> None:
    for _ in range(3):
        new_device("iphone")
    Enrollment.objects.update(push_due_at=None, declared="x")
    with counted(3, "A requirement for three devices"):
        planning.reconsider(blueprint)
    assert list(Enrollment.objects.filter(declared="", push_due_at__isnull=False)) == list(Enrollment.objects.all())


def test_check_ins_cost_few_statements(new_device: NewDevice, blueprint: Blueprint) -> None:
    device = new_device("mac")
    require(blueprint)
    sessions(device)
    with counted(7, "Idle of a device that was planned"):
        device.say("Idle")
    for endpoint in ("tokens", "declaration-items", f"declaration/configuration/{UPDATE}"):
        with counted(5, endpoint):
            assert ask(device, endpoint).status == 200
    device.state.declared.reported = {}
    with counted(12, "A status report that changes nothing of the device"):
        report(device)
