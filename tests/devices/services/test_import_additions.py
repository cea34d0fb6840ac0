from typing import Any
from uuid import UUID

import pytest

from access.models import AuditEvent, Tenant
from devices.commands import COMMANDS
from devices.dates import zulu
from devices.models import DeviceCommand, DeviceSecret
from devices.services import imports
from devices.services.commands import acknowledge, deliver, described, not_now, send_command
from devices.services.details import details
from devices.services.imports import import_devices
from devices.services.lost_mode import described as described_lost_mode
from devices.services.secrets import read_secrets
from tests.devices.services.importing import ACTOR, fresh, iphone, load, mac, stored
from tests.factories.devices import DeviceActivityFactory, DeviceCommandFactory

pytestmark = pytest.mark.django_db


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


def lost(**fields: Any) -> dict[str, Any]:
    """The section of `GET /devices/{id}/details/lostmode`."""
    return {
        "lost_mode_status": "enabled",
        "enabled_by": "Ann Fisher",
        "enable_status_at": "2026-10-01T10:00:00.000000Z",
        "lock_screen_message": "Call us",
        "lock_screen_phone_number": "+1 555 0100",
        "lock_screen_footnote": "Accuhive",
        "disable_status": "",
        "disabled_by": "",
        "disable_status_at": "",
        "last_location_status": "completed",
        "last_location_status_at": "2026-10-01T11:00:00.000000Z",
        "last_location": {"latitude": "38.7223", "longitude": "-9.1393"},
        "last_location_at": "2026-10-01T10:59:00.000000Z",
        "sound_status": "",
        "sound_status_at": "",
        **fields,
    }


@pytest.fixture
def known(tenant: Tenant) -> dict[str, str]:
    """The beginning of every answer about a Mac that the tenant has."""
    record, _ = mac()
    load(tenant, record)
    return {"device_id": record["device_id"]}


@pytest.fixture
def mobile(tenant: Tenant) -> dict[str, str]:
    """The same of an iPhone."""
    record, _ = iphone()
    load(tenant, record)
    return {"device_id": record["device_id"]}


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
    own = happened(id=row.pk, created_at=zulu(row.created_at))
    assert load(tenant, {**known, "activity": [own]}).unchanged == 1


@pytest.mark.parametrize("way", ["details", "answer"])
def test_a_lost_mode_comes_stays_and_ends_with_what_rows_say(tenant: Tenant, mobile: dict[str, str], way: str) -> None:
    record, document = iphone()

    def row(section: dict[str, Any]) -> dict[str, Any]:
        return {**document, "lost_mode": section} if way == "details" else {**mobile, "lost_mode": section}

    load(tenant, document)
    load(tenant, row(lost()))
    device = tenant.devices.complete().get()
    assert details(device)["lost_mode"] == described_lost_mode(device.lost_mode) == lost()
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


def secrets(tenant: Tenant) -> dict[str, str | None]:
    device = tenant.devices.get()
    kinds = [kind for kind in DeviceSecret.Kind if kind != DeviceSecret.Kind.COMMAND_SECRET]
    values = read_secrets(tenant=tenant, device_id=device.uuid, kinds=kinds, actor=ACTOR)
    return {kind.value: value for kind, value in zip(kinds, values, strict=True) if value}


def test_secrets_are_encrypted_and_kept_until_another_comes(
    tenant: Tenant, known: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    answers: list[dict[str, Any]] = [
        {"key": "SECRET-1"},
        {"pin": "123456"},
        {"recovery_password": None},
        {"user_based_albc": None, "device_based_albc": "SECRET-2"},
    ]
    report = load(tenant, *({**known, **answer} for answer in answers))
    assert (report.updated, report.counts["secrets"]) == (1, 3)
    kept = {"filevault_key": "SECRET-1", "unlock_pin": "123456", "device_bypass_code": "SECRET-2"}
    assert secrets(tenant) == kept
    written = dict(DeviceSecret.objects.values_list("kind", "ciphertext"))
    assert not any(b"SECRET" in bytes(text) for text in written.values())

    again = load(tenant, *({**known, **answer} for answer in answers), {**known, "key": None})
    assert (again.unchanged, again.counts["secrets"]) == (1, 0)
    assert dict(DeviceSecret.objects.values_list("kind", "ciphertext")) == written
    assert load(tenant, {**known, "key": "SECRET-3"}).counts["secrets"] == 1
    assert secrets(tenant) == {**kept, "filevault_key": "SECRET-3"}
    told = " ".join(str(each) for each in AuditEvent.objects.filter(tenant=tenant).values_list())
    assert "SECRET" not in told + capsys.readouterr().err


def test_a_secret_that_no_longer_decrypts_is_replaced(tenant: Tenant, known: dict[str, str]) -> None:
    load(tenant, {**known, "key": "SECRET-1"})
    DeviceSecret.objects.update(ciphertext=b"x" * 60)
    assert load(tenant, {**known, "key": "SECRET-1"}).counts["secrets"] == 1
    assert secrets(tenant) == {"filevault_key": "SECRET-1"}


@pytest.mark.parametrize(
    ("document", "reason"),
    {
        "status": ({"commands": [command(status=6)]}, "a command has no uuid, no date_requested or no status from 1"),
        "uuid": ({"commands": [command(uuid=None)]}, "a command has no uuid, no date_requested or no status from 1"),
        "metadata": ({"commands": [command(metadata=[])]}, "commands.metadata is not an object"),
        "errors": ({"commands": [command(error_chain="no")]}, "commands.error_chain is not a list of objects"),
        "code": ({"commands": [command(error_chain=[{"code": "1"}])]}, "commands.error_chain.code is not a whole"),
        "attempts": ({"commands": [command(attempts=-1)]}, "commands.attempts is out of range: -1"),
        "page": ({"commands": {"count": 0}}, "commands is not a list of objects"),
        "activity": ({"activity": [happened(id=None)]}, "a row of activity has no id, no created_at or no action_type"),
        "id": ({"activity": [happened(id="7")]}, "activity.id is not a whole number: '7'"),
        "details": ({"activity": [happened(details=1)]}, "activity.details is not an object"),
        "moment": ({"lost_mode": lost(enable_status_at="soon")}, "lost_mode.enable_status_at is not a date: 'soon'"),
        "secret": ({"key": {"value": "SECRET"}}, "key is neither a text nor null"),
        "long secret": ({"pin": "SECRET" * 1000}, "pin is longer than 1000 characters"),
    }.values(),
)
def test_an_addition_that_cannot_be_used_leaves_nothing(
    tenant: Tenant, known: dict[str, str], document: dict[str, Any], reason: str
) -> None:
    report = load(tenant, {**known, **document})
    ((_, told),) = report.problems
    assert told.startswith(reason)
    assert "SECRET" not in told
    assert not tenant.device_commands.exists()
    assert not tenant.device_activity.exists()
    assert not DeviceSecret.objects.exists()


def test_one_batch_takes_only_so_much_history(
    tenant: Tenant, known: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "WEIGHT", 20)
    committed: list[int] = []
    rows = [happened(id=number) for number in range(40)]
    documents = [{**known, "activity": rows[start : start + 10]} for start in range(0, 40, 10)]
    report = import_devices(tenant=tenant, rows=enumerate(documents), actor=ACTOR, progress=committed.append)
    assert committed == [2, 4]
    assert report.counts["activity"] == 40
