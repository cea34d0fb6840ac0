from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from threading import Barrier
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from access.audit.events import Actor, Target, log_event
from access.models import AuditEvent, AuditHead, Tenant
from tests.database import unguarded
from tests.factories.access import TenantFactory


def happen(tenant: Tenant, name: str = "Wall board", **fields: Any) -> AuditEvent:
    with transaction.atomic():
        return log_event(
            target=Target(tenant, "api_token", 1, name),
            actor=Actor.command("test"),
            action=AuditEvent.Action.UPDATE,
            summary="Token name changed",
            **fields,
        )


def verify(*arguments: str) -> str:
    """What `verify_audit` says; of a broken trail, its finding."""
    out, errors = StringIO(), StringIO()
    try:
        call_command("verify_audit", *arguments, stdout=out, stderr=errors)
    except CommandError:
        return errors.getvalue().strip()
    return out.getvalue().strip()


def test_a_whole_trail_is_confirmed_with_its_head(tenant: Tenant) -> None:
    last = [happen(tenant, changes={"n": {"old": None, "new": value}}) for value in (1, 2.0, 1e22, -0.0, "ä", True)][-1]

    assert verify() == f"accuhive: 6 events, head 6:{last.mac}"


def test_each_tenant_has_a_chain_of_its_own(tenant: Tenant, other_tenant: Tenant) -> None:
    events = [happen(tenant), happen(other_tenant), happen(tenant)]

    assert [event.sequence for event in events] == [1, 1, 2]
    assert "accuhive: 2 events" in verify()
    assert "elsewhere: 1 events" in verify()


def remove(sequence: int) -> None:
    AuditEvent.objects.filter(sequence=sequence).delete()


def swap() -> None:
    AuditEvent.objects.filter(sequence=2).update(sequence=99)
    AuditEvent.objects.filter(sequence=3).update(sequence=2)
    AuditEvent.objects.filter(sequence=99).update(sequence=3)


def cut_off_and_cover() -> None:
    remove(4)
    third = AuditEvent.objects.get(sequence=3)
    AuditHead.objects.update(sequence=3, mac=third.mac)


def add_at_the_end() -> None:
    event = AuditEvent.objects.get(sequence=4)
    event.pk, event.ulid, event.sequence = None, "forged", 5
    event.save(force_insert=True)


@pytest.mark.parametrize(
    ("tamper", "finding"),
    [
        (lambda: AuditEvent.objects.filter(sequence=2).update(actor_name="Somebody else"), "event 2 ("),
        (lambda: AuditEvent.objects.filter(sequence=2).update(changes={"n": {"old": 1, "new": 3}}), "event 2 ("),
        (lambda: AuditEvent.objects.filter(sequence=2).update(mac="0" * 64), "event 2 ("),
        (lambda: remove(1), "event 1 is missing"),
        (lambda: remove(2), "event 2 is missing"),
        (swap, "event 2 ("),
        (lambda: remove(4), "events 4 to 4 are missing at the end"),
        (lambda: AuditEvent.objects.all().delete(), "events 1 to 4 are missing at the end"),
        (add_at_the_end, "event 5 ("),
    ],
    ids=["actor", "changes", "mac", "first", "middle", "swapped", "tail", "all", "forged"],
)
def test_the_first_broken_row_is_named(tenant: Tenant, tamper: Callable[[], object], finding: str) -> None:
    for number in range(4):
        happen(tenant, changes={"n": {"old": 1, "new": number}})
    with unguarded():
        tamper()

    assert verify().startswith(f"accuhive: {finding}")


def test_a_tail_that_was_cut_off_and_covered_up_is_noticed_by_the_logged_head(tenant: Tenant) -> None:
    last = [happen(tenant) for _ in range(4)][-1]
    logged = f"4:{last.mac[:16]}"
    assert "4 events" in verify("--tenant", "accuhive", "--expect", logged)
    with unguarded():
        cut_off_and_cover()

    assert "3 events" in verify()  # the database alone cannot tell
    assert "events 4 to 4 are missing" in verify("--tenant", "accuhive", "--expect", logged)


@pytest.mark.django_db(transaction=True)
def test_the_head_is_logged_once_it_is_committed(tenant: Tenant, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="access.audit.events")
    event = happen(tenant)

    assert f"Audit head of accuhive: 1:{event.mac[:16]}" in caplog.messages


# What each database offers besides UPDATE and DELETE to lose rows with.
AROUND = {
    "postgresql": "TRUNCATE access_auditevent",
    "sqlite": "INSERT OR REPLACE INTO access_auditevent SELECT * FROM access_auditevent",
}


@pytest.mark.parametrize(
    "change",
    [
        lambda: AuditEvent.objects.update(summary="Nothing happened"),
        lambda: AuditEvent.objects.all()._raw_delete("default"),
        lambda: run(AROUND[connection.vendor]),
    ],
    ids=["update", "delete", "around"],
)
def test_the_database_refuses_to_change_the_trail(tenant: Tenant, change: Callable[[], object]) -> None:
    happen(tenant)
    connection.check_constraints()  # PostgreSQL empties no table whose foreign keys are still to be checked

    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        change()
    assert AuditEvent.objects.get().summary == "Token name changed"


def run(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


@pytest.mark.django_db(transaction=True)
def test_an_event_without_a_transaction_is_refused(tenant: Tenant) -> None:
    with pytest.raises(RuntimeError, match="transaction"):
        log_event(
            target=Target(tenant, "device", 1, "Mac"),
            actor=Actor.command("test"),
            action=AuditEvent.Action.READ,
            summary="Read",
        )


@pytest.mark.django_db(transaction=True)
def test_concurrent_events_leave_no_gap_and_no_duplicate() -> None:
    tenant = TenantFactory.create()
    start = Barrier(8)

    def work() -> None:
        try:
            start.wait()
            for _ in range(3):
                happen(tenant)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(work) for _ in range(8)]:
            done.result()

    assert "24 events" in verify()
