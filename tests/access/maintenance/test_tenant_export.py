"""`manage.py export_tenant`: everything of one tenant, nothing of another one, and no secret."""

import hashlib
import json
import stat
import tracemalloc
import zipfile
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db.models import BinaryField
from django.test import Client

from access.audit.chain import verify
from access.maintenance import tenant_export
from access.maintenance.tenant_tables import kept_back, tables
from access.models import Administrator, AuditEvent, Session, Tenant
from devices.fleet.secrets import store_secret
from devices.models import DeviceSecret, StoredFile
from devices.storage.backends import files_storage
from devices.storage.files import store
from tests.database import unguarded
from tests.factories.access import AdministratorFactory, ApiTokenFactory, AuthenticatorFactory, WebhookFactory
from tests.factories.devices import DeviceActivityFactory, DeviceFactory
from tests.factories.rows import rows_in_every_table

pytestmark = pytest.mark.django_db

# Tables without rows of tenants, and why. A new table is either found by its references to a tenant, or named here.
OF_NO_TENANT = {
    "access.Backup": "is of the installation",
    "access.CountedAttempt": "has digests, and is deleted after minutes",
    "access.Schedule": "is of the installation",
    "access.TaskLease": "is of the queue",
    "auth.Group": "is not used",
    "auth.Group_permissions": "is not used",
    "auth.Permission": "is of Django",
    "contenttypes.ContentType": "is of Django",
    "django_tasks_database.DBTaskResult": "is of the queue",
    "socialaccount.SocialApp": "is not used; the providers of tenants are access.IdentityProvider",
}


def export(path: Path, *arguments: str) -> tuple[str, str]:
    out, errors = StringIO(), StringIO()
    call_command("export_tenant", "accuhive", str(path), *arguments, stdout=out, stderr=errors)
    return out.getvalue(), errors.getvalue()


def content(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def lines(text: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_every_table_is_of_tenants_or_named_here() -> None:
    found = {table.label for table in tables()}
    every = {model._meta.label for model in apps.get_models(include_auto_created=True)}
    assert every - found == set(OF_NO_TENANT)


def test_each_column_that_is_kept_back_exists() -> None:
    for label, columns in kept_back.items():
        model = apps.get_model(label)
        assert columns <= {field.attname for field in model._meta.concrete_fields}, label


def test_a_column_that_is_encrypted_or_a_digest_is_kept_back() -> None:
    for table in tables():
        for field in table.model._meta.concrete_fields:
            if isinstance(field, BinaryField) or field.name in {"digest", "previous_digest", "password"}:
                shared_value = table.label.endswith("Content")  # the digest of what a row of Prism says
                assert field.attname in table.left_out or shared_value, f"{table.label}.{field.name}"


def test_every_row_of_the_tenant_is_in_it_and_none_of_another(
    tenant: Tenant, other_tenant: Tenant, tmp_path: Path
) -> None:
    rows_in_every_table(tenant)
    rows_in_every_table(other_tenant)
    export(path := tmp_path / "it.zip")
    entries = content(path)
    manifest = json.loads(entries["manifest.json"])
    described = {entry["name"]: entry for entry in manifest["entries"]}
    assert set(described) == set(entries) - {"manifest.json"}
    for name, text in entries.items():
        if name != "manifest.json":
            entry = described[name]
            assert (entry["size"], entry["sha256"]) == (len(text), hashlib.sha256(text).hexdigest())
    for table in tables():
        name = f"tables/{table.label}.jsonl"
        written = lines(entries[name])
        assert described[name]["rows"] == len(written) == table.rows(tenant).count(), name
        assert written or table.label == "access.AuditAnchor", name
        assert described[name].get("left_out", []) == table.left_out
        key = table.model._meta.pk.attname
        expected = {str(pk) for pk in table.rows(tenant).values_list("pk", flat=True)}
        if key in table.columns:
            assert {str(row[key]) for row in written} == expected, name
        assert all(set(row) == set(table.columns) for row in written)
    assert manifest["tenant"]["subdomain"] == "accuhive"
    whole = b"".join(entries.values())
    assert b"elsewhere" not in whole.lower()
    head = verify(tenant)
    assert manifest["audit_head"] == {"sequence": head[0], "mac": head[1]}


def test_no_secret_is_in_it_but_those_that_are_asked_for(tenant: Tenant, tmp_path: Path, client: Client) -> None:
    person = AdministratorFactory.create(tenant=tenant, password="correct horse battery staple")
    AuthenticatorFactory.create(user=person)
    client.force_login(person)
    token = ApiTokenFactory.create(tenant=tenant)
    webhook = WebhookFactory.create(tenant=tenant)
    device = DeviceFactory.create(tenant=tenant)
    store_secret(device=device, kind=DeviceSecret.Kind.FILEVAULT_KEY, value="HUSH-HUSH-HUSH")
    person.refresh_from_db()
    secrets: list[str] = [
        token.secret, token.digest, person.password, webhook.secret, str(client.session.session_key),
        Session.objects.get(person=person).session_key, DeviceSecret.objects.get().ciphertext.hex(),
    ]  # fmt: skip

    _, errors = export(tmp_path / "without.zip")
    assert "secrets of devices" in errors
    entries = content(tmp_path / "without.zip")
    manifest = json.loads(entries["manifest.json"])
    assert manifest["secrets"] is False
    assert {"access.ApiToken.digest", "secrets/device_secrets.jsonl"} <= set(manifest["left_out"])
    whole = b"".join(entries.values()).decode()
    for secret in [*secrets, "HUSH-HUSH-HUSH"]:
        assert secret
        assert secret not in whole

    export(tmp_path / "with.zip", "--secrets")
    entries = content(tmp_path / "with.zip")
    assert lines(entries["secrets/device_secrets.jsonl"]) == [
        {"device_id": str(device.uuid), "kind": "filevault_key", "subject": "", "value": "HUSH-HUSH-HUSH"}
    ]
    whole = b"".join(entries.values()).decode()
    assert not [secret for secret in secrets if secret in whole]


def test_the_trails_say_who_exported_what(tenant: Tenant, other_tenant: Tenant, tmp_path: Path) -> None:
    device = DeviceFactory.create(tenant=tenant)
    store_secret(device=device, kind=DeviceSecret.Kind.FILEVAULT_KEY, value="HUSH")
    export(tmp_path / "it.zip", "--secrets")
    for trail in (tenant, None):
        event = AuditEvent.objects.filter(tenant=trail).earliest("sequence")
        assert (event.summary, event.action, event.actor_name) == (
            "Organization exported",
            "read",
            "manage.py export_tenant",
        )
        assert event.metadata == {"tenant": "accuhive", "secrets": True}
    assert tenant.audit_events.latest("sequence").summary == "All device secrets read"
    assert not other_tenant.audit_events.exists()


def test_without_its_event_nothing_is_exported(tenant: Tenant, tmp_path: Path) -> None:
    with unguarded():
        tenant.audit_head.delete()
    with pytest.raises(CommandError, match="No file was left"):
        export(tmp_path / "it.zip")
    assert not list(tmp_path.iterdir())


@pytest.mark.django_db(transaction=True)
def test_files_are_in_it(tenant: Tenant, other_tenant: Tenant, tmp_path: Path) -> None:
    ours, theirs, gone = (
        store(tenant=whose, purpose=StoredFile.Purpose.EXPORT, name="a.csv", chunks=[text])
        for whose, text in ((tenant, b"ours"), (other_tenant, b"theirs"), (tenant, b"gone"))
    )
    files_storage().delete(gone.key)
    out, errors = export(tmp_path / "it.zip")
    assert ", 1 files." in out
    assert "1 files are missing" in errors
    entries = content(tmp_path / "it.zip")
    assert {name: text for name, text in entries.items() if name.startswith("files/")} == {f"files/{ours.key}": b"ours"}
    assert json.loads(entries["manifest.json"])["missing_files"] == [gone.key]
    assert theirs.key not in entries


def test_the_file_is_private_new_and_complete(tenant: Tenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    export(path := tmp_path / "it.zip")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(CommandError, match="exists already"):
        export(path)
    with pytest.raises(CommandError, match="There is no directory"):
        export(tmp_path / "nowhere" / "it.zip")

    def full(*arguments: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(tenant_export, "_add_files", full)
    with pytest.raises(CommandError, match="No space left on device"):
        export(tmp_path / "other.zip")
    assert [each.name for each in tmp_path.iterdir()] == ["it.zip"]


def test_memory_does_not_grow_with_the_tenant(tenant: Tenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tenant_export, "BATCH", 50)
    device = DeviceFactory.create(tenant=tenant)
    first = DeviceActivityFactory.create(tenant=tenant, device=device, details={"text": "x" * 10_000})
    peaks = []
    for number, name in ((100, "small.zip"), (900, "large.zip")):
        rows = [
            type(first)(tenant=tenant, device=device, created_at=first.created_at, details=first.details)
            for _ in range(number)
        ]
        type(first).objects.bulk_create(rows, batch_size=50)
        del rows
        tracemalloc.start()
        export(tmp_path / name)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 1_000_000  # and not the nine megabytes of the further rows


def test_another_name_is_no_tenant(tenant: Tenant, tmp_path: Path) -> None:
    assert not Administrator.objects.exists()
    with pytest.raises(CommandError, match="There is no tenant nobody"):
        call_command("export_tenant", "nobody", str(tmp_path / "it.zip"))
