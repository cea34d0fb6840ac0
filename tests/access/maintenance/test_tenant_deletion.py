"""`manage.py delete_tenant`: nothing of the tenant is left, nothing of another one is touched, in every table."""

import io
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import connection
from django_tasks_db.models import DBTaskResult

from access.audit import removal
from access.audit.chain import verify
from access.audit.events import Actor
from access.maintenance import tenant_deletion
from access.maintenance.refusals import Refused
from access.maintenance.tenant_deletion import delete_tenant
from access.maintenance.tenant_tables import Table, tables
from access.models import Administrator, ApiToken, AuditAnchor, AuditEvent, AuditHead, Session, Tenant
from access.people.tenants import edit_tenant
from access.sign_in.mail import send_password_link
from access.tokens.lifecycle import create_token
from devices.models import StoredFile
from devices.storage.files import store
from tests.database import unguarded
from tests.factories.access import ApiTokenFactory, TenantFactory
from tests.factories.devices import DeviceFactory, StoredFileFactory
from tests.factories.rows import rows_in_every_table

pytestmark = pytest.mark.django_db

ACTOR = Actor.command("test")
LEFT = {"access.AuditAnchor"}  # says how the trail ended


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("delete_tenant", "accuhive", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def suspend(tenant: Tenant) -> None:
    edit_tenant(tenant_id=tenant.pk, name=tenant.name, active=False, actor=ACTOR)
    tenant.refresh_from_db()


def rows(tenant: Tenant) -> dict[str, list[dict[str, Any]]]:
    return {table.label: list(table.rows(tenant).values()) for table in tables()}


def keys(table: Table, tenant: Tenant) -> set[Any]:
    return set(table.rows(tenant).values_list("pk", flat=True))


def interrupted(*arguments: object) -> None:
    raise KeyboardInterrupt


@pytest.fixture
def suspended(tenant: Tenant) -> Tenant:
    suspend(tenant)
    return tenant


@pytest.mark.parametrize("batch", [1, 500])
def test_nothing_of_the_tenant_is_left_and_the_others_are_untouched(
    tenant: Tenant, other_tenant: Tenant, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr(tenant_deletion, "BATCH", batch)
    rows_in_every_table(tenant)
    rows_in_every_table(other_tenant)
    suspend(tenant)
    before = rows(other_tenant)
    ours = {table.label: keys(table, tenant) for table in tables()}
    assert all(found for label, found in ours.items() if label not in LEFT)
    assert "Accuhive is deleted" in run("--yes", "--name", "Accuhive")
    for table in tables():
        if table.label not in LEFT:
            assert not table.every().filter(pk__in=ours[table.label]).exists(), table.label
            assert table.every().count() == len(before[table.label]) + (
                AuditEvent.objects.filter(tenant=None).count() if table.label == "access.AuditEvent" else 0
            ) + (table.label == "access.AuditHead"), table.label
    assert rows(other_tenant) == before
    connection.check_constraints()
    verify(other_tenant)
    verify(None)


def test_without_yes_it_says_what_would_go(suspended: Tenant) -> None:
    DeviceFactory.create_batch(3, tenant=suspended)
    before = rows(suspended)
    said = run()
    assert "3 devices" in said.splitlines()
    assert "Nothing was deleted" in said
    assert rows(suspended) == before


@pytest.mark.parametrize(
    ("arguments", "refusal"),
    [
        (["--yes", "--name", "accuhive"], "That is not the name of accuhive"),
        (["--yes", "--name", ""], "That is not the name of accuhive"),
        (["--yes"], "Nobody can be asked here"),
    ],
)
def test_it_needs_the_name_of_the_organization(suspended: Tenant, arguments: list[str], refusal: str) -> None:
    with pytest.raises(CommandError, match=refusal):
        run(*arguments)
    assert Tenant.objects.filter(pk=suspended.pk, deletion_began_at=None).exists()


@pytest.mark.parametrize(("typed", "deleted"), [("Accuhive", True), ("accuhive", False), ("yes", False)])
def test_the_name_is_asked_for_on_a_terminal(
    suspended: Tenant, monkeypatch: pytest.MonkeyPatch, typed: str, deleted: bool
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal(f"{typed}\n"))
    if deleted:
        run("--yes")
    else:
        with pytest.raises(CommandError, match="That is not the name"):
            run("--yes")
    assert Tenant.objects.filter(pk=suspended.pk).exists() is not deleted


def test_an_active_tenant_is_refused(tenant: Tenant) -> None:
    token = ApiTokenFactory.create(tenant=tenant)
    with pytest.raises(CommandError, match="Accuhive is active"):
        run("--yes", "--name", "Accuhive")
    with pytest.raises(Refused, match="is active"):
        delete_tenant(tenant=tenant, actor=ACTOR, progress=interrupted)
    token.refresh_from_db()
    assert token.live


def test_tokens_stop_before_anything_else_goes(suspended: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    token = ApiTokenFactory.create(tenant=suspended, revoked=False)
    ApiToken.objects.filter(pk=token.pk).update(previous_digest="0" * 64)
    device = DeviceFactory.create(tenant=suspended)
    monkeypatch.setattr(tenant_deletion, "_empty", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run("--yes", "--name", "Accuhive")
    token.refresh_from_db()
    assert (token.state, token.previous_digest) == ("revoked", None)
    assert not Session.objects.filter(person__tenant=suspended).exists()
    assert suspended.devices.get() == device
    with pytest.raises(ValidationError, match="is being deleted"):
        edit_tenant(tenant_id=suspended.pk, name=suspended.name, active=True, actor=ACTOR)


def interrupt_after(patch: pytest.MonkeyPatch, name: str, calls: int) -> None:
    original = getattr(tenant_deletion, name)
    made: list[object] = []

    def counted(*arguments: Any) -> Any:
        if len(made) == calls:
            raise KeyboardInterrupt
        made.append(arguments)
        return original(*arguments)

    patch.setattr(tenant_deletion, name, counted)


@pytest.mark.parametrize(
    ("step", "after"), [("_empty", 1), ("_empty", 25), ("_empty", 50), ("add_anchor", 0), ("_end", 0)]
)
def test_a_deletion_that_was_killed_is_finished_by_the_next_run(
    tenant: Tenant, other_tenant: Tenant, monkeypatch: pytest.MonkeyPatch, step: str, after: int
) -> None:
    rows_in_every_table(tenant)
    rows_in_every_table(other_tenant)
    suspend(tenant)
    before = rows(other_tenant)
    with monkeypatch.context() as patch:
        interrupt_after(patch, step, after)
        with pytest.raises(KeyboardInterrupt):
            run("--yes", "--name", "Accuhive")
    assert rows(other_tenant) == before
    assert not tenant.api_tokens.filter(revoked_at=None).exists()
    run("--yes", "--name", "Accuhive")
    assert not [label for label, found in rows(tenant).items() if found and label not in LEFT]
    assert rows(other_tenant) == before
    started, ended = AuditEvent.objects.filter(tenant=None, target_type="tenant").order_by("sequence")
    assert (started.summary, ended.summary) == ("Deletion of an organization started", "Organization deleted")


def test_the_trail_of_the_installation_says_how_the_trail_ended(tenant: Tenant) -> None:
    create_token(tenant=tenant, name="Wall", actor=ACTOR)
    suspend(tenant)
    head = AuditHead.objects.get(tenant=tenant)
    run("--yes", "--name", "Accuhive")
    started, ended = AuditEvent.objects.filter(tenant=None).order_by("sequence")
    for event in (started, ended):
        assert (event.actor_name, event.target_name) == ("manage.py delete_tenant", "Accuhive")
        assert event.metadata
        assert event.metadata["tenant"] == "accuhive"
        assert event.metadata["audit_events"] == 2
        assert event.metadata["last_audit_event"] == f"2:{head.mac}"
    assert started.metadata["rows"] == {"audit events": 2, "api tokens": 1, "owner notices": 1}  # type: ignore[index]
    anchor = AuditAnchor.objects.get()
    assert (anchor.tenant_id, anchor.sequence, anchor.mac) == (tenant.pk, 2, head.mac)
    verify(None)


def test_a_broken_trail_does_not_prevent_it(suspended: Tenant) -> None:
    with unguarded():
        suspended.audit_events.update(actor_name="Somebody else")
    run("--yes", "--name", "Accuhive")
    assert not Tenant.objects.filter(pk=suspended.pk).exists()


@pytest.mark.django_db(transaction=True)
def test_files_go_and_those_of_others_stay(tenant: Tenant, other_tenant: Tenant, files_directory: Path) -> None:
    ours, theirs = (
        store(tenant=whose, purpose=StoredFile.Purpose.EXPORT, name="a.csv", chunks=[b"text"])
        for whose in (tenant, other_tenant)
    )
    assert (files_directory / ours.key).exists()
    suspend(tenant)
    run("--yes", "--name", "Accuhive")
    assert not (files_directory / ours.key).exists()
    assert (files_directory / theirs.key).exists()


def test_tasks_with_addresses_of_its_people_go(tenant: Tenant, owner: Administrator) -> None:
    send_password_link(owner.email, "iru.test")
    send_password_link("somebody@else.test", "iru.test")
    suspend(tenant)
    run("--yes", "--name", "Accuhive")
    assert [task.args_kwargs["args"][0] for task in DBTaskResult.objects.all()] == ["somebody@else.test"]


@pytest.mark.postgres_only
def test_the_count_of_its_calls_goes(suspended: Tenant) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO access_allowance VALUES (%s, 0, 0), (0, 0, 0)", [suspended.pk])
        run("--yes", "--name", "Accuhive")
        cursor.execute("SELECT tenant_id FROM access_allowance")
        assert cursor.fetchall() == [(0,)]


def test_the_subdomain_can_be_used_again(suspended: Tenant) -> None:
    run("--yes", "--name", "Accuhive")
    again = TenantFactory.create(subdomain="accuhive", name="Accuhive")
    assert again.pk != suspended.pk
    create_token(tenant=again, name="Wall", actor=ACTOR)
    assert verify(again)[0] == 1


def test_another_name_is_no_tenant(db: None) -> None:
    with pytest.raises(CommandError, match="There is no tenant accuhive"):
        run("--yes", "--name", "Accuhive")


def test_a_storage_that_is_away_is_told_and_the_next_run_goes_on(
    suspended: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    StoredFileFactory.create(tenant=suspended)

    def away(keys: list[Any]) -> None:
        raise OSError("Input/output error.")

    with monkeypatch.context() as patch:
        patch.setitem(tenant_deletion.before_deletion, "devices.StoredFile", away)
        with pytest.raises(CommandError, match=r"not finished: Input/output error\. Run the command again"):
            run("--yes", "--name", "Accuhive")
    assert suspended.files.exists()
    run("--yes", "--name", "Accuhive")
    assert not Tenant.objects.filter(pk=suspended.pk).exists()


def test_an_event_that_comes_while_the_trail_goes_is_removed_too(
    suspended: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = removal.add_anchor
    added: list[object] = []

    def add_anchor(*arguments: Any) -> Any:
        if not added:
            added.append(create_token(tenant=suspended, name="Late", actor=ACTOR))
        return original(*arguments)

    monkeypatch.setattr(tenant_deletion, "add_anchor", add_anchor)
    monkeypatch.setattr(tenant_deletion, "_end", lambda *arguments: None)
    run("--yes", "--name", "Accuhive")
    assert not suspended.audit_events.exists()
    assert [(anchor.after, anchor.sequence) for anchor in suspended.audit_anchors.order_by("pk")] == [(0, 1), (1, 2)]
