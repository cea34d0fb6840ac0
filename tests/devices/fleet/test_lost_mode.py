"""Lost mode as its commands are sent, carried out and refused."""

import pytest

from access.models import Tenant
from devices.commands import CommandRefused
from devices.commands.queue import acknowledge, fail
from devices.fleet import records
from devices.models import Device, LostMode, Platform
from tests.devices.sending import ERROR, send
from tests.factories.devices import DeviceFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def iphone(tenant: Tenant) -> Device:
    return DeviceFactory.create(tenant=tenant, platform=Platform.IPHONE)


def shown(device: Device) -> tuple[str, bool]:
    """What the device's column says, and whether its record says the same."""
    device.refresh_from_db()
    assert not list(records.outdated([device.pk]))
    return device.lost_mode_status, f'"lost_mode_status":"{device.lost_mode_status}"' in device.record_json


def test_lost_mode_from_its_request_to_its_end(iphone: Device) -> None:
    sent = send(iphone, "enable_lost_mode", Message="Call us", PhoneNumber="555", Footnote="Please")
    lost = LostMode.objects.get(device=iphone)
    assert (lost.status, lost.enabled_by) == ("pending", "manage.py test")
    assert (lost.message, lost.phone_number, lost.footnote) == ("Call us", "555", "Please")
    assert shown(iphone) == ("pending", True)
    acknowledge(command=sent.command)
    assert shown(iphone) == ("enabled", True)

    located = send(iphone, "update_location").command
    lost.refresh_from_db()
    assert lost.location_status == "pending"
    answer = {"Latitude": 52.52, "Longitude": 13.405, "Timestamp": "2026-11-01T12:00:00Z"}
    acknowledge(command=located, metadata=answer)
    sounded = send(iphone, "play_lost_mode_sound").command
    acknowledge(command=sounded)
    lost.refresh_from_db()
    assert (lost.status, lost.location_status, lost.sound_status) == ("enabled", "completed", "completed")
    assert (lost.latitude, lost.longitude) == ("52.52", "13.405")
    assert lost.location_at
    assert lost.location_at.isoformat() == "2026-11-01T12:00:00+00:00"

    ending = send(iphone, "disable_lost_mode").command
    with pytest.raises(CommandRefused, match=r"^Disable lost mode is already pending for this device\.$"):
        send(iphone, "disable_lost_mode")
    acknowledge(command=ending)
    assert shown(iphone) == ("", True)
    assert not LostMode.objects.exists()


@pytest.mark.parametrize("id", ["enable_lost_mode", "disable_lost_mode"])
def test_lost_mode_that_the_device_refuses_is_in_error(id: str, iphone: Device) -> None:
    enabling = send(iphone, "enable_lost_mode").command
    if id == "disable_lost_mode":
        acknowledge(command=enabling)
    fail(command=enabling if id == "enable_lost_mode" else send(iphone, id).command, error_chain=[ERROR])
    assert shown(iphone) == ("error", True)


def test_a_pending_disable_is_shown_until_it_ends(iphone: Device) -> None:
    acknowledge(command=send(iphone, "enable_lost_mode").command)
    ending = send(iphone, "disable_lost_mode").command
    again = send(iphone, "enable_lost_mode").command
    lost = LostMode.objects.get(device=iphone)
    assert (lost.disable_status, lost.disabled_by) == ("pending", "manage.py test")
    fail(command=again, error_chain=[ERROR])
    lost.refresh_from_db()
    assert (lost.status, lost.disable_status) == ("error", "pending")
    fail(command=ending, error_chain=[ERROR])
    lost.refresh_from_db()
    assert (lost.status, lost.disable_status) == ("error", "error")
    send(iphone, "enable_lost_mode")
    lost.refresh_from_db()
    assert (lost.status, lost.disable_status, lost.disabled_by, lost.disable_status_at) == ("pending", "", "", None)


def test_missing_parts_of_a_location_stay_missing(iphone: Device) -> None:
    acknowledge(command=send(iphone, "enable_lost_mode").command)
    fail(command=send(iphone, "update_location").command, error_chain=[ERROR])
    fail(command=send(iphone, "play_lost_mode_sound").command, error_chain=[ERROR])
    lost = LostMode.objects.get(device=iphone)
    assert (lost.location_status, lost.latitude, lost.location_at, lost.sound_status) == ("error", "", None, "error")
    acknowledge(command=send(iphone, "update_location").command, metadata={"Latitude": 1.5, "Timestamp": "soon"})
    lost.refresh_from_db()
    assert (lost.latitude, lost.longitude, lost.location_at) == ("1.5", "", lost.location_status_at)


def test_a_device_that_is_not_lost_is_not_lost_for_being_asked(iphone: Device) -> None:
    for id in ("update_location", "play_lost_mode_sound", "disable_lost_mode"):
        acknowledge(command=send(iphone, id).command)
    fail(command=send(iphone, "disable_lost_mode").command, error_chain=[ERROR])
    assert shown(iphone) == ("", True)
    assert not LostMode.objects.exists()
