"""Transactions that PostgreSQL gives up for another one: a serialization failure, or a deadlock."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.test import Client

from access.database import retried
from access.models import Administrator, Tenant
from devices.models import Tag
from tests.types import Call, IssueToken

pytestmark = [pytest.mark.postgres_only, pytest.mark.django_db(transaction=True)]

type GiveUp = Callable[..., list[str]]


@pytest.fixture
def give_up() -> Iterator[GiveUp]:
    """`give_up("INSERT INTO …", times=1)`: so many of these statements end with a serialization failure."""
    met: list[str] = []
    wrappers: list[Callable[..., Any]] = []

    def give_up(statement: str, *, times: int = 1, state: str = "40001") -> list[str]:
        def execute(run: Callable[..., Any], sql: str, *rest: Any) -> Any:
            if sql.startswith(statement):
                met.append(sql)
                if len(met) <= times:
                    return run(f"DO $$ BEGIN RAISE SQLSTATE '{state}'; END $$", None, *rest[1:])
            return run(sql, *rest)

        wrappers.append(execute)
        connection.execute_wrappers.append(execute)
        return met

    yield give_up
    for wrapper in wrappers:
        connection.execute_wrappers.remove(wrapper)


@pytest.mark.parametrize("state", ["40001", "40P01"])
def test_a_call_is_answered_as_if_nothing_had_been(
    tenant: Tenant, api: Call, issue_token: IssueToken, give_up: GiveUp, state: str
) -> None:
    token = issue_token("create_tag")
    met = give_up('INSERT INTO "devices_tag"', times=2, state=state)
    assert api("POST", "/api/v1/tags", token, json={"name": "Sales"}).status_code == 201
    assert len(met) == 3
    assert tenant.tags.count() == 1
    assert list(tenant.audit_events.about("tag", tenant.tags.get().uuid).values_list("summary")) == [("Tag created",)]


def test_it_is_not_tried_for_ever(tenant: Tenant, api: Call, issue_token: IssueToken, give_up: GiveUp) -> None:
    token = issue_token("create_tag")
    met = give_up('INSERT INTO "devices_tag"', times=100)
    refused = api("POST", "/api/v1/tags", token, json={"name": "Sales"})
    assert (refused.status_code, refused["Retry-After"], len(met)) == (503, "5", 6)
    assert not tenant.tags.exists()


def test_a_page_too(tenant: Tenant, owner: Administrator, give_up: GiveUp) -> None:
    pages = Client()
    pages.force_login(owner)
    met = give_up('INSERT INTO "access_apitoken"')
    answer = pages.post("/access/tokens/new/", {"name": "Sync", "submission": "0b4a46a0-2df7-4c65-a4f0-6a9c1f7a6d5e"})
    assert (answer.status_code, len(met)) == (200, 2), answer.content
    assert tenant.api_tokens.count() == 1


def test_what_was_committed_is_not_done_again(tenant: Tenant) -> None:
    def work() -> None:
        with transaction.atomic():
            Tag.objects.create(tenant=tenant, name=f"Tag {tenant.tags.count()}")
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("DO $$ BEGIN RAISE SQLSTATE '40001'; END $$")

    with pytest.raises(OperationalError):
        retried(work)
    assert tenant.tags.count() == 1


def test_another_error_is_not_tried_again() -> None:
    done: list[int] = []

    def work() -> None:
        done.append(1)
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("DO $$ BEGIN RAISE SQLSTATE '57014'; END $$")

    with pytest.raises(OperationalError):
        retried(work)
    assert done == [1]
