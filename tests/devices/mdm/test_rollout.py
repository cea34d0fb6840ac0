"""The Library reaches a device: a profile that its Blueprint has arrives, changes and goes, and the lists say so."""

import pytest

from access.models import Tenant
from devices.library.assignment import assign_library_item, remove_library_item
from devices.library.items import delete_item
from devices.library.profiles import create_profile, mdm_identifier, update_profile
from devices.library.statuses import rows_of_device
from devices.mdm.simulator.device import SimulatedDevice
from devices.models import Blueprint, DeviceItem, Enrollment, LibraryItem
from tests.devices.mdm.conftest import NewDevice, stored
from tests.devices.sending import ACTOR
from tests.factories.devices import PROFILE

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
    assert status(device, profile) == "success"
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
