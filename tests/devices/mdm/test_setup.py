"""Devices that wait in Setup Assistant: for what has to come first, and for 15 minutes at most."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from access.models import Tenant
from access.tasks.schedules import _schedules
from devices.commands import COMMANDS, queue
from devices.mdm import setup
from devices.mdm.setup import end_setups
from devices.mdm.simulator.device import SimulatedDevice
from devices.models import AdeIntegration, DeviceCommand, Enrollment, Order
from tests.devices.mdm.assigned import assign, enroll
from tests.devices.mdm.conftest import NewDevice, stored
from tests.factories.devices import DeviceFactory

pytestmark = pytest.mark.django_db
RELEASE = ("DeviceConfigured", "Acknowledged")


@pytest.fixture
def device(new_device: NewDevice, listing: AdeIntegration, tenant: Tenant) -> SimulatedDevice:
    """A Mac that waits in Setup Assistant."""
    device = new_device(enrolled=False)
    assign(device, listing)
    enroll(device, tenant)
    return device


def releases(device: SimulatedDevice) -> list[DeviceCommand]:
    return list(stored(device).commands.filter(command="device_configured"))


def wait(minutes: int) -> None:
    """Let the devices have waited for so long."""
    Enrollment.objects.update(enrolled_at=timezone.now() - timedelta(minutes=minutes))


def send_item(device: SimulatedDevice) -> DeviceCommand:
    """A command of the Library's rank, for the device to postpone."""
    (row,) = queue.enqueue(device=stored(device), orders=[Order("escrow_profile")])
    return row


def test_it_is_let_go_after_its_items(device: SimulatedDevice) -> None:
    send_item(device)
    said = device.connect()
    assert said.index(("InstallProfile", "Acknowledged")) < said.index(RELEASE)


def test_it_waits_for_an_item_that_it_postpones(device: SimulatedDevice) -> None:
    send_item(device)
    device.switches.not_now = 1
    assert RELEASE not in device.connect()
    assert not device.state.configured
    assert RELEASE in device.connect()  # once the item is there


def test_it_waits_for_no_question_that_it_postpones(device: SimulatedDevice) -> None:
    device.switches.not_now = 1
    assert RELEASE in device.connect()


def test_an_item_that_fails_has_ended_too(device: SimulatedDevice) -> None:
    send_item(device)
    device.switches.errors = {"InstallProfile"}
    assert RELEASE in device.connect()


def test_after_fifteen_minutes_it_is_let_go_first(device: SimulatedDevice) -> None:
    send_item(device)
    wait(16)
    assert device.connect()[0] == RELEASE


def test_a_release_that_waits_behind_the_inventory_goes_first_then(device: SimulatedDevice) -> None:
    device.say("Idle")  # the release is in the queue, and the device does not answer
    assert [row.rank for row in releases(device)] == [3]
    wait(16)
    assert device.connect()[0] == RELEASE


def test_the_schedule_wakes_it_then(device: SimulatedDevice, tenant: Tenant) -> None:
    send_item(device)
    wait(14)
    Enrollment.objects.update(push_due_at=None)
    end_setups.call()
    assert releases(device) == []
    wait(16)
    end_setups.call()
    [row] = releases(device)
    assert row.rank == setup.AT_ONCE
    due = Enrollment.objects.get().push_due_at
    assert due is not None
    assert due <= timezone.now()
    # Once: what wakes a device that does not come is the same as for every command.
    Enrollment.objects.update(push_due_at=None)
    end_setups.call()
    assert (len(releases(device)), Enrollment.objects.get().push_due_at) == (1, None)
    assert device.connect()[0] == RELEASE
    end_setups.call()
    assert [row.status for row in releases(device)] == [DeviceCommand.Status.COMPLETED]


def test_a_device_that_never_answers_is_not_asked_for_ever(device: SimulatedDevice) -> None:
    wait(16)
    for _ in range(60):
        device.say("Idle")
    [row] = releases(device)
    assert row.status == row.Status.FAILED
    assert not Enrollment.objects.get().awaiting_configuration
    end_setups.call()
    assert len(releases(device)) == 1
    device.update_token()  # it says that it still waits
    assert RELEASE in device.connect()


def test_a_device_that_does_not_know_the_command_goes_on(device: SimulatedDevice) -> None:
    device.switches.errors = {"DeviceConfigured"}
    assert ("DeviceConfigured", "Error") in device.connect()
    device.connect()
    assert len(releases(device)) == 1
    assert not Enrollment.objects.get().awaiting_configuration


def test_a_device_that_waits_for_nothing(new_device: NewDevice) -> None:
    device = new_device()
    wait(16)
    end_setups.call()
    device.connect()
    assert releases(device) == []


def test_a_run_has_a_bound(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup, "MOST", 2)
    before: list[Any] = [timezone.now() - timedelta(hours=hours) for hours in (1, 3, 2)]
    rows = [
        Enrollment.objects.create(
            tenant=tenant,
            device=DeviceFactory.create(tenant=tenant),
            udid=f"UDID-{at}",
            state="enrolled",
            created_at=at,
            enrolled_at=at,
            awaiting_configuration=True,
        )
        for at in before
    ]
    for expected in ([False, True, True], [True, True, True]):
        end_setups.call()
        assert [row.device is not None and row.device.commands.exists() for row in rows] == expected


def test_it_is_a_schedule_of_each_minute() -> None:
    assert _schedules["end-setups"] == (end_setups, timedelta(minutes=1))


def test_nobody_can_send_it() -> None:
    assert "device_configured" not in COMMANDS
