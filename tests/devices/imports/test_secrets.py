from traceback import format_exception
from typing import Any
from uuid import UUID

import pytest

from access.models import AuditEvent, Tenant
from devices.commands import COMMANDS
from devices.commands.queue import acknowledge, deliver, send_command
from devices.fleet.secrets import read_secrets
from devices.imports.errors import RowError
from devices.imports.rows import device_row
from devices.models import DeviceInventory, DeviceSecret
from tests.devices.imports.importing import ACTOR, load, mac

pytestmark = [pytest.mark.slow, pytest.mark.django_db]


def secrets(tenant: Tenant) -> dict[str, str | None]:
    device = tenant.devices.get()
    kinds = [kind for kind in DeviceSecret.Kind if kind != DeviceSecret.Kind.COMMAND_SECRET]
    values = read_secrets(tenant=tenant, device_id=device.uuid, kinds=kinds, actor=ACTOR)
    return {kind.value: value for kind, value in zip(kinds, values, strict=True) if value}


def test_secrets_are_encrypted_and_stored_until_replaced(
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
    visible_text = " ".join(str(each) for each in AuditEvent.objects.filter(tenant=tenant).values_list())
    assert "SECRET" not in visible_text + capsys.readouterr().err


def test_a_secret_that_no_longer_decrypts_is_replaced(tenant: Tenant, known: dict[str, str]) -> None:
    load(tenant, {**known, "key": "SECRET-1"})
    DeviceSecret.objects.update(ciphertext=b"x" * 60)
    assert load(tenant, {**known, "key": "SECRET-1"}).counts["secrets"] == 1
    assert secrets(tenant) == {"filevault_key": "SECRET-1"}


def test_the_pin_of_a_mac_that_was_locked_from_here_stays(tenant: Tenant, known: dict[str, str]) -> None:
    load(tenant, {**known, "pin": "111111", "key": "SECRET-1"})
    lock = COMMANDS["lock_device"]
    sent = send_command(
        tenant=tenant,
        device_id=UUID(known["device_id"]),
        command=lock,
        body=lock.body.model_validate({}),  # type: ignore[union-attr]
        actor=ACTOR,
    )
    acknowledge(command=deliver(command=sent.command))
    report = load(tenant, {**known, "pin": "111111", "key": "SECRET-2"})
    assert report.counts["secrets"] == 1
    assert secrets(tenant) == {"filevault_key": "SECRET-2", "unlock_pin": sent.pin}


@pytest.mark.parametrize("key", ["key", "pin", "recovery_password", "user_based_albc", "device_based_albc"])
@pytest.mark.parametrize("value", [["SECRET"], {"x": "SECRET"}, "SECRET" * 1000, "SECRET\0", "SECRET\ud800", 2**70])
@pytest.mark.parametrize("kind", ["alone", "beside a record", "beside details"])
def test_no_reason_quotes_a_secret(key: str, value: object, kind: str) -> None:
    record, document = mac()
    described = {"alone": {"device_id": record["device_id"]}, "beside a record": record, "beside details": document}
    with pytest.raises(RowError) as error:
        device_row({**described[kind], key: value})
    visible_text = "".join(format_exception(error.value))
    assert "SECRET" not in visible_text
    assert str(2**70) not in visible_text


@pytest.mark.parametrize("number", [0, 1], ids=["record", "details"])
def test_supplements_beside_a_record_are_imported_and_secrets_encrypted(tenant: Tenant, number: int) -> None:
    document = mac()[number]
    note = {"note_id": "11111111-1111-4111-8111-111111111111", "content": "x", "created_at": "2026-10-01T10:00:00Z"}
    beside = {"key": "SECRET-1", "notes": [note], "apps": [{"app_name": "Numbers"}]}
    for _ in range(2):
        report = load(tenant, {**document, **beside})
    assert (report.unchanged, report.skipped) == (1, 0)
    assert secrets(tenant) == {"filevault_key": "SECRET-1"}
    assert tenant.device_notes.get().content == "x"
    inventory = DeviceInventory.objects.get()
    assert inventory.apps == [{"app_name": "Numbers"}]
    assert not inventory.details.keys() & beside.keys()
