"""Old events go from the beginning of a trail, a signed anchor stays, and the rest is verified from there."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.utils import timezone
from pytest_django import Settings

from access.audit import removal
from access.audit.chain import BrokenTrail, anchor_signature, beginning, verify
from access.audit.events import Actor, Target, log_event
from access.audit.removal import remove_old
from access.audit.repair import repair_head
from access.maintenance.keys import uses
from access.maintenance.rotation import begin_newest_key
from access.models import AuditAnchor, AuditEvent, AuditHead, Tenant
from tests.database import unguarded

pytestmark = pytest.mark.django_db

ACTOR = Actor.command("test")
SECOND = "2:" + "a" * 64


@contextmanager
def days_ago(days: float) -> Iterator[None]:
    """Inside, the clock of the product is so many days back."""
    now = timezone.now
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timezone, "now", lambda: now() - timedelta(days=days))
        yield


def happen(trail: Tenant | None, *days: float) -> AuditEvent:
    for each in days:
        with days_ago(each), transaction.atomic():
            event = log_event(
                target=Target(trail, "api_token", 1, "Wall board"),
                actor=ACTOR,
                action=AuditEvent.Action.UPDATE,
                summary="Token name changed",
            )
    return event


def before(days: int = 400) -> datetime:
    return timezone.now() - timedelta(days=days)


def remove(trail: Tenant | None, days: int = 400) -> int:
    return max(remove_old(tenant=trail, before=before(days), actor=ACTOR), default=0)


def numbers(trail: Tenant | None) -> list[int]:
    return list(AuditEvent.objects.filter(tenant=trail).order_by("sequence").values_list("sequence", flat=True))


def finding(trail: Tenant | None) -> str:
    with pytest.raises(BrokenTrail) as broken:
        verify(trail)
    return str(broken.value)


@pytest.fixture(params=["tenant", "installation"])
def trail(request: pytest.FixtureRequest, tenant: Tenant) -> Tenant | None:
    return tenant if request.param == "tenant" else None


@pytest.mark.parametrize("batch", [1, 2, 1000])
def test_old_events_go_and_the_trail_verifies_from_the_anchor(
    trail: Tenant | None, other_tenant: Tenant, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr(removal, "BATCH", batch)
    happen(other_tenant, 500, 1)
    removed = happen(trail, 500, 450, 401)
    happen(trail, 399, 1)
    assert remove(trail) == 3
    assert numbers(trail)[:2] == [4, 5]
    last = AuditEvent.objects.filter(tenant=trail).latest("sequence")
    assert verify(trail) == (last.sequence, last.mac)
    assert (last.summary, last.target_type) == ("Older audit events removed", "audit_anchor")
    assert last.metadata
    assert last.metadata["last_removed"] == f"3:{removed.mac}"
    anchor = AuditAnchor.objects.filter(tenant=trail).latest("sequence")
    assert (anchor.sequence, anchor.mac) == (3, removed.mac)
    assert numbers(other_tenant) == [1, 2]
    assert remove(trail) == 0


def test_the_trail_goes_on_after_an_anchor_and_more_can_be_removed(trail: Tenant | None) -> None:
    happen(trail, 900, 800, 600, 500, 1)
    assert remove(trail, 700) == 2
    happen(trail, 0)
    assert remove(trail, 400) == 2
    happen(trail, 0)
    assert verify(trail)[0] == 9  # seven that happened, and two removals
    assert [(anchor.after, anchor.sequence) for anchor in AuditAnchor.objects.order_by("pk")] == [(0, 2), (2, 4)]


def test_a_trail_whose_events_are_all_old_goes_on(trail: Tenant | None) -> None:
    happen(trail, 500, 450)
    assert remove(trail) == 2
    assert numbers(trail) == [3]
    assert verify(trail)[0] == 3


def test_events_of_less_than_400_days_cannot_be_removed(trail: Tenant | None) -> None:
    happen(trail, 399)
    with pytest.raises(ValueError, match="more than 400 days"):
        remove(trail, 399)
    assert numbers(trail) == [1]


def test_a_young_event_stays_where_the_clock_was_set_back(trail: Tenant | None) -> None:
    happen(trail, 500, 10, 500, 1)
    assert remove(trail) == 1
    assert numbers(trail)[:3] == [2, 3, 4]


@pytest.mark.parametrize(
    "damage",
    [
        lambda events: events.filter(sequence=2).update(actor_name="Somebody else"),
        lambda events: events.filter(sequence=2).delete(),
        lambda events: events.filter(sequence=1).delete(),
    ],
    ids=["changed", "missing", "first"],
)
def test_a_broken_event_is_not_covered_up(trail: Tenant | None, damage: Callable[[object], object]) -> None:
    happen(trail, 500, 490, 480, 1)
    with unguarded():
        damage(AuditEvent.objects.filter(tenant=trail))
    left = numbers(trail)
    with pytest.raises(BrokenTrail, match=r"event [12] "):
        remove(trail)
    assert numbers(trail) == left
    assert not AuditAnchor.objects.exists()


def anchor_of(trail: Tenant | None) -> AuditAnchor:
    return AuditAnchor.objects.filter(tenant=trail).latest("sequence")


def change(**fields: object) -> Callable[[Tenant | None], object]:
    return lambda trail: AuditAnchor.objects.filter(pk=anchor_of(trail).pk).update(**fields)


def forge(trail: Tenant | None) -> None:
    """Remove one more event under an anchor with the right MAC, made without the key."""
    event = AuditEvent.objects.filter(tenant=trail).earliest("sequence")
    last = anchor_of(trail)
    AuditAnchor.objects.create(
        tenant=trail, after=last.sequence, sequence=event.sequence, mac=event.mac, event_key_number=1,
        oldest_at=event.occurred_at, newest_at=event.occurred_at, made_at=timezone.now(), key_number=1,
        signature="0" * 64,
    )  # fmt: skip
    event.delete()


def forge_with_the_key(trail: Tenant | None) -> None:
    """The same with the key, but without an event of the trail."""
    event = AuditEvent.objects.filter(tenant=trail).earliest("sequence")
    with transaction.atomic():
        removal.add_anchor(trail, beginning(trail), event, event)
        event.delete()


def put_back(trail: Tenant | None) -> None:
    event = AuditEvent.objects.filter(tenant=trail).earliest("sequence")
    event.pk, event.ulid, event.sequence = None, "put back", 2
    event.save(force_insert=True)


@pytest.mark.parametrize(
    ("tamper", "found"),
    [
        (lambda trail: anchor_of(trail).delete(), "event 3 is missing"),
        (lambda trail: AuditAnchor.objects.filter(tenant=trail).delete(), "event 1 is missing"),
        (
            lambda trail: AuditAnchor.objects.filter(tenant=trail).earliest("sequence").delete(),
            "the anchor behind event 4 is not what was signed, or one is missing",
        ),
        (change(mac="0" * 64), "the anchor behind event 4 is not what was signed"),
        (change(signature="0" * 64), "the anchor behind event 4 is not what was signed"),
        (change(sequence=5), "the anchor behind event 5 is not what was signed"),
        (change(after=1), "the anchor behind event 4 is not what was signed"),
        (change(event_key_number=2), "the anchor behind event 4 is not what was signed"),
        (change(newest_at=datetime.fromtimestamp(0).astimezone()), "the anchor behind event 4 is not what was signed"),
        (change(key_number=7), "the anchor behind event 4 cannot be verified: IRU_AUDIT_KEYS lacks its key, number 7"),
        (forge, "the anchor behind event 5 is not what was signed"),
        (forge_with_the_key, "no event names the anchor behind event 5: it may be forged"),
        (lambda trail: AuditEvent.objects.filter(tenant=trail, sequence=5).delete(), "event 5 is missing"),
        (put_back, "event 2 is there, but an anchor says that it was removed"),
    ],
    ids=[
        "last", "all", "first", "mac", "signature", "sequence", "after", "key-of-event", "time", "key", "forged",
        "signed", "gap", "put-back",
    ],
)  # fmt: skip
def test_what_was_done_to_an_anchor_is_found(
    trail: Tenant | None, tamper: Callable[[Tenant | None], object], found: str
) -> None:
    happen(trail, 900, 800, 600, 500, 300, 1)
    remove(trail, 700)
    remove(trail, 400)
    assert verify(trail)[0] == 8
    with unguarded():
        tamper(trail)
    assert finding(trail).startswith(found)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM access_auditevent WHERE sequence = 3",
        "DELETE FROM access_auditevent",
        "UPDATE access_auditevent SET summary = 'Nothing' WHERE sequence = 3",
        "DELETE FROM access_auditanchor",
        "UPDATE access_auditanchor SET sequence = 3",
    ],
)
def test_the_database_lets_go_of_nothing_that_no_anchor_covers(trail: Tenant | None, statement: str) -> None:
    happen(trail, 500, 450, 1)
    remove(trail)
    connection.check_constraints()
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert numbers(trail) == [3, 4]


@pytest.mark.parametrize("table", ["access_auditanchor", "access_auditevent"])
def test_the_tables_cannot_be_emptied_or_overwritten_either(trail: Tenant | None, table: str) -> None:
    happen(trail, 500, 1)
    remove(trail)
    connection.check_constraints()
    around = {"postgresql": f"TRUNCATE {table}", "sqlite": f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}"}
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(around[connection.vendor])


def test_the_anchor_of_one_trail_covers_no_other(tenant: Tenant, other_tenant: Tenant) -> None:
    trails = [tenant, other_tenant, None]
    for trail in trails:
        happen(trail, 500, 1)
    remove(tenant)
    for trail in (other_tenant, None):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            AuditEvent.objects.filter(tenant=trail, sequence=1).delete()


def test_an_old_key_alone_makes_no_anchor(tenant: Tenant, settings: Settings) -> None:
    """Somebody who has a former key signs an anchor with it, and cannot add the event that names it."""
    happen(tenant, 500, 450, 1)
    settings.IRU_AUDIT_KEYS = [SECOND]
    begin_newest_key(actor=ACTOR, progress=lambda *step: None)
    event = AuditEvent.objects.filter(tenant=tenant).earliest("sequence")
    anchor = AuditAnchor(
        tenant=tenant, after=0, sequence=1, mac=event.mac, event_key_number=1, oldest_at=event.occurred_at,
        newest_at=event.occurred_at, made_at=timezone.now(), key_number=1,
    )  # fmt: skip
    anchor.signature = anchor_signature("", anchor)
    anchor.save()
    event.delete()
    assert finding(tenant) == "no event names the anchor behind event 1: it may be forged."


def test_keys_change_before_and_after_an_anchor(tenant: Tenant, settings: Settings) -> None:
    happen(tenant, 900, 800)
    happen(tenant, 500)
    assert remove(tenant, 700) == 2
    settings.IRU_AUDIT_KEYS = [SECOND]
    begin_newest_key(actor=ACTOR, progress=lambda *step: None)
    assert remove(tenant, 400) == 1
    assert verify(tenant)[0] == 6
    assert [anchor.key_number for anchor in AuditAnchor.objects.order_by("pk")] == [1, 2]
    # Three events are left: the first removal, the change of the key and the second removal.
    assert uses()["IRU_AUDIT_KEYS"] == {1: 2, 2: 3}


def test_the_keys_that_are_counted_are_those_of_what_is_left(tenant: Tenant) -> None:
    happen(tenant, 500, 450, 1)
    assert uses()["IRU_AUDIT_KEYS"] == {1: 3}
    remove(tenant)
    assert uses()["IRU_AUDIT_KEYS"] == {1: 3}  # two events and an anchor


def test_the_head_is_repaired_behind_an_anchor(trail: Tenant | None) -> None:
    happen(trail, 500, 450, 1)
    remove(trail)
    AuditHead.objects.filter(tenant=trail).delete()
    assert repair_head(tenant=trail, actor=ACTOR)
    assert verify(trail)[0] == 5
    assert repair_head(tenant=trail, actor=ACTOR) == []


def test_a_repair_names_an_anchor_again_whose_event_is_lost(trail: Tenant | None) -> None:
    happen(trail, 500, 450, 1)
    remove(trail)
    with unguarded():
        AuditEvent.objects.filter(tenant=trail, sequence=4).delete()
    assert finding(trail) == "events 4 to 4 are missing at the end."
    assert "is named by the next event again" in repair_head(tenant=trail, actor=ACTOR)[-1]
    assert verify(trail)[0] == 5


def test_a_repair_goes_on_where_no_event_is_left(trail: Tenant | None) -> None:
    happen(trail, 500, 450)
    remove(trail)
    with unguarded():
        AuditEvent.objects.filter(tenant=trail).delete()
    assert finding(trail) == "events 3 to 3 are missing at the end."
    repair_head(tenant=trail, actor=ACTOR)
    assert numbers(trail) == [3, 4]
    assert verify(trail)[0] == 4


def said(*arguments: str) -> str:
    out, errors = StringIO(), StringIO()
    try:
        call_command("verify_audit", *arguments, stdout=out, stderr=errors)
    except CommandError:
        return errors.getvalue()
    return out.getvalue()


def test_a_head_from_the_log_is_compared_as_far_as_the_trail_goes(tenant: Tenant) -> None:
    first = happen(tenant, 500)
    second = happen(tenant, 450)
    third = happen(tenant, 1)
    remove(tenant)
    assert "4 events" in said("--tenant", "accuhive", "--expect", f"3:{third.mac[:16]}")
    assert "4 events" in said("--tenant", "accuhive", "--expect", f"2:{second.mac[:16]}")  # the anchor has it
    assert "is not the one that" in said("--tenant", "accuhive", "--expect", f"2:{first.mac[:16]}")
    assert "a purge has removed the events up to 2" in said("--tenant", "accuhive", "--expect", f"1:{first.mac[:16]}")
    assert "of which the first 2 were removed" in said("--tenant", "accuhive")
