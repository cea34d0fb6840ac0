from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from threading import Barrier
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from access.audit.events import Actor, Target, log_event
from access.audit.head import HeadMissing
from access.models import AuditEvent, AuditHead, Tenant
from tests.database import repeated, unguarded
from tests.factories.access import TenantFactory


def happen(tenant: Tenant | None, name: str = "Wall board", **fields: Any) -> AuditEvent:
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

    assert verify("--tenant", "accuhive") == f"accuhive: 6 events, head 6:{last.mac}"


def test_each_tenant_has_a_chain_of_its_own(tenant: Tenant, other_tenant: Tenant) -> None:
    events = [happen(tenant), happen(other_tenant), happen(tenant)]

    assert [event.sequence for event in events] == [1, 1, 2]
    assert "accuhive: 2 events" in verify()
    assert "elsewhere: 1 events" in verify()


def test_the_installation_has_a_chain_of_its_own(tenant: Tenant) -> None:
    last = [happen(at) for at in (None, tenant, None)][-1]

    assert (last.tenant, last.sequence) == (None, 2)
    assert verify("--installation") == f"the installation: 2 events, head 2:{last.mac}"
    assert verify("--installation", "--expect", f"2:{last.mac[:16]}") == verify("--installation")
    assert verify().splitlines() == [verify("--tenant", "accuhive"), verify("--installation")]
    with unguarded():
        AuditEvent.objects.filter(tenant=None, sequence=1).update(actor_name="Somebody else")
    assert verify().startswith("the installation: event 1 (")


def test_the_installation_has_each_number_once(db: None) -> None:
    event = happen(None)
    event.pk, event.ulid = None, "again"
    with pytest.raises(DatabaseError), transaction.atomic():
        event.save(force_insert=True)


def test_the_installation_has_one_head(db: None) -> None:
    assert AuditHead.objects.filter(tenant=None).count() == 1
    with pytest.raises(DatabaseError), transaction.atomic():
        AuditHead.objects.create(tenant=None)


def remove(sequence: int) -> None:
    AuditEvent.objects.filter(sequence=sequence).delete()


def swap() -> None:
    AuditEvent.objects.filter(sequence=2).update(sequence=99)
    AuditEvent.objects.filter(sequence=3).update(sequence=2)
    AuditEvent.objects.filter(sequence=99).update(sequence=3)


def cut_off_and_cover() -> None:
    remove(4)
    third = AuditEvent.objects.get(sequence=3)
    AuditHead.objects.filter(tenant=third.tenant).update(sequence=3, mac=third.mac)


def set_head(**fields: Any) -> None:
    AuditHead.objects.update(**fields)


def set_head_back() -> None:
    set_head(sequence=3, mac=AuditEvent.objects.get(sequence=3).mac)


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
        (lambda: AuditHead.objects.all().delete(), "the head is missing"),
        (lambda: set_head(mac=""), "event 4 is not the one that its head was made by"),
        (lambda: set_head(mac=AuditEvent.objects.get(sequence=4).mac[:32]), "event 4 is not the one that"),
        (set_head_back, "the head is at event 3, but the trail goes on to event 4"),
        (lambda: set_head(sequence=0, mac=""), "the head is at event 0, but the trail goes on to event 4"),
    ],
    ids=[
        "actor",
        "changes",
        "mac",
        "first",
        "middle",
        "swapped",
        "tail",
        "all",
        "forged",
        "no-head",
        "empty-head",
        "short-head",
        "older-head",
        "no-event-in-head",
    ],
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


def test_without_its_head_a_trail_takes_no_event_and_says_what_to_do(
    tenant: Tenant, caplog: pytest.LogCaptureFixture
) -> None:
    happen(tenant)
    AuditHead.objects.all().delete()

    with pytest.raises(HeadMissing):
        happen(tenant)
    assert "repair_audit_head" in caplog.text
    assert AuditEvent.objects.count() == 1


def repair(subdomain: str = "accuhive") -> str:
    """What `repair_audit_head` says, also where it refuses."""
    out = StringIO()
    try:
        call_command("repair_audit_head", subdomain, stdout=out)
    except CommandError as error:
        return str(error)
    return out.getvalue()


@pytest.mark.parametrize(
    ("damage", "was", "lost"),
    [
        (lambda: AuditHead.objects.all().delete(), "missing", None),
        (lambda: set_head(mac=""), "4:", None),
        (set_head_back, "3:", None),
        (lambda: set_head(sequence=9), "9:", [5, 9]),
    ],
    ids=["deleted", "emptied", "set-back", "set-forward"],
)
def test_a_head_is_repaired_from_the_trail_and_the_repair_is_in_it(
    tenant: Tenant, other_tenant: Tenant, damage: Callable[[], object], was: str, lost: list[int] | None
) -> None:
    last = [happen(tenant) for _ in range(4)][-1]
    damage()
    untouched = AuditHead.objects.filter(tenant=other_tenant).values().first()

    said = repair()
    assert f"The head was {was}" in said
    assert f"set to the last event, 4:{last.mac}" in said
    assert ("Events 5 to 9 are missing at the end" in said) is (lost is not None)
    assert verify("--tenant", "accuhive").startswith("accuhive: 5 events")
    event = tenant.audit_events.get(sequence=5)
    assert (event.summary, event.actor_name) == ("Audit head repaired", "manage.py repair_audit_head")
    assert event.metadata
    assert event.metadata["lost_events"] == lost
    assert AuditHead.objects.filter(tenant=other_tenant).values().first() == untouched
    happen(tenant)


def test_a_head_that_is_right_stays_and_a_broken_trail_is_not_covered_up(tenant: Tenant) -> None:
    for _ in range(4):
        happen(tenant)
    assert "Nothing was changed" in repair()
    assert "There is no tenant nobody" in repair("nobody")
    with unguarded():
        AuditEvent.objects.filter(sequence=2).update(actor_name="Somebody else")
    AuditHead.objects.all().delete()

    assert "event 2 (" in repair()
    assert AuditEvent.objects.count() == 4
    assert not AuditHead.objects.exists()


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
    happen(None)
    connection.check_constraints()  # PostgreSQL empties no table whose foreign keys are still to be checked

    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        change()
    assert list(AuditEvent.objects.values_list("summary", flat=True)) == ["Token name changed"] * 2


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
                repeated(lambda: happen(tenant))
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(work) for _ in range(8)]:
            done.result()

    assert "24 events" in verify()
