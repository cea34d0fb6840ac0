from typing import Any
from uuid import UUID

import pytest

from access.models import Tenant
from devices.commands import COMMANDS
from devices.commands.queue import acknowledge, deliver, described, not_now, send_command
from devices.dates import zulu
from devices.imports import devices as imports
from devices.imports.devices import import_devices
from devices.models import DeviceCommand, DeviceSecret
from tests.devices.imports.importing import ACTOR, load, lost
from tests.factories.devices import DeviceActivityFactory, DeviceCommandFactory

pytestmark = [pytest.mark.slow, pytest.mark.django_db]


def command(**fields: Any) -> dict[str, Any]:
    """A row of `GET /devices/{id}/commands`."""
    return {
        "uuid": "22222222-2222-4222-8222-222222222222",
        "error_chain": [],
        "command_type": "DeviceLock",
        "request_type": "DeviceLock",
        "metadata": {"Status": "Acknowledged"},
        "request_requires_network_tether": True,
        "status": 1,
        "attempts": 1,
        "date_requested": "2026-10-01T10:00:00.000000Z",
        "date_completed": None,
        "last_pushed": "2026-10-01T10:00:01.000000Z",
        "user": None,
        "priority": 2,
        **fields,
    }


def happened(**fields: Any) -> dict[str, Any]:
    """A row of `GET /devices/{id}/activity`."""
    return {
        "id": 7,
        "created_at": "2026-10-01T10:00:00.000000Z",
        "action_type": "enrollment",
        "computer": {"id": "x", "name": "x", "is_removed": False},
        "blueprint": {"id": "33333333-3333-4333-8333-333333333333", "name": "Gone", "is_removed": True},
        "user": None,
        "external_token": None,
        "blueprint_routing": False,
        "details": {"blueprint_name": "Gone", "enrollment_type": "Manual Enrollment"},
        **fields,
    }


def test_commands_of_another_queue_are_brought_up_to_date_and_never_sent(tenant: Tenant, known: dict[str, str]) -> None:
    pages: list[Any] = [{"count": 1, "next": None, "previous": None, "results": [command()]}, [command()]]
    for page, new in zip(pages, (1, 0), strict=True):
        assert load(tenant, {**known, "commands": page}).counts["commands"] == new
    row = tenant.device_commands.get()
    assert described(row) == command()
    # The device is not ours to lock a second time because of it, nor is this one ours to answer.
    assert not tenant.device_commands.unfinished().exists()
    for answer in (deliver, acknowledge, not_now):
        with pytest.raises(DeviceCommand.DoesNotExist):
            answer(command=row)
    send_command(
        tenant=tenant,
        device_id=UUID(known["device_id"]),
        command=COMMANDS["lock_device"],
        body=COMMANDS["lock_device"].body(),  # type: ignore[misc]
        actor=ACTOR,
    )
    error = {"code": -1, "domain": "D", "localized_description": "L", "us_english_description": "U"}
    done = command(status=4, attempts=3, date_completed="2026-10-02T10:00:00.000000Z", error_chain=[error])
    report = load(tenant, {**known, "commands": [done]})
    assert (report.updated, report.counts["commands"]) == (1, 0)
    row.refresh_from_db()
    assert described(row) == done
    assert load(tenant, {**known, "commands": [done]}).unchanged == 1


def test_a_command_of_this_queue_is_not_answered_by_an_import(tenant: Tenant, known: dict[str, str]) -> None:
    device = tenant.devices.get()
    row = DeviceCommandFactory.create(device=device)
    load(tenant, {**known, "commands": [command(uuid=str(row.uuid), status=3)]})
    row.refresh_from_db()
    assert row.status == DeviceCommand.Status.PENDING
    assert tenant.device_commands.count() == 1


def test_activity_is_brought_once_with_the_blueprints_of_its_time(tenant: Tenant, known: dict[str, str]) -> None:
    live = tenant.blueprints.get()
    rows = [
        happened(id=8, blueprint={"id": str(live.uuid), "name": "Older name", "is_removed": False}),
        happened(),
        happened(id=9, blueprint=None, action_type="routing_arrival", blueprint_routing=True, details={}),
    ]
    report = load(tenant, {**known, "activity": {"count": 3, "next": None, "previous": None, "results": rows}})
    assert (report.updated, report.counts["activity"]) == (1, 3)
    gone, here, routed = tenant.device_activity.order_by("imported_id")
    assert (gone.blueprint.name, gone.blueprint.deleted_at is None) == ("Gone", False)  # type: ignore[union-attr]
    assert (here.blueprint, routed.blueprint, routed.blueprint_routing) == (live, None, True)
    live.refresh_from_db()
    assert live.name != "Older name"
    assert gone.details == {"blueprint_name": "Gone", "enrollment_type": "Manual Enrollment"}
    assert list(tenant.blueprints.all()) == [live]
    again = load(tenant, {**known, "activity": [*rows, happened(id=10)]})
    assert again.counts["activity"] == 1
    assert tenant.device_activity.count() == 4
    assert load(tenant, {**known, "activity": rows}).unchanged == 1


def test_a_tenants_own_activity_is_known_to_it(tenant: Tenant, known: dict[str, str]) -> None:
    row = DeviceActivityFactory.create(device=tenant.devices.get())
    own = happened(id=row.pk, created_at=zulu(row.created_at), details=row.details)
    assert load(tenant, {**known, "activity": [own]}).unchanged == 1
    brought = happened(id=10**9)
    load(tenant, {**known, "activity": [brought]})
    pk = tenant.device_activity.get(imported_id=10**9).pk  # under which it is answered from here
    assert load(tenant, {**known, "activity": [{**brought, "id": pk}]}).unchanged == 1


@pytest.mark.parametrize(
    ("document", "reason"),
    {
        "status": ({"commands": [command(status=6)]}, "commands.status is not 1, 2, 3, 4 or 5: 6"),
        "uuid": ({"commands": [command(uuid=None)]}, "commands.uuid is missing"),
        "metadata": ({"commands": [command(metadata=[])]}, "commands.metadata is not an object"),
        "errors": ({"commands": [command(error_chain="no")]}, "commands.error_chain is not a list of objects"),
        "code": ({"commands": [command(error_chain=[{"code": "1"}])]}, "commands.error_chain.code is not a whole"),
        "attempts": ({"commands": [command(attempts=-1)]}, "commands.attempts is out of range: -1"),
        "page": ({"commands": {"count": 0}}, "commands is not a list of objects"),
        "activity": ({"activity": [happened(id=None)]}, "activity.id is missing"),
        "id": ({"activity": [happened(id="7")]}, "activity.id is not a whole number: '7'"),
        "details": ({"activity": [happened(details=1)]}, "activity.details is not an object"),
        "moment": ({"lost_mode": lost(enable_status_at="soon")}, "lost_mode.enable_status_at is not a date: 'soon'"),
        "secret": ({"key": {"value": "SECRET"}}, "key is neither a text nor null"),
        "long secret": ({"pin": "SECRET" * 1000}, "pin is longer than 1000 characters"),
    }.values(),
)
def test_an_invalid_supplement_changes_nothing(
    tenant: Tenant, known: dict[str, str], document: dict[str, Any], reason: str
) -> None:
    report = load(tenant, {**known, **document})
    ((_, reason_given),) = report.problems
    assert reason_given.startswith(reason), reason_given
    assert "SECRET" not in reason_given
    assert not tenant.device_commands.exists()
    assert not tenant.device_activity.exists()
    assert not DeviceSecret.objects.exists()


def test_one_batch_takes_only_so_much_history(
    tenant: Tenant, known: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "WEIGHT", 20)
    committed: list[int] = []
    rows = [happened(id=number, created_at=f"2026-10-01T10:00:{number:02}.000000Z") for number in range(40)]
    documents = [{**known, "activity": rows[start : start + 10]} for start in range(0, 40, 10)]
    report = import_devices(tenant=tenant, rows=enumerate(documents), actor=ACTOR, progress=committed.append)
    assert committed == [2, 4]
    assert report.counts["activity"] == 40
