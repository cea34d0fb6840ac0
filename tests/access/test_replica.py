"""DATABASE_REPLICA_URL: which reads go to the replica, and when they do not."""

import csv
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, connections
from django.test import Client
from pytest_django import Settings

from access import replica
from access.audit.events import Actor
from access.models import Administrator, Tenant
from access.postgresql.base import LimitedConnection
from access.replica import REPLICA, replica_for
from devices.fleet.tags import create_tag
from iru.databases import replica as setting
from tests.types import Call, IssueToken

pytestmark = [pytest.mark.postgres_only, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Iterator[list[str]]:
    """A replica, which is a second connection to the same database, and the statements that it gets."""
    monkeypatch.setitem(connections.databases, REPLICA, connections.databases["default"] | {"TEST": {}})
    monkeypatch.setitem(settings.DATABASES, REPLICA, connections.databases[REPLICA])
    monkeypatch.setattr(replica, "_asked_again_at", 0.0)
    connections[REPLICA].alias = "default"  # Django's tests open no connection that was unknown when they began
    settings.DATABASE_ROUTERS = ["access.postgresql.routers.OneData"]
    said: list[str] = []

    def note(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        said.append(sql)
        return execute(sql, *rest)

    with connections[REPLICA].execute_wrapper(note):
        yield said
    connections[REPLICA].close()
    del connections[REPLICA]


@pytest.fixture
def late(statements: list[str]) -> Iterator[Callable[[], None]]:
    """Stop the replica in this moment: it shows nothing that is committed afterwards."""

    def stop() -> None:
        with connections[REPLICA].cursor() as cursor:
            cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            cursor.execute("SELECT 1 FROM access_tenant")
        statements.clear()

    yield stop
    connections[REPLICA].close()


@pytest.fixture
def pages(owner: Administrator) -> Client:
    client = Client()
    client.force_login(owner)
    return client


def events(statements: list[str]) -> list[str]:
    return [each for each in statements if 'FROM "access_auditevent"' in each]


READS = ("/activity/", "/activity/csv/", "/activity/json/", "/devices/export/", "/users/export/")


@pytest.mark.parametrize("path", READS)
def test_long_reads_of_pages_go_to_the_replica(path: str, pages: Client, statements: list[str]) -> None:
    answer = pages.get(path)
    assert answer.status_code == 200
    b"".join(answer.streaming_content) if answer.streaming else answer.content  # type: ignore[attr-defined]
    table = {"a": "access_auditevent", "d": "devices_device", "u": "devices_user"}[path[1]]
    assert any(f'FROM "{table}"' in each for each in statements)
    assert {each.split()[0] for each in statements} <= {"SELECT", "DECLARE", "NO"}, "it is only read"


def test_the_list_of_audit_events_goes_to_the_replica_and_nothing_that_decides(
    api: Call, issue_token: IssueToken, statements: list[str]
) -> None:
    assert api("GET", "/api/v1/audit/events", issue_token("list_audit_events")).status_code == 200
    assert events(statements)
    for each in statements:
        assert 'FROM "access_auditevent"' in each or 'FROM "access_audithead"' in each


def test_other_reads_do_not(api: Call, pages: Client, issue_token: IssueToken, statements: list[str]) -> None:
    assert api("GET", "/api/v1/devices", issue_token("list_devices")).status_code == 200
    for path in ("/devices/", "/access/tokens/", "/access/people/", "/users/"):
        assert pages.get(path).status_code in {200, 404}
    assert statements == []


def test_people_find_what_they_just_did_although_the_replica_is_late(
    tenant: Tenant, api: Call, issue_token: IssueToken, late: Callable[[], None], statements: list[str]
) -> None:
    token = issue_token("list_audit_events")
    late()
    assert replica_for(tenant) == REPLICA, "it has everything so far"
    create_tag(tenant=tenant, name="Just now", actor=Actor.command("tests"))
    assert replica_for(tenant) == "default"
    answer = api("GET", "/api/v1/audit/events?limit=1&sort_by=-occurred_at", token)
    assert "Just now" in json.dumps(answer.json())
    assert not events(statements)


def test_a_replica_that_is_away_is_left_for_a_while(
    tenant: Tenant, pages: Client, statements: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert replica_for(tenant) == REPLICA
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [connections[REPLICA].connection.info.backend_pid])
    statements.clear()
    assert list(csv.reader(pages.get("/activity/csv/").getvalue().decode().splitlines()))
    assert len(statements) == 1
    assert replica_for(tenant) == "default"
    assert len(statements) == 1, "it is not asked again at once"
    monkeypatch.setattr(replica, "_asked_again_at", 0.0)
    assert replica_for(tenant) == REPLICA


def test_a_frozen_replica_takes_no_connection_from_the_primary(
    tenant: Tenant, statements: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(LimitedConnection.unanswered_at, ("a-replica", ""), 10.0**9)
    connection.close()
    assert Tenant.objects.get(pk=tenant.pk) == tenant


def test_only_postgresql_has_replicas() -> None:
    primary = {"ENGINE": "access.postgresql", "OPTIONS": {"connect_timeout": 3}, "CONN_MAX_AGE": None}
    made = setting("postgres://iru@standby:5433/iru?target_session_attrs=any", primary)
    assert (made["HOST"], made["PORT"], made["CONN_MAX_AGE"]) == ("standby", 5433, None)
    assert made["OPTIONS"] == {"connect_timeout": 3, "target_session_attrs": "any"}
    for url, main in (("sqlite:///file", primary), ("postgres://iru@a/iru", {"ENGINE": "access.sqlite3"})):
        with pytest.raises(ImproperlyConfigured, match="SQLite"):
            setting(url, main)
