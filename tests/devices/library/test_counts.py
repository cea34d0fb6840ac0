"""The statuses of all items of a Blueprint on its devices are counted together."""

import pytest
from pytest_django import DjangoAssertNumQueries

from access.models import Tenant
from devices.library.statuses import counts_in, counts_of, light
from devices.models import Blueprint, LibraryItem, Platform
from tests.factories.devices import (
    AssignmentFactory,
    BlueprintFactory,
    CustomProfileFactory,
    CustomScriptFactory,
    DeviceFactory,
    LibraryStatusFactory,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def blueprint(tenant: Tenant) -> Blueprint:
    """With four Macs, an iPhone, and a Mac that is removed."""
    blueprint = BlueprintFactory.create(tenant=tenant)
    for number in range(4):
        DeviceFactory.create(tenant=tenant, blueprint=blueprint, name=f"Mac {number}")
    DeviceFactory.create(tenant=tenant, blueprint=blueprint, platform=Platform.IPHONE)
    DeviceFactory.create(tenant=tenant, blueprint=blueprint, is_removed=True)
    return blueprint


def assigned(blueprint: Blueprint, item: LibraryItem) -> LibraryItem:
    AssignmentFactory.create(blueprint=blueprint, library_item=item)
    return item


def counts(blueprint: Blueprint) -> dict[str, dict[str, int]]:
    items = list(light(blueprint.tenant))
    counted = counts_in(blueprint, items)
    return {item.name: counted[item.pk] for item in items}


def test_devices_without_a_report_are_pending(
    tenant: Tenant, blueprint: Blueprint, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    profile = assigned(blueprint, CustomProfileFactory.create(tenant=tenant, name="Dock", runs_on_iphone=True))
    script = assigned(blueprint, CustomScriptFactory.create(tenant=tenant, name="Script"))
    assigned(blueprint, CustomScriptFactory.create(tenant=tenant, name="Off", active=False))
    macs = blueprint.devices.filter(platform=Platform.MAC, is_removed=False)
    for device in macs[:2]:
        LibraryStatusFactory.create(item=script, device=device, status="INCOMPATIBLE")
    LibraryStatusFactory.create(item=profile, device=macs[0], status="failed")
    LibraryStatusFactory.create(item=profile, device=macs[1], status="success")
    elsewhere = DeviceFactory.create(tenant=tenant)
    LibraryStatusFactory.create(item=profile, device=elsewhere, status="success")
    assert counts(blueprint) == {
        "Dock": {"pending": 3, "failed": 1, "success": 1},
        "Script": {"PENDING": 2, "INCOMPATIBLE": 2},
        "Off": {},
    }
    assert counts_of(script) == counts(blueprint)["Script"]  # in one Blueprint alone
    items = list(light(tenant))
    with django_assert_num_queries(3):
        counts_in(blueprint, items)
