from importlib import import_module
from typing import Any
from uuid import UUID

import pytest
from django.apps import apps

from access.models import Tenant
from devices.commands import COMMANDS
from devices.commands.queue import send_command
from devices.fleet.lost_mode import lost_mode_fields, note_location
from devices.inventory.details import details
from devices.models import DeviceInventory, LostMode
from tests.devices.imports.importing import ACTOR, fresh, iphone, load, lost, stored

pytestmark = [pytest.mark.slow, pytest.mark.django_db]


@pytest.mark.parametrize("way", ["details", "answer"])
def test_imported_rows_start_keep_and_end_a_lost_mode(tenant: Tenant, mobile: dict[str, str], way: str) -> None:
    record, document = iphone()

    def row(section: dict[str, Any]) -> dict[str, Any]:
        return {**document, "lost_mode": section} if way == "details" else {**mobile, "lost_mode": section}

    load(tenant, document)
    load(tenant, row(lost()))
    device = tenant.devices.complete().get()
    assert details(device)["lost_mode"] == lost_mode_fields(device.lost_mode) == lost()
    assert stored(tenant)[0]["lost_mode_status"] == "enabled"
    assert load(tenant, row(lost())).unchanged == 1
    moved = lost(last_location={"latitude": "1", "longitude": "2"}, disable_status="pending", disabled_by="Bo")
    assert load(tenant, row(moved)).updated == 1
    assert details(tenant.devices.complete().get())["lost_mode"] == moved
    # Either the section or the record of the device tells that it is over.
    assert load(tenant, row({}) if way == "details" else record).updated == 1
    assert details(tenant.devices.complete().get())["lost_mode"] == {}
    assert stored(tenant)[0]["lost_mode_status"] == ""
    assert fresh(tenant)


def test_no_import_ends_or_changes_a_lost_mode_that_was_asked_for_here(tenant: Tenant, mobile: dict[str, str]) -> None:
    record, document = iphone()
    send_command(
        tenant=tenant,
        device_id=UUID(mobile["device_id"]),
        command=COMMANDS["enable_lost_mode"],
        body=COMMANDS["enable_lost_mode"].body.model_validate({"Message": "Ours"}),  # type: ignore[union-attr]
        actor=ACTOR,
    )
    for rows in ([record, document], [{**mobile, "lost_mode": lost()}]):
        load(tenant, *rows)
        kept = tenant.devices.complete().get()
        assert (kept.lost_mode.status, kept.lost_mode.message) == ("pending", "Ours")
        assert stored(tenant)[0]["lost_mode_status"] == "pending"
    assert fresh(tenant)


def test_a_location_requested_here_is_not_replaced(tenant: Tenant, mobile: dict[str, str]) -> None:
    load(tenant, {**mobile, "lost_mode": lost()})
    device = tenant.devices.get()
    note_location(device=device, status="completed", answer={"Latitude": 48.1, "Longitude": 11.5})
    load(tenant, {**mobile, "lost_mode": lost()})
    assert LostMode.objects.get().latitude == "48.1"


def test_lost_modes_that_lay_among_the_details_are_moved(tenant: Tenant) -> None:
    record, document = iphone()
    load(tenant, {**record, "lost_mode_status": "enabled"}, document)
    inventory = DeviceInventory.objects.get()
    inventory.details["lost_mode"] = lost()
    inventory.save()
    import_module("devices.migrations.0006_imported_secrets").move_lost_modes(apps, None)
    answer = details(tenant.devices.complete().get())
    assert answer["lost_mode"] == lost()
    inventory.refresh_from_db()
    assert "lost_mode" not in inventory.details
