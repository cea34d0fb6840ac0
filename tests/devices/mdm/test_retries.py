"""People have a profile that failed tried again: on one device, or on all where it failed."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from access.models import AuditEvent, Tenant
from devices.library.desired import retries
from devices.library.desired.retries import NotFailed, retry, retry_failed
from devices.library.items import delete_item
from devices.library.profile_files import mdm_identifier
from devices.library.profiles import create_profile
from devices.mdm.simulator.device import SimulatedDevice
from devices.models import Blueprint, Device, DeviceItem, Enrollment, LibraryItem
from tests.devices.mdm.conftest import NewDevice, stored
from tests.devices.mdm.test_rollout import assign, due, remove, status
from tests.devices.sending import ACTOR
from tests.factories.access import TenantFactory
from tests.factories.devices import PROFILE

pytestmark = pytest.mark.django_db


@pytest.fixture
def profile(tenant: Tenant, blueprint: Blueprint) -> LibraryItem:
    item = create_profile(tenant=tenant, actor=ACTOR, file=PROFILE.encode(), name="Dock")
    assign(blueprint, item)
    return item


@pytest.fixture
def refused(new_device: NewDevice, profile: LibraryItem) -> SimulatedDevice:
    """A device that has refused the profile, and takes it from now on."""
    return refusing(new_device())


def refusing(device: SimulatedDevice) -> SimulatedDevice:
    device.switches.errors = {"InstallProfile"}
    device.connect()
    device.switches.errors = set()
    return device


def row_of(device: SimulatedDevice) -> DeviceItem:
    return DeviceItem.objects.get(device=stored(device))


def test_a_failed_profile_is_tried_again_at_once(
    tenant: Tenant, refused: SimulatedDevice, profile: LibraryItem
) -> None:
    assert (row_of(refused).state, status(refused, profile), due(refused)) == ("failed", "failed", False)
    refused.connect()
    assert mdm_identifier(profile) not in refused.state.profiles
    retry(tenant=tenant, device_id=stored(refused).uuid, item_id=profile.uuid, actor=ACTOR)
    row, report = row_of(refused), profile.statuses.get()
    assert (row.state, row.attempts, row.next_at, row.error) == ("waiting", 0, None, "")
    assert (report.status, report.log, report.reported_at) == ("pending", None, None)
    assert due(refused)
    event = AuditEvent.objects.latest("pk")
    assert (event.summary, event.target_name) == ("Library Item tried again", stored(refused).name)
    assert event.metadata == {"library_item": {"id": str(profile.uuid), "name": "Dock"}}
    refused.connect()
    assert mdm_identifier(profile) in refused.state.profiles
    assert status(refused, profile) == "success"


def test_what_has_not_failed_is_not_tried_again(
    tenant: Tenant, blueprint: Blueprint, refused: SimulatedDevice, profile: LibraryItem
) -> None:
    device = stored(refused).uuid
    retry(tenant=tenant, device_id=device, item_id=profile.uuid, actor=ACTOR)
    for _ in range(2):  # while it waits, and when it is there
        with pytest.raises(NotFailed):
            retry(tenant=tenant, device_id=device, item_id=profile.uuid, actor=ACTOR)
        with pytest.raises(NotFailed):
            retry_failed(tenant=tenant, item_id=profile.uuid, actor=ACTOR)
        refused.connect()
    assert AuditEvent.objects.filter(summary__contains="tried again").count() == 1
    remove(blueprint, profile)
    refused.connect()
    with pytest.raises(NotFailed):
        retry(tenant=tenant, device_id=device, item_id=profile.uuid, actor=ACTOR)
    with pytest.raises(LibraryItem.DoesNotExist):
        retry(tenant=tenant, device_id=device, item_id=uuid4(), actor=ACTOR)


def test_another_tenant_retries_nothing(refused: SimulatedDevice, profile: LibraryItem) -> None:
    other = TenantFactory.create()
    with pytest.raises(Device.DoesNotExist):
        retry(tenant=other, device_id=stored(refused).uuid, item_id=profile.uuid, actor=ACTOR)
    with pytest.raises(LibraryItem.DoesNotExist):
        retry_failed(tenant=other, item_id=profile.uuid, actor=ACTOR)
    assert row_of(refused).state == "failed"


def test_a_removal_that_failed_is_tried_again(tenant: Tenant, new_device: NewDevice, profile: LibraryItem) -> None:
    """Also that of an item that the Library does not have any more."""
    device = new_device()
    device.connect()
    device.switches.errors = {"RemoveProfile"}
    delete_item(tenant=tenant, item_id=profile.uuid, actor=ACTOR)
    device.connect()
    device.switches.errors = set()
    assert row_of(device).state == "failed"
    retry(tenant=tenant, device_id=stored(device).uuid, item_id=profile.uuid, actor=ACTOR)
    device.connect()
    assert mdm_identifier(profile) not in device.state.profiles
    assert not DeviceItem.objects.exists()


def test_all_devices_try_again_one_after_the_other(
    tenant: Tenant,
    new_device: NewDevice,
    refused: SimulatedDevice,
    profile: LibraryItem,
    settings: Any,
) -> None:
    others = [refusing(new_device()) for _ in range(3)]
    well = new_device()
    well.connect()
    settings.IRU_MDM_WAKE_RATE = 1
    assert retries.failures(profile) == 4
    assert retry_failed(tenant=tenant, item_id=profile.uuid, actor=ACTOR) == 4
    event = AuditEvent.objects.latest("pk")
    assert (event.target_name, event.metadata) == ("Dock", {"devices": 4})
    assert set(profile.statuses.values_list("status", flat=True)) == {"pending", "success"}
    woken = [row.push_due_at for row in Enrollment.objects.all() if row.push_due_at]
    assert len(set(woken)) > 1
    assert max(woken) < timezone.now() + timedelta(seconds=5)
    assert not due(well)
    for device in (refused, *others):
        device.connect()
        assert status(device, profile) == "success"


def test_so_many_devices_try_again_at_most(
    tenant: Tenant,
    new_device: NewDevice,
    refused: SimulatedDevice,
    profile: LibraryItem,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refusing(new_device())
    monkeypatch.setattr(retries, "AT_ONCE", 1)
    assert [retry_failed(tenant=tenant, item_id=profile.uuid, actor=ACTOR) for _ in range(2)] == [1, 1]
    with pytest.raises(NotFailed):
        retry_failed(tenant=tenant, item_id=profile.uuid, actor=ACTOR)
