"""Activity: the filters of each column, its pages, and its rows as CSV and JSON."""

import csv
import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from access.audit.events import Actor, Target, log_event
from access.audit.subjects import subjects
from access.models import AuditEvent, Tenant
from access.pages import activity
from tests import plans
from tests.access.pages.test_permissions import admin, owner
from tests.factories.access import AdministratorFactory

__all__ = ["admin", "owner"]  # fixtures
pytestmark = pytest.mark.django_db
PAGE = "/activity/"
FIELDS = {
    "id",
    "action",
    "occurred_at",
    "actor_id",
    "actor_type",
    "target_id",
    "target_type",
    "target_component",
    "new_state",
    "metadata",
}


def record(tenant: Tenant, name: str, **fields: Any) -> AuditEvent:
    actor = fields.pop("actor", Actor.command("test"))
    target = Target(tenant, fields.pop("type", "tag"), name, name)
    with transaction.atomic():
        return log_event(
            target=target, actor=actor, action=fields.pop("action", "create"), summary=f"{name} made", **fields
        )


def found(client: Client, query: str = "") -> list[str]:
    """The names of the subjects, without the sign-in of the person who looks."""
    events = client.get(f"{PAGE}?{query}").context["part"].events
    return [event.target_name for event in events if event.target_component != "session"]


@pytest.fixture
def events(tenant: Tenant) -> list[AuditEvent]:
    person = AdministratorFactory.create(tenant=tenant, first_name="Ada", last_name="Byron")
    return [
        record(tenant, "amber"),
        record(tenant, "Blue", actor=Actor.of(person), action="delete"),
        record(tenant, "coral", type="device", action="update", changes={"name": {"old": "red", "new": "coral"}}),
    ]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["coral", "Blue", "amber"]),
        ("action=delete", ["Blue"]),
        ("subject=device", ["coral"]),
        ("kind=user", ["Blue"]),
        ("who=BYRON", ["Blue"]),
        ("who=nobody", []),
        ("q=BLU", ["Blue"]),
        ("q=a&kind=system", ["coral", "amber"]),
        ("q=%25", []),
        ("subject=nonsense", []),
        ("first=x", []),
        ("before=x", ["coral", "Blue", "amber"]),
        ("before=99999999999999999999999", ["coral", "Blue", "amber"]),
    ],
)
def test_each_column_has_a_filter(admin: Client, events: list[AuditEvent], query: str, names: list[str]) -> None:
    assert found(admin, query) == names


def test_days_are_whole_and_of_the_viewers_zone(admin: Client, tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    moments = [datetime(2099, 3, day, hour, tzinfo=UTC) for day, hour in ((1, 23), (2, 1), (2, 23), (3, 1))]
    for moment in moments:
        with monkeypatch.context() as patch:
            patch.setattr(timezone, "now", lambda moment=moment: moment)
            record(tenant, f"{moment:%d.%H}")
    assert found(admin, "first=2099-03-02&last=2099-03-02") == ["02.23", "02.01"]
    assert found(admin, "last=2099-03-01") == ["01.23"]
    assert found(admin, "first=2099-03-03&last=2099-03-31") == ["03.01"]
    assert found(admin, "first=2099-04-01&last=2099-04-02") == []
    assert found(admin, "last=2099-02-01") == []
    admin.cookies["zone"] = "America/New_York"
    assert found(admin, "first=2099-03-02&last=2099-03-02") == ["03.01", "02.23"]


def test_another_tenants_events_are_not_there(admin: Client, other_tenant: Tenant) -> None:
    record(other_tenant, "Elsewhere")
    assert found(admin) == []
    assert b"Elsewhere" not in b"".join(admin.get("/activity/csv/").streaming_content)  # type: ignore[attr-defined]


def test_a_row_opens_to_old_and_new_values(admin: Client, events: list[AuditEvent]) -> None:
    row = " ".join(admin.get(f"{PAGE}?q=coral").content.decode().split())
    assert '<del><span class="sr-only">from </span>red</del>' in row
    assert '<ins><span class="sr-only">to </span>coral</ins>' in row
    assert events[2].ulid in row


def test_a_row_shows_values_of_every_form(admin: Client, tenant: Tenant) -> None:
    values = {"items": ["a", "b"], "part": {"size": 3}, "on": True, "none": None, "at": "2026-01-02T03:04:05+00:00"}
    record(tenant, "odd", metadata=values)
    row = " ".join(admin.get(f"{PAGE}?q=odd").content.decode().split())
    for text in ("<ins>a, b</ins>", "<ins>Size: 3</ins>", "<ins>yes</ins>", "<ins>empty</ins>", "Jan 2, 2026, 03:04"):
        assert text in row


def test_older_events_are_on_further_pages(admin: Client, tenant: Tenant) -> None:
    made = [record(tenant, f"tag {number:03}").target_name for number in range(120)]
    seen, before = [], ""
    for _ in range(3):
        part = admin.get(f"{PAGE}?subject=tag{before}").context["part"]
        seen += [event.target_name for event in part.events]
        before = f"&before={part.older}"
    assert (seen, part.older) == (made[::-1], 0)


@pytest.mark.parametrize("window", [1, 3, 1000])
def test_a_text_is_found_in_windows_of_any_size(
    admin: Client, tenant: Tenant, monkeypatch: pytest.MonkeyPatch, window: int
) -> None:
    monkeypatch.setattr(activity, "FIRST_WINDOW", window)
    monkeypatch.setattr(activity, "LONGEST_WINDOW", window)
    monkeypatch.setattr(activity, "PER_PAGE", 2)
    for number in range(12):
        record(tenant, f"needle {number}" if number % 3 == 0 else f"hay {number}")
    seen, query = [], "q=needle"
    while query:
        part = admin.get(f"{PAGE}?{query}").context["part"]
        seen.append([event.target_name for event in part.events])
        query = f"q=needle&before={part.older}" if part.older else ""
    assert seen == [["needle 9", "needle 6"], ["needle 3", "needle 0"]]


def test_a_long_search_says_how_far_it_went(admin: Client, tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activity, "FIRST_WINDOW", 2)
    for name in ("needle", "hay 1", "hay 2", "hay 3", "hay 4", "hay 5"):
        record(tenant, name)
    monkeypatch.setattr(activity, "LONGEST_SEARCH", 0)
    first = admin.get(f"{PAGE}?q=needle")
    assert "No event since" in first.content.decode()
    part = first.context["part"]
    assert (part.events, part.searched is not None) == ([], True)
    monkeypatch.setattr(activity, "LONGEST_SEARCH", 1000)
    second = admin.get(f"{PAGE}?q=needle&before={part.older}").context["part"]
    assert [event.target_name for event in second.events] == ["needle"]
    assert (second.older, second.searched) == (0, None)


def test_every_page_costs_the_same(admin: Client, tenant: Tenant, django_assert_num_queries: Any) -> None:
    record(tenant, "one")
    admin.get(PAGE)  # the first page of a session notes when it was seen
    with django_assert_num_queries(3):
        admin.get(PAGE)
    for number in range(60):
        record(tenant, f"tag {number}")
    with django_assert_num_queries(3):
        admin.get(PAGE)
    with django_assert_num_queries(6):  # the first number of the days, the head, and the numbers before the rows
        admin.get(f"{PAGE}?q=tag&first=2026-01-01")


def test_csv_has_what_is_filtered(admin: Client, events: list[AuditEvent]) -> None:
    answer = admin.get("/activity/csv/?subject=device")
    rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))  # type: ignore[attr-defined]
    assert [row["Subject name"] for row in rows] == ["coral"]
    assert json.loads(rows[0]["Changes"]) == {"name": {"old": "red", "new": "coral"}}
    assert rows[0]["Event ID"] == events[2].ulid


@pytest.mark.parametrize(("query", "count"), [("", 3), ("&q=nothing", 0)])
def test_json_has_events_as_the_api_gives_them(admin: Client, events: list[AuditEvent], query: str, count: int) -> None:
    answer = admin.get(f"/activity/json/?kind=&first=2026-01-01{query}")
    rows = json.loads(b"".join(answer.streaming_content))  # type: ignore[attr-defined]
    assert len([row for row in rows if row["target_component"] != "session"]) == count
    assert all(row.keys() == FIELDS for row in rows)


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("", "sqlite_autoindex_access_auditevent"),  # of the constraint audit_sequence
        ("action=read", "audit_action"),
        ("subject=webhook", "audit_type"),
        ("kind=operator", "audit_actor"),
        ("q=x", "audit_names"),
        ("who=x", "audit_names"),
    ],
)
def test_filters_read_an_index_newest_first(admin: Client, tenant: Tenant, query: str, index: str) -> None:
    record(tenant, "one")
    with CaptureQueriesContext(connection) as queries:
        admin.get(f"{PAGE}?{query}")
    sql = next(each["sql"] for each in queries if "access_auditevent" in each["sql"])
    plan = " ".join(plans.steps(sql))
    assert index in plan
    assert "TEMP B-TREE" not in plan


def test_each_type_of_the_trail_has_words(tenant: Tenant) -> None:
    assert {"api_token", "tenant", "user", "webhook", "device", "library_item", "blueprint"} <= subjects.keys()
    assert all(label[0].isupper() for label in subjects.values())
