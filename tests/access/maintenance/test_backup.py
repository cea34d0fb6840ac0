"""Backup and restore, on the database that the test runs on, between two databases of the same kind."""

import io
import stat
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone
from pytest_django import Settings

from access.audit.chain import verify
from access.audit.events import Actor
from access.audit.removal import remove_old
from access.maintenance import archive, engines, manifest, restore
from access.models import AuditEvent, AuditHead, Backup, Session, Tenant
from access.sign_in.sessions import SessionStore
from access.tokens.authentication import authenticate
from access.tokens.lifecycle import create_token, revoke_token
from devices.fleet.secrets import read_secrets, store_secret
from devices.models import DeviceSecret
from tests import killing, migrated
from tests.access.audit.test_removal import happen
from tests.database import elsewhere
from tests.factories.access import TenantFactory
from tests.factories.devices import DeviceFactory
from tests.processes import managed
from tests.types import IssueToken

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

ACTOR = Actor.command("test")
PIN = DeviceSecret.Kind.FILEVAULT_KEY


def run(name: str, *arguments: object, **options: Any) -> tuple[str, str]:
    """Standard output and standard error of a command."""
    out, errors = StringIO(), StringIO()
    call_command(name, *map(str, arguments), stdout=out, stderr=errors, **options)
    return out.getvalue(), errors.getvalue()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (directory := tmp_path / "backups").mkdir()
    return directory


@contextmanager
def writes_going_on(tenant: Tenant) -> Iterator[list[str]]:
    """Inside, a thread makes tokens; the list has the name of each that was acknowledged."""
    names: list[str] = []
    stopping = threading.Event()

    def write() -> None:
        try:
            while not stopping.is_set():
                name = f"Token {len(names)}"
                create_token(tenant=tenant, name=name, permissions=[], actor=ACTOR)
                names.append(name)
        finally:
            connection.close()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield names
    finally:
        stopping.set()
        thread.join()


def test_the_restore_drill(tenant: Tenant, issue_token: IssueToken, place: Path, tmp_path: Path) -> None:
    token = issue_token("list_devices", name="Wall")
    device = DeviceFactory.create(tenant=tenant)
    store_secret(device=device, kind=PIN, value="ABCD-EFGH")
    SessionStore().create()
    with writes_going_on(tenant) as names:
        while len(names) < 20:
            pass
        acknowledged = list(names)
        run("backup", place / "it.tar")
        during = len(names)
    assert during > len(acknowledged)  # writers did not wait for the end of the backup

    with elsewhere(tmp_path):
        out, _ = run("restore", place / "it.tar")
        assert "2 audit trails verified" in out
        assert authenticate(f"Bearer {token.secret}", subdomain="accuhive").name == "Wall"
        restored = Tenant.objects.get(subdomain="accuhive")
        assert read_secrets(tenant=restored, device_id=device.uuid, kinds=[PIN], actor=ACTOR) == ["ABCD-EFGH"]
        stored = set(restored.api_tokens.values_list("name", flat=True))
        assert set(acknowledged) <= stored
        assert stored - {"Wall"} == set(names[: len(stored) - 1])  # one moment: no later one without an earlier one
        events = AuditEvent.objects.filter(tenant=restored, summary="Token created").count()
        assert events == len(stored)
        verify(restored)
        verify(None)
        assert not Session.objects.exists()
        assert AuditEvent.objects.get(tenant=None).summary == "Backup restored"
        create_token(tenant=restored, name="Later", permissions=[], actor=ACTOR)  # sequences of ids go on
        with pytest.raises(Exception, match="append-only"):
            AuditEvent.objects.all().delete()


def test_a_backup_is_private_whole_and_on_record(tenant: Tenant, place: Path, settings: Settings) -> None:
    issued = create_token(tenant=tenant, name="Wall", permissions=[], actor=ACTOR)
    run("backup", place)
    (file,) = place.iterdir()  # nothing else is left
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    row = Backup.objects.get()
    assert (row.path, row.size, row.with_files) == (str(file), file.stat().st_size, False)
    with tarfile.open(file) as tar:
        text = tar.extractfile(manifest.NAME).read()  # type: ignore[union-attr]
    described = manifest.parse(text)
    head = next(each for each in described.heads if each.tenant == "accuhive")
    assert (head.sequence, head.mac) == verify(tenant)
    assert set(described.keys["IRU_TOKEN_KEYS"]) == {2}
    for key in (*settings.IRU_TOKEN_KEYS, *settings.IRU_SECRET_KEYS):
        assert key.partition(":")[2].encode() not in text
    assert issued.secret.encode() not in file.read_bytes()


def test_files_are_included_on_request(tenant: Tenant, place: Path, tmp_path: Path, settings: Settings) -> None:
    directory = tmp_path / "files"
    settings.STORAGES = {
        **settings.STORAGES,
        "files": {**settings.STORAGES["files"], "OPTIONS": {"location": str(directory)}},
    }
    (directory / "incoming").mkdir(parents=True)
    (directory / "incoming" / "half").write_bytes(b"half")
    (directory / "apps").mkdir()
    (directory / "apps" / "tool.pkg").write_bytes(b"xar!")
    run("backup", place / "it.tar", "--files")
    with elsewhere(tmp_path):
        with pytest.raises(CommandError, match="has files"):
            run("restore", place / "it.tar")
        (directory / "apps" / "tool.pkg").unlink()
        out, _ = run("restore", place / "it.tar")
        assert "1 files" in out
    assert (directory / "apps" / "tool.pkg").read_bytes() == b"xar!"
    assert not (directory / "apps" / "half").exists()


def test_an_occupied_place_is_replaced_only_on_request(
    tenant: Tenant, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_token(tenant=tenant, name="In the backup", permissions=[], actor=ACTOR)
    run("backup", place / "it.tar")
    with elsewhere(tmp_path):
        migrated.fill(connection.settings_dict["NAME"])
        other = TenantFactory.create(subdomain="other")
        for options in ([], ["--replace"]):  # the second time, nobody can be asked
            with pytest.raises(CommandError, match=r"Nothing was changed"):
                run("restore", place / "it.tar", *options)
            assert Tenant.objects.get() == other
        run("restore", place / "it.tar", "--replace", "--no-input")
        assert Tenant.objects.get().subdomain == "accuhive"
        verify(Tenant.objects.get())


def test_a_restore_that_fails_leaves_the_place_as_it_was(
    tenant: Tenant, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("backup", place / "it.tar")
    monkeypatch.setattr(engines, "PAGES", 16)  # a small database is copied in several steps, too
    with elsewhere(tmp_path):
        migrated.fill(connection.settings_dict["NAME"])
        other = TenantFactory.create(subdomain="other")

        def interrupted(step: str, done: int, total: int) -> None:
            if step == "Database":
                raise KeyboardInterrupt

        with restore.prepared(place / "it.tar", lambda *_: None) as prepared, pytest.raises(KeyboardInterrupt):
            prepared.run(interrupted, ACTOR)
        assert Tenant.objects.get() == other
        verify(other)


def changed(file: Path, **fields: Any) -> None:
    """Write the backup again, with another value in its manifest."""
    with tarfile.open(file) as tar:
        members = [(member, tar.extractfile(member).read()) for member in tar]  # type: ignore[union-attr]
    with tarfile.open(file, "w") as tar:
        for member, content in members:
            if member.name == manifest.NAME:
                text = manifest.parse(content).model_copy(update=fields).model_dump_json().encode()
                member.size = len(text)
            else:
                text = content
            tar.addfile(member, io.BytesIO(text))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"version": "99.0.0"}, "newer than this one"),
        ({"migrations": [("access", "9999_future")]}, "access.9999_future"),
        ({"format": 99}, "format 99"),
        ({"engine": "oracle"}, "backup of oracle"),
        ({"keys": {"IRU_SECRET_KEYS": {7: "0"}}}, "needs key 7 of IRU_SECRET_KEYS"),
        ({"keys": {"IRU_TOKEN_KEYS": {1: "0"}}}, "Key 1 of IRU_TOKEN_KEYS is another one"),
        ({"files": 3}, "not whole"),
    ],
)
def test_a_backup_that_does_not_fit_changes_nothing(
    tenant: Tenant, place: Path, tmp_path: Path, fields: dict[str, Any], said: str
) -> None:
    run("backup", place / "it.tar")
    changed(place / "it.tar", **fields)
    with elsewhere(tmp_path):
        with pytest.raises(CommandError, match=said):
            run("restore", place / "it.tar")
        assert connection.introspection.table_names() == []


@pytest.mark.parametrize("damage", ["cut", "byte", "other"])
def test_a_damaged_backup_is_refused(tenant: Tenant, place: Path, tmp_path: Path, damage: str) -> None:
    run("backup", place / "it.tar")
    content = bytearray((place / "it.tar").read_bytes())
    if damage == "cut":
        del content[len(content) // 2 :]
    elif damage == "byte":
        content[len(content) // 2] ^= 1
    else:
        content = bytearray(b"no backup")
    (place / "it.tar").write_bytes(content)
    with elsewhere(tmp_path):
        with pytest.raises(CommandError, match=r"Nothing was changed"):
            run("restore", place / "it.tar")
        assert connection.introspection.table_names() == []


@pytest.mark.parametrize("point", ["a backup is copied", "a backup is written"])
def test_a_killed_backup_leaves_no_file_under_the_final_name(
    tenant: Tenant, place: Path, tmp_path: Path, point: str
) -> None:
    killing.arm(armed := tmp_path / "armed", point)
    with managed("backup", str(place / "it.tar"), extra=killing.ends_itself(armed)) as process:
        assert process.wait(120) != 0
    assert not armed.exists()  # the point was reached
    assert not (place / "it.tar").exists()
    assert not Backup.objects.exists()
    run("backup", place / "it.tar")  # what is left is in nobody's way


def test_a_backup_that_fails_leaves_nothing(tenant: Tenant, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(archive.Writer, "finish", full)
    with pytest.raises(CommandError, match="No space left"):
        run("backup", place / "it.tar")
    assert list(place.iterdir()) == []


def test_a_file_is_never_overwritten(tenant: Tenant, place: Path) -> None:
    (place / "it.tar").write_text("mine")
    with pytest.raises(CommandError, match="exists already"):
        run("backup", place / "it.tar")
    with pytest.raises(CommandError, match="no directory"):
        run("backup", place / "missing" / "it.tar")
    assert (place / "it.tar").read_text() == "mine"


def test_a_value_under_a_lost_key_is_a_warning(
    tenant: Tenant, issue_token: IssueToken, place: Path, settings: Settings
) -> None:
    issue_token()
    settings.IRU_TOKEN_KEYS = ["3:" + "3" * 64]
    assert "under key 2 of IRU_TOKEN_KEYS" in run("backup", place / "it.tar")[1]


@pytest.mark.postgres_only
def test_programs_of_postgresql_are_found_new_enough_and_told_no_password(
    tenant: Tenant, place: Path, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = settings.IRU_POSTGRESQL_PROGRAMS
    settings.IRU_POSTGRESQL_PROGRAMS = str(tmp_path)
    with pytest.raises(CommandError, match=r"pg_dump was not found in .*postgresql-client-"):
        run("backup", place / "it.tar")
    program = tmp_path / "pg_dump"
    program.write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6.1'\n")
    program.chmod(0o755)
    with pytest.raises(CommandError, match=r"has version 9, which is older than the server"):
        run("backup", place / "it.tar")
    assert list(place.iterdir()) == []
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/said; exec {real}/pg_dump "$@"\n')
    (tmp_path / "pg_restore").symlink_to(f"{real}/pg_restore")
    monkeypatch.setitem(connection.settings_dict, "PASSWORD", "topsecret")
    run("backup", place / "it.tar")
    said = (tmp_path / "said").read_text()
    assert "service=iru" in said
    assert "topsecret" not in said
    assert "postgres@" not in said


def test_a_revoked_token_stays_revoked(tenant: Tenant, issue_token: IssueToken, place: Path, tmp_path: Path) -> None:
    token = issue_token()
    revoke_token(tenant=tenant, token_id=token.id, actor=ACTOR)
    run("backup", place / "it.tar")
    with elsewhere(tmp_path):
        run("restore", place / "it.tar")
        assert Tenant.objects.get().api_tokens.get().revoked_at is not None


def test_a_backup_of_an_older_version_is_migrated(
    tenant: Tenant, issue_token: IssueToken, place: Path, tmp_path: Path
) -> None:
    token = issue_token()
    run("backup", place / "new.tar")
    with elsewhere(tmp_path, "older"):
        run("restore", place / "new.tar")
        call_command("migrate", "access", "0015", verbosity=0)
        source, copy = engines.engine(), tmp_path / "copy"
        with source.dump(copy, lambda *_: None):
            migrations = sorted(MigrationRecorder(connection).applied_migrations())
            heads = [
                manifest.Head(tenant=subdomain, sequence=sequence, mac=mac)
                for subdomain, sequence, mac in AuditHead.objects.values_list("tenant__subdomain", "sequence", "mac")
            ]
    with archive.opened(place / "new.tar") as newer:
        described = newer.manifest.model_copy(
            update={
                "migrations": migrations,
                "heads": heads,
                "database": archive.content_of(source.file_name, copy),
                "version": "0.0.9",
            }
        )
    with archive.written(place / "old.tar") as writer:
        writer.add(source.file_name, copy)
        writer.finish(described)
    with elsewhere(tmp_path):
        out, _ = run("restore", place / "old.tar")
        missing = len(newer.manifest.migrations) - len(migrations)
        assert missing
        assert f"version 0.0.9: 0 files, {missing} migrations applied, 2 audit trails verified" in out
        assert authenticate(f"Bearer {token.secret}", subdomain="accuhive").name == token.name
        with pytest.raises(Exception, match="append-only"):
            AuditEvent.objects.all().delete()


def test_a_trail_whose_old_events_were_removed_is_restored(tenant: Tenant, place: Path, tmp_path: Path) -> None:
    happen(tenant, 500, 450, 1)
    list(remove_old(tenant=tenant, before=timezone.now() - timedelta(days=400), actor=ACTOR))
    run("backup", place / "it.tar")
    with elsewhere(tmp_path):
        out, _ = run("restore", place / "it.tar")
        assert "2 audit trails verified" in out
        restored = Tenant.objects.get()
        assert verify(restored)[0] == 4
        assert restored.audit_anchors.get().sequence == 2
        for rows in (restored.audit_anchors, restored.audit_events):
            with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
                rows.all().delete()
