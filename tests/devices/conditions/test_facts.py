"""Each change of a fact that conditions ask about says so, in a tenant whose maps have conditions."""

from collections.abc import Callable, Collection
from uuid import uuid4

import pytest

from access.models import Tenant
from devices.conditions import facts
from devices.fleet.arrivals import Arrival, arrive, lock_fleet
from devices.fleet.devices import update_device
from devices.fleet.tags import delete_tag, rename_tag
from devices.fleet.users import update_user
from devices.imports.devices import import_devices
from devices.inventory.reports import Report, store_report
from devices.models import Device
from tests.devices.sending import ACTOR
from tests.factories.devices import AssignmentNodeFactory, DeviceFactory, TagFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The devices that were named, in order."""
    told: list[int] = []

    def listen(devices: Collection[int]) -> None:
        told.extend(devices)

    monkeypatch.setattr(facts, "listeners", [listen])
    return told


@pytest.fixture
def device(tenant: Tenant) -> Device:
    condition = {"attribute": "ade", "operator": "used", "values": []}
    AssignmentNodeFactory.create(blueprint__tenant=tenant, conditions=[condition])
    user, tag = UserFactory.create(tenant=tenant), TagFactory.create(tenant=tenant, name="Kiosk")
    DeviceFactory.create(tenant=tenant)
    device = DeviceFactory.create(tenant=tenant, user=user, tags=[tag], os_version="15.1", udid=str(uuid4()))
    return Device.objects.get(tenant=tenant, pk=device.pk)


def _import(device: Device, **facts: object) -> None:
    row = {"device_id": str(device.uuid), **facts}
    import_devices(tenant=device.tenant, rows=enumerate([row]), actor=ACTOR)


def _arrive(device: Device) -> None:
    lock_fleet(device.tenant)
    arrival = Arrival(
        udid=device.udid,
        serial_number=device.serial_number,
        product_name="Mac14,2",
        os_version="26.0",
        enrollment_type="Manual",
    )
    arrive(tenant=device.tenant, arrival=arrival, blueprint=None)


CHANGES: dict[str, Callable[[Device], object]] = {
    "tags": lambda d: update_device(tenant=d.tenant, device_id=d.uuid, actor=ACTOR, tags=["Loaner"]),
    "user": lambda d: update_device(tenant=d.tenant, device_id=d.uuid, actor=ACTOR, user=None),
    "a deleted tag": lambda d: delete_tag(tenant=d.tenant, tag_id=d.tags.get().uuid, actor=ACTOR),
    "department": lambda d: update_user(tenant=d.tenant, user_id=d.user.uuid, actor=ACTOR, department="Law"),  # type: ignore[union-attr]
    "job title": lambda d: update_user(tenant=d.tenant, user_id=d.user.uuid, actor=ACTOR, job_title="Clerk"),  # type: ignore[union-attr]
    "a report": lambda d: store_report(d, Report(facts={"os_version": "26.0"})),
    "an import": lambda d: _import(d, os_version="26.0"),
    "an arrival": _arrive,
}
OTHERS: dict[str, Callable[[Device], object]] = {
    "asset tag": lambda d: update_device(tenant=d.tenant, device_id=d.uuid, actor=ACTOR, asset_tag="A1"),
    "the same tags": lambda d: update_device(tenant=d.tenant, device_id=d.uuid, actor=ACTOR, tags=["Kiosk"]),
    "a renamed tag": lambda d: rename_tag(tenant=d.tenant, tag_id=d.tags.get().uuid, name="Till", actor=ACTOR),
    "name of the user": lambda d: update_user(tenant=d.tenant, user_id=d.user.uuid, actor=ACTOR, name="Ann"),  # type: ignore[union-attr]
    "a report of the name": lambda d: store_report(d, Report(facts={"name": "Mac of Ann"})),
    "an import of nothing new": lambda d: _import(d, os_version="15.1"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_a_fact_names_the_device(change: str, device: Device, told: list[int]) -> None:
    CHANGES[change](device)
    assert told == [device.pk]


@pytest.mark.parametrize("change", OTHERS)
def test_other_changes_name_no_device(change: str, device: Device, told: list[int]) -> None:
    OTHERS[change](device)
    assert told == []


def test_without_conditions_no_device_is_named(tenant: Tenant, other_tenant: Tenant, told: list[int]) -> None:
    AssignmentNodeFactory.create(blueprint__tenant=tenant)
    condition = {"attribute": "ade", "operator": "used", "values": []}
    AssignmentNodeFactory.create(blueprint__tenant=other_tenant, conditions=[condition])
    device = DeviceFactory.create(tenant=tenant)
    update_device(tenant=tenant, device_id=device.uuid, actor=ACTOR, tags=["Loaner"])
    assert told == []
