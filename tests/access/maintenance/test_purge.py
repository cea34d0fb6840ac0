"""`manage.py purge`: what is older than its setting goes, in batches; everything else stays."""

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from io import StringIO
from threading import Barrier
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import connection, models, transaction
from django.tasks import TaskResultStatus
from django.utils import timezone
from django_tasks_db.models import DBTaskResult
from pytest_django import Settings

from access import retention
from access.audit import removal
from access.audit.chain import verify
from access.audit.events import Actor
from access.audit.removal import remove_old
from access.maintenance.purge import Purge, purge_daily
from access.models import AuditEvent, Session, Tenant, TokenUse, WebhookDelivery
from access.tasks.upkeep import optimize_database
from devices.models import DeviceActivity, LibraryActivity, PrismExport, RoutingActivity, StoredFile
from iru.environment import days
from tests.access.audit.test_removal import happen
from tests.database import unguarded
from tests.factories.access import ApiTokenFactory, TenantFactory, WebhookDeliveryFactory
from tests.factories.devices import DeviceActivityFactory, ExportFactory

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("purge", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def aged(row: Any, field: str, age: timedelta) -> None:
    type(row)._base_manager.filter(pk=row.pk).update(**{field: timezone.now() - age})


def ended_task(status: TaskResultStatus, age: timedelta) -> None:
    row = optimize_database.enqueue()
    DBTaskResult.objects.filter(id=row.id).update(status=status, finished_at=timezone.now() - age)


# Makes one row of an age, for each kind: the model, the days after which it is old, and how a row is made.
KINDS: dict[str, tuple[type[models.Model], int, Callable[[Tenant, timedelta], object]]] = {
    "activity of devices": (
        DeviceActivity,
        730,
        lambda tenant, age: DeviceActivityFactory.create(tenant=tenant, created_at=timezone.now() - age),
    ),
    "activity of the Library": (
        LibraryActivity,
        730,
        lambda tenant, age: LibraryActivity.objects.create(
            tenant=tenant,
            item_uuid="79e868d8-1885-4cc6-97d4-e13e8568f3ba",
            activity_type=LibraryActivity.Type.CREATED,
            activity_time=timezone.now() - age,
        ),
    ),
    "activity of Blueprint routing": (
        RoutingActivity,
        730,
        lambda tenant, age: RoutingActivity.objects.create(
            tenant=tenant, activity_type="code", activity_time=timezone.now() - age
        ),
    ),
    "counts of calls by token, operation and day": (
        TokenUse,
        400,
        lambda tenant, age: TokenUse.objects.create(
            token=ApiTokenFactory.create(tenant=tenant), day=(datetime.now(UTC) - age).date(), operation="list_tags"
        ),
    ),
    "finished tasks": (DBTaskResult, 7, lambda tenant, age: ended_task(TaskResultStatus.SUCCESSFUL, age)),
    "failed tasks": (DBTaskResult, 30, lambda tenant, age: ended_task(TaskResultStatus.FAILED, age)),
    "messages of webhooks": (
        WebhookDelivery,
        30,
        lambda tenant, age: WebhookDeliveryFactory.create(webhook__tenant=tenant, created_at=timezone.now() - age),
    ),
    "Prism exports": (
        PrismExport,
        7,
        lambda tenant, age: aged(ExportFactory.create(tenant=tenant), "created_at", age),
    ),
    "sessions that ended": (
        Session,
        0,
        lambda tenant, age: Session.objects.create(session_key=f"{age}", expire_date=timezone.now() - age),
    ),
}
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def test_every_kind_is_tested() -> None:
    assert {kind.name for kind in retention.kinds} == set(KINDS)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("batch", [1, 2, 100])
def test_what_is_old_goes_and_the_rest_stays(
    tenant: Tenant, name: str, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, limit, make = KINDS[name]
    make(tenant, timedelta(days=limit) - DAY)
    young = set(model._base_manager.values_list("pk", flat=True))
    for extra in (1, 2, 3):
        make(tenant, timedelta(days=limit) + extra * DAY)
    kind = next(each for each in retention.kinds if each.name == name)
    committed: list[int] = []
    assert retention.delete_old(kind, batch=batch, progress=committed.append) == 3
    assert committed[-1] == 3
    assert all(later - earlier <= batch for earlier, later in zip([0, *committed], committed, strict=False))
    assert set(model._base_manager.values_list("pk", flat=True)) == young
    assert retention.delete_old(kind, batch=batch) == 0


@pytest.mark.parametrize("kind", [kind for kind in retention.kinds if kind.setting], ids=lambda kind: kind.name)
def test_0_keeps_for_ever(tenant: Tenant, settings: Settings, kind: retention.Kind) -> None:
    model, _, make = KINDS[kind.name]
    make(tenant, timedelta(days=4000))
    settings.IRU_KEEP = {**settings.IRU_KEEP, kind.setting: 0}
    assert f"{kind.name}: kept for ever ({kind.setting})" in run("--yes")
    assert model._base_manager.count() == 1


def test_without_yes_nothing_goes(tenant: Tenant) -> None:
    for age in (729, 731, 800):
        DeviceActivityFactory.create(tenant=tenant, created_at=timezone.now() - timedelta(days=age))
    oldest = (timezone.now() - timedelta(days=800)).strftime("%Y-%m-%d")
    said = run()
    line = f"activity of devices: 2 older than 730 days (IRU_KEEP_ACTIVITY), the oldest from {oldest}"
    assert line in said.splitlines()
    assert "messages of webhooks: none older than 30 days (IRU_KEEP_DELIVERIES)" in said.splitlines()
    assert "Nothing was deleted" in said
    assert DeviceActivity.objects.count() == 3
    assert not AuditEvent.objects.filter(tenant=None).exists()


def test_the_trail_of_the_installation_says_what_was_deleted(tenant: Tenant) -> None:
    DeviceActivityFactory.create(tenant=tenant, created_at=timezone.now() - timedelta(days=731))
    assert "Deleted: 1 activity of devices." in run("--yes")
    events = AuditEvent.objects.filter(tenant=None).order_by("sequence")
    assert [(event.summary, event.actor_name) for event in events] == [
        ("Purge started", "manage.py purge"),
        ("Purge finished", "manage.py purge"),
    ]
    assert [event.metadata for event in events] == [
        {"rows": {"activity of devices": 1}, "days": {"activity of devices": 730}}
    ] * 2
    assert "There is nothing to delete." in run("--yes")
    assert events.count() == 2


def test_a_purge_that_was_killed_is_seen_and_goes_on(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(5):
        DeviceActivityFactory.create(tenant=tenant, created_at=timezone.now() - timedelta(days=731))
    batches: list[int] = []

    class Killed(BaseException):
        pass

    def killed(rows: retention.Rows) -> None:
        if len(batches) == 2:
            raise Killed
        batches.append(rows.delete()[0])

    kind = next(kind for kind in retention.kinds if kind.name == "activity of devices")
    broken = retention.Kind(
        name=kind.name, setting=kind.setting, rows=kind.rows, age=kind.age, indexed=False, delete=killed
    )
    monkeypatch.setattr("access.maintenance.purge.delete_old", partial(retention.delete_old, batch=2))
    with monkeypatch.context() as patch:
        patch.setattr("access.maintenance.purge.kinds", [broken])
        with pytest.raises(Killed):
            run("--yes")
    assert DeviceActivity.objects.count() == 1
    assert [event.summary for event in AuditEvent.objects.filter(tenant=None)] == ["Purge started"]
    assert "Deleted: 1 activity of devices." in run("--yes")
    assert not DeviceActivity.objects.exists()


def test_a_task_that_is_sent_back_to_the_queue_meanwhile_stays() -> None:
    ended_task(TaskResultStatus.FAILED, timedelta(days=31))
    kind = next(kind for kind in retention.kinds if kind.name == "failed tasks")
    old = kind.old(timezone.now())
    assert old is not None
    batch = next(retention._oldest(old, "finished_at", 10))
    DBTaskResult.objects.update(status=TaskResultStatus.READY)
    with transaction.atomic():
        kind.delete(batch)
    assert DBTaskResult.objects.count() == 1


@pytest.mark.parametrize("expires", [None, timedelta(days=300), timedelta(hours=3)])
def test_the_file_of_an_export_goes_when_no_link_works_any_more(tenant: Tenant, expires: timedelta | None) -> None:
    now = timezone.now()
    file = StoredFile.objects.create(
        tenant=tenant,
        key="tenants/a/b.csv",
        purpose="exports",
        name="b.csv",
        expires_at=now + expires if expires else None,
    )
    aged(ExportFactory.create(tenant=tenant, file=file), "created_at", timedelta(days=8))
    run("--yes")
    file.refresh_from_db()
    assert not PrismExport.objects.exists()
    assert file.expires_at is not None
    assert file.expires_at <= timezone.now() + timedelta(hours=48)
    if expires == timedelta(hours=3):
        assert file.expires_at == now + expires  # the links to it have ended


def test_the_workers_purge_where_the_setting_says_so(tenant: Tenant, settings: Settings) -> None:
    DeviceActivityFactory.create(tenant=tenant, created_at=timezone.now() - timedelta(days=731))
    purge_daily.call()
    assert DeviceActivity.objects.count() == 1
    settings.IRU_PURGE_DAILY = True
    purge_daily.call()
    assert not DeviceActivity.objects.exists()
    assert not any(each.rows for each in Purge().found)


@pytest.mark.parametrize(("text", "number"), [("", 0), (" ", 0), ("0", 0), ("400", 400), ("7", 7)])
def test_a_setting_is_a_number_of_days(text: str, number: int) -> None:
    assert days({"IRU_KEEP_TASKS": text}) == {"IRU_KEEP_TASKS": number}


@pytest.mark.parametrize("text", ["-1", "a year", "1.5", "٣"])
def test_anything_else_is_refused_and_named(text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="IRU_KEEP_TASKS is a number of days"):
        days({"IRU_KEEP_TASKS": text})


def test_audit_events_are_kept_for_ever_by_default(tenant: Tenant) -> None:
    happen(tenant, 4000, 1)
    assert "audit events: kept for ever (IRU_KEEP_AUDIT)" in run("--yes")
    assert tenant.audit_events.count() == 2


def test_old_audit_events_go_from_every_trail(tenant: Tenant, other_tenant: Tenant, settings: Settings) -> None:
    settings.IRU_KEEP = {**settings.IRU_KEEP, "IRU_KEEP_AUDIT": 500}
    happen(tenant, 700, 600, 450)
    happen(other_tenant, 501)
    happen(None, 501, 10)
    oldest = (timezone.now() - timedelta(days=700)).strftime("%Y-%m-%d")
    assert f"audit events: 4 older than 500 days (IRU_KEEP_AUDIT), the oldest from {oldest}" in run().splitlines()
    assert AuditEvent.objects.count() == 6
    assert "Deleted: 4 audit events." in run("--yes")
    assert [each.sequence for each in tenant.audit_events.order_by("sequence")] == [3, 4]
    assert [each.sequence for each in other_tenant.audit_events.all()] == [2]
    for trail in (tenant, other_tenant, None):
        verify(trail)
    assert "audit events: none older than 500 days" in run("--yes")


def test_a_broken_trail_stays_and_the_others_are_purged(
    tenant: Tenant, other_tenant: Tenant, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.IRU_KEEP = {**settings.IRU_KEEP, "IRU_KEEP_AUDIT": 400}
    happen(tenant, 700, 600, 1)
    happen(other_tenant, 700, 1)
    with unguarded():
        tenant.audit_events.filter(sequence=2).update(actor_name="Somebody else")
    with pytest.raises(CommandError, match="These audit trails are broken"):
        run("--yes")
    assert "Audit events of accuhive are not removed: event 2 (" in caplog.text
    assert tenant.audit_events.count() == 3
    assert [each.sequence for each in other_tenant.audit_events.order_by("sequence")] == [2, 3]


def test_a_purge_of_audit_events_that_was_killed_goes_on(
    tenant: Tenant, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.IRU_KEEP = {**settings.IRU_KEEP, "IRU_KEEP_AUDIT": 400}
    monkeypatch.setattr(removal, "BATCH", 2)
    happen(tenant, 900, 800, 700, 600, 500, 1)
    removing = remove_old(tenant=tenant, before=timezone.now() - timedelta(days=400), actor=Actor.command("test"))
    assert next(removing) == 2  # and then no more
    verify(tenant)
    assert "Deleted: 3 audit events." in run("--yes")
    assert verify(tenant)[0] == 9


@pytest.mark.django_db(transaction=True)
def test_two_purges_at_once_leave_one_chain_of_anchors(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.IRU_KEEP = {**settings.IRU_KEEP, "IRU_KEEP_AUDIT": 400}
    monkeypatch.setattr(removal, "BATCH", 3)
    tenant = TenantFactory.create()
    happen(tenant, *range(500, 480, -1), 1)
    start = Barrier(2)

    def purge() -> None:
        try:
            start.wait()
            Purge().run(actor=Actor.command("test"), progress=lambda *step: None)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(purge) for _ in range(2)]:
            done.result()
    assert tenant.audit_events.order_by("sequence")[0].sequence == 21
    verify(tenant)
    verify(None)


@pytest.mark.parametrize("text", ["1", "399"])
def test_audit_events_of_less_than_400_days_cannot_be_purged(text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="IRU_KEEP_AUDIT is at least 400 days, or 0 to keep everything"):
        days({"IRU_KEEP_AUDIT": text}, least=400)
    run = subprocess.run(
        [sys.executable, "-c", "import django; django.setup()"],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "iru.settings", "IRU_KEEP_AUDIT": text},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "IRU_KEEP_AUDIT is at least 400 days" in run.stderr
