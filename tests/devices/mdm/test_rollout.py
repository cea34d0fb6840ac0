"""The Library reaches a device: a profile that its Blueprint has arrives, changes and goes, and the lists say so."""

import plistlib
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import time, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from access.models import Tenant
from devices.blueprints.required_versions import require_version
from devices.commands.queue import enqueue
from devices.enrollment.profiles import enrollment_profile
from devices.fleet.devices import update_device
from devices.library.assignment import assign_library_item, remove_library_item
from devices.library.desired import evidence
from devices.library.desired import plan as desired
from devices.library.desired.ways import NEEDS_AGENT
from devices.library.items import delete_item
from devices.library.profile_files import mdm_identifier
from devices.library.profiles import create_profile, update_profile
from devices.library.statuses import rows_of_device
from devices.mdm import sessions
from devices.mdm.rollout import wake_due
from devices.mdm.simulator.deeds import carry_out
from devices.mdm.simulator.device import SimulatedDevice
from devices.models import Blueprint, DeviceItem, Enrollment, LibraryItem, Order, RequiredVersion
from tests.database import repeated
from tests.devices.mdm.conftest import NewDevice, stored
from tests.devices.sending import ACTOR, send
from tests.factories.devices import (
    PROFILE,
    AssignmentFactory,
    AssignmentNodeFactory,
    BlueprintFactory,
    CustomScriptFactory,
    DeviceFactory,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def profile(tenant: Tenant) -> LibraryItem:
    return create_profile(tenant=tenant, actor=ACTOR, file=PROFILE.encode(), name="Dock")


def assign(blueprint: Blueprint, item: LibraryItem) -> None:
    assign_library_item(
        tenant=blueprint.tenant, blueprint_id=blueprint.uuid, library_item_id=item.uuid, node_id=None, actor=ACTOR
    )


def remove(blueprint: Blueprint, item: LibraryItem) -> None:
    remove_library_item(
        tenant=blueprint.tenant, blueprint_id=blueprint.uuid, library_item_id=item.uuid, node_id=None, actor=ACTOR
    )


def status(device: SimulatedDevice, item: LibraryItem) -> str | None:
    return next((row.status for row in rows_of_device(stored(device)) if row.item == item), None)


def due(device: SimulatedDevice) -> bool:
    return Enrollment.objects.get(device=stored(device), state="enrolled").push_due_at is not None


def test_a_profile_arrives_changes_and_goes(
    tenant: Tenant, blueprint: Blueprint, new_device: NewDevice, profile: LibraryItem
) -> None:
    device = new_device()
    device.connect()
    name = mdm_identifier(profile)
    assert name not in device.state.profiles
    assert not due(device)

    assign(blueprint, profile)
    assert due(device)
    assert status(device, profile) == "pending"
    assert ("InstallProfile", "Acknowledged") in device.connect()
    assert device.state.profiles[name]["PayloadUUID"] == profile.version
    assert status(device, profile) == "success"
    assert not due(device)
    assert device.connect() == []

    changed = update_profile(tenant=tenant, item_id=profile.uuid, actor=ACTOR, name="Another dock")
    assert status(device, profile) == "pending"
    assert due(device)
    device.connect()
    assert device.state.profiles[name]["PayloadUUID"] == changed.version != profile.version
    assert status(device, profile) == "success"

    remove(blueprint, profile)
    assert status(device, profile) == "success"
    assert ("RemoveProfile", "Acknowledged") in device.connect()
    assert name not in device.state.profiles
    assert status(device, profile) is None
    assert not DeviceItem.objects.exists()


def test_a_deleted_profile_goes(
    tenant: Tenant, blueprint: Blueprint, new_device: NewDevice, profile: LibraryItem
) -> None:
    device = new_device()
    assign(blueprint, profile)
    device.connect()
    assert mdm_identifier(profile) in device.state.profiles
    delete_item(tenant=tenant, item_id=profile.uuid, actor=ACTOR)
    device.connect()
    assert mdm_identifier(profile) not in device.state.profiles
    assert not DeviceItem.objects.exists()


def test_what_a_device_refuses_has_failed_and_is_tried_again(
    blueprint: Blueprint, new_device: NewDevice, profile: LibraryItem, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: now)
    device = new_device()
    device.connect()
    device.switches.errors = {"InstallProfile"}
    assign(blueprint, profile)
    tried = []
    for hours in (0, 1, 6, 24, 24 * 30):
        now += timedelta(hours=hours, minutes=1)
        wake_due.call()
        tried.append(due(device) and ("InstallProfile", "Error") in device.connect())
        assert status(device, profile) == "failed"
        assert device.connect() == []
    assert tried == [True, True, True, True, False]
    (row,) = rows_of_device(stored(device))
    assert row.reported is not None
    assert row.reported.log == "The switch of this device says so. (MCMDMErrorDomain 12021)"

    device.switches.errors = set()
    update_profile(tenant=blueprint.tenant, item_id=profile.uuid, actor=ACTOR, name="Another dock")
    assert status(device, profile) == "pending"
    device.connect()
    assert status(device, profile) == "success"


def test_a_success_needs_the_list_of_the_device(
    blueprint: Blueprint, new_device: NewDevice, profile: LibraryItem, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = new_device()
    device.connect()
    assign(blueprint, profile)
    monkeypatch.setattr(SimulatedDevice, "_carried_out", says_yes)
    device.connect()
    assert status(device, profile) == "failed"
    row = DeviceItem.objects.get()
    assert (row.error, row.attempts) == (evidence.NOT_SHOWN, 1)


def says_yes(device: SimulatedDevice, request: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """A device that installs nothing, and says that it did."""
    known = carry_out(device, request) if request["RequestType"] == "ProfileList" else {}
    return "Acknowledged", known


def test_what_a_person_removes_on_the_device_comes_again(
    blueprint: Blueprint, new_device: NewDevice, profile: LibraryItem
) -> None:
    device = new_device()
    assign(blueprint, profile)
    device.connect()
    del device.state.profiles[mdm_identifier(profile)]
    send(stored(device), "update_inventory")
    assert ("InstallProfile", "Acknowledged") in device.connect()
    assert mdm_identifier(profile) in device.state.profiles


def test_a_change_before_the_device_came_leaves_nothing_behind(
    blueprint: Blueprint, new_device: NewDevice, profile: LibraryItem
) -> None:
    device = new_device()
    device.connect()
    assign(blueprint, profile)
    first = plistlib.loads(device.say("Idle").body)  # the command is on its way, and its answer never comes
    assert first["Command"]["RequestType"] == "InstallProfile"
    remove(blueprint, profile)
    assert [kind for kind, _ in device.connect()] == ["RemoveProfile", "ProfileList"]
    assert not DeviceItem.objects.exists()
    assert not stored(device).commands.unfinished().exists()

    assign(blueprint, profile)
    remove(blueprint, profile)
    assert device.connect() == []


def test_a_device_that_enrolls_again_gets_everything_again(
    blueprint: Blueprint, new_device: NewDevice, profile: LibraryItem
) -> None:
    device = new_device()
    assign(blueprint, profile)
    device.connect()
    device.state.profiles.clear()
    device.enroll(enrollment_profile(blueprint))
    assert status(device, profile) == "pending"
    device.connect()
    assert status(device, profile) == "success"
    assert mdm_identifier(profile) in device.state.profiles


def test_another_blueprint_has_other_items(
    tenant: Tenant, blueprint: Blueprint, new_device: NewDevice, profile: LibraryItem
) -> None:
    device, lab = new_device(), BlueprintFactory.create(tenant=tenant, name="Lab")
    assign(lab, profile)
    device.connect()
    for target, there in ((lab, True), (blueprint, False)):
        update_device(tenant=tenant, device_id=stored(device).uuid, actor=ACTOR, blueprint=target.uuid)
        assert due(device)
        device.connect()
        assert (mdm_identifier(profile) in device.state.profiles) == there


def test_what_needs_an_agent_is_said_to_be_incompatible(
    tenant: Tenant, blueprint: Blueprint, new_device: NewDevice
) -> None:
    script = CustomScriptFactory.create(tenant=tenant)
    device = new_device()
    assign(blueprint, script)
    device.connect()
    (row,) = rows_of_device(stored(device))
    assert row.reported is not None
    assert (row.status, row.reported.log) == ("INCOMPATIBLE", NEEDS_AGENT)
    remove(blueprint, script)
    device.connect()
    assert rows_of_device(stored(device)) == []


def test_an_error_of_ours_keeps_no_command_from_the_device(
    blueprint: Blueprint, new_device: NewDevice, profile: LibraryItem, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = new_device()
    device.connect()
    assign(blueprint, profile)
    send(stored(device), "restart_device")
    monkeypatch.setattr(desired, "plan", lambda device: 1 / 0)
    assert device.connect() == [("RestartDevice", "Acknowledged")]
    monkeypatch.undo()
    device.connect()
    assert status(device, profile) == "success"


def test_a_change_wakes_a_large_fleet_over_time(
    tenant: Tenant, blueprint: Blueprint, profile: LibraryItem, settings: Any
) -> None:
    settings.IRU_MDM_WAKE_RATE = 10
    devices = DeviceFactory.create_batch(60, tenant=tenant, blueprint=blueprint)
    Enrollment.objects.bulk_create(
        Enrollment(tenant=tenant, device=device, udid=str(device.pk), state="enrolled", created_at=timezone.now())
        for device in devices
    )
    assign(blueprint, profile)
    moments = sorted(moment for moment in Enrollment.objects.values_list("push_due_at", flat=True) if moment)
    assert len(moments) == len(devices)
    spread = (moments[-1] - moments[0]).total_seconds()
    assert 4 < spread < 6
    assert len(set(moments)) > 4

    soon = timezone.now() - timedelta(minutes=1)
    Enrollment.objects.update(push_due_at=soon)
    remove(blueprint, profile)
    assert set(Enrollment.objects.values_list("push_due_at", flat=True)) == {soon}, "none is woken later than before"


@pytest.mark.django_db(transaction=True)
def test_a_change_during_a_connect_wakes_the_device(
    blueprint: Blueprint, new_device: NewDevice, profile: LibraryItem, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = new_device()
    device.connect()
    changes: list[Future[None]] = []
    end = sessions._set_push

    def change() -> None:
        try:
            repeated(lambda: assign(blueprint, profile))
        finally:
            connection.close()

    def end_slowly(*arguments: Any, **how: Any) -> None:
        changes.append(pool.submit(change))
        wait(changes, timeout=1)
        end(*arguments, **how)

    monkeypatch.setattr(sessions, "_set_push", end_slowly)
    with ThreadPoolExecutor(1) as pool:
        assert device.connect() == []
        changes[0].result()
    monkeypatch.undo()
    assert due(device)
    device.connect()
    assert status(device, profile) == "success"


def test_what_a_device_says_of_itself_decides_at_once_what_it_gets(
    tenant: Tenant, blueprint: Blueprint, new_device: NewDevice, profile: LibraryItem, monkeypatch: pytest.MonkeyPatch
) -> None:
    Blueprint.objects.update(type=Blueprint.Type.MAP)
    branch = AssignmentNodeFactory.create(
        blueprint=blueprint, conditions=[{"attribute": "os_version", "operator": "at_least", "values": ["99"]}]
    )
    AssignmentFactory.create(blueprint=blueprint, library_item=profile, node=branch)
    update_profile(tenant=tenant, item_id=profile.uuid, actor=ACTOR, runs_on_iphone=True)
    device = new_device("iphone")  # it is asked for nothing further then
    device.connect()
    assert status(device, profile) is None
    device.state.os_version = "99.1"
    enqueue(device=stored(device), orders=[Order("device_information")])
    assert ("InstallProfile", "Acknowledged") in device.connect()
    assert status(device, profile) == "success"


def test_a_device_that_is_moved_and_moved_back_misses_no_change(
    tenant: Tenant, blueprint: Blueprint, new_device: NewDevice, profile: LibraryItem
) -> None:
    device = new_device()
    device.connect()
    other = BlueprintFactory.create(tenant=tenant)
    update_device(tenant=tenant, device_id=stored(device).uuid, actor=ACTOR, blueprint=other.uuid)
    require_version(
        tenant=tenant,
        blueprint_id=blueprint.uuid,
        family=RequiredVersion.Family.MAC,
        version="26.1",
        date=timezone.now().date() + timedelta(days=7),
        time=time(18),
        actor=ACTOR,
    )
    assign(blueprint, profile)
    update_device(tenant=tenant, device_id=stored(device).uuid, actor=ACTOR, blueprint=blueprint.uuid)
    assert {"InstallProfile", "DeclarativeManagement"} <= dict(device.connect()).keys()
    assert status(device, profile) == "success"
