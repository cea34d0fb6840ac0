"""Compiled statements do what the ORM does, for each call with its own values."""

from datetime import UTC, datetime
from threading import Thread
from typing import Any

import pytest
from django.core.exceptions import ObjectNotUpdated
from django.db import connection, transaction
from django.db.models import Value
from django.test.utils import CaptureQueriesContext

from access.compiled import FEW, Compiled, insert_row, save_fields
from access.models import Tenant
from devices.models import Device, DeviceActivity, DeviceInventory
from tests.factories.devices import DeviceFactory

pytestmark = pytest.mark.django_db

_NAMED = Compiled(
    lambda tenant, name: (
        Device.objects.select_related("blueprint", "tenant")
        .filter(tenant=tenant, name=name)
        .annotate(kind=Value("found"))
        .defer("record_json")
    )
)
_LISTED = Compiled(
    lambda tenant, names: (
        Device.objects.filter(tenant=tenant, name__in=names)
        .order_by("name")
        .values_list("uuid", "first_enrollment", "filevault_enabled", "inventory__details")
    )
)


def test_objects_are_those_of_the_queryset(tenant: Tenant) -> None:
    for name in ("Desk", "Door"):
        DeviceFactory.create(tenant=tenant, name=name)
    for name in ("Desk", "Door", "Desk"):
        found, expected = _NAMED.first(tenant=tenant.pk, name=name), Device.objects.get(name=name)
        assert found is not None
        assert [getattr(found, field.attname) for field in Device._meta.concrete_fields] == [
            getattr(expected, field.attname) for field in Device._meta.concrete_fields
        ]
        assert found.blueprint == expected.blueprint
        assert found.tenant.name == tenant.name
        assert found.kind == "found"  # type: ignore[attr-defined]
        assert found.get_deferred_fields() == set()  # it was read just now, when it was compared
        assert not found._state.adding
    assert _NAMED.first(tenant=tenant.pk, name="Gate") is None
    assert _NAMED.first(tenant=tenant.pk + 1, name="Desk") is None


def test_nothing_is_compiled_or_asked_twice(tenant: Tenant) -> None:
    DeviceFactory.create(tenant=tenant, name="Desk")
    built = []

    def build(name: str) -> Any:
        built.append(name)
        return tenant.devices.filter(name=name)

    compiled = Compiled(build)
    with CaptureQueriesContext(connection) as captured:
        assert [len(compiled.all(name=name)) for name in ("Desk", "Door", "Desk")] == [1, 0, 1]
    assert len(captured) == 3
    assert len(built) == 1


@pytest.mark.parametrize("number", [1, 2, FEW, FEW + 1])
def test_rows_of_a_list_of_values(tenant: Tenant, number: int) -> None:
    names = [f"Desk {n:02}" for n in range(number)]
    for name in names[: number // 2 + 1]:
        device = DeviceFactory.create(tenant=tenant, name=name)
        DeviceInventory.objects.create(device=device, details={"name": name})
    assert [row[3] for row in _LISTED.all(tenant=tenant.pk, names=names)] == [
        {"name": name} for name in names[: number // 2 + 1]
    ]
    expected = Device.objects.order_by("name").values_list("uuid", "first_enrollment", "filevault_enabled")
    assert [row[:3] for row in _LISTED.all(tenant=tenant.pk, names=names)] == list(expected)


def test_a_query_that_leaves_a_value_out_is_refused(tenant: Tenant) -> None:
    with pytest.raises(ValueError, match="no place for 1 of its values"):
        Compiled(lambda name, model: tenant.devices.filter(name=name)).all(name="Desk", model="Mac")
    with pytest.raises(TypeError, match="without `flat`"):
        Compiled(lambda name: tenant.devices.filter(name=name).values_list("pk", flat=True)).all(name="Desk")


@pytest.mark.django_db(transaction=True)
def test_each_thread_has_its_own_connection(tenant: Tenant) -> None:
    DeviceFactory.create(tenant=tenant, name="Desk")
    found = []

    def look() -> None:
        try:
            found.append(_NAMED.first(tenant=tenant.pk, name="Desk"))
        finally:
            connection.close()

    threads = [Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [Device.objects.get()] * 3


def test_fields_are_saved_as_the_orm_saves_them(tenant: Tenant) -> None:
    device = DeviceFactory.create(tenant=tenant, name="Desk")
    inventory = DeviceInventory.objects.create(device=device)
    inventory.details, inventory.apps = {"a": ["é", None, 1.5]}, [{"b": 2}]
    save_fields(inventory, "details")
    inventory.refresh_from_db()
    assert (inventory.details, inventory.apps) == ({"a": ["é", None, 1.5]}, [])
    device.last_check_in, device.is_missing, device.name = datetime(2026, 11, 28, tzinfo=UTC), True, "Door"
    save_fields(device, "last_check_in", "is_missing")
    device.refresh_from_db()
    assert (device.last_check_in, device.is_missing, device.name) == (datetime(2026, 11, 28, tzinfo=UTC), True, "Desk")
    inventory.delete()
    inventory.pk = device.pk
    with pytest.raises(ObjectNotUpdated), transaction.atomic():
        save_fields(inventory, "apps")


def test_a_row_is_inserted_as_the_orm_inserts_it(tenant: Tenant) -> None:
    device, moment = DeviceFactory.create(tenant=tenant), datetime(2026, 11, 28, tzinfo=UTC)
    row = DeviceActivity(
        tenant=tenant, device=device, created_at=moment, action_type="x", blueprint=None, details={"é": [1, None]}
    )
    insert_row(row)
    assert not row._state.adding
    stored = DeviceActivity.objects.get()
    assert stored == row
    assert (stored.created_at, stored.details, stored.blueprint_id) == (moment, {"é": [1, None]}, None)
