import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from access.audit.events import Actor, Target, log_event
from access.models import AuditEvent, Tenant, audit
from tests import database, plans
from tests.types import Call, IssuedApiToken, IssueToken

ACTOR = Actor.command("test")


@pytest.fixture
def token(issue_token: IssueToken) -> IssuedApiToken:
    return issue_token("list_audit_events")


@pytest.fixture
def results(api: Call, token: IssuedApiToken) -> Callable[[str], list[dict[str, Any]]]:
    def results(query: str) -> list[dict[str, Any]]:
        answer = api("GET", f"/api/v1/audit/events?{query}", token)
        assert answer.status_code == 200, answer.content
        found: list[dict[str, Any]] = answer.json()["results"]
        return found

    return results


def happened(tenant: Tenant, name: str, **fields: Any) -> AuditEvent:
    return log_event(
        target=Target(tenant, "device", "98765000-0000-4000-8000-000000000004", name),
        actor=ACTOR,
        action=AuditEvent.Action.UPDATE,
        summary="Something changed",
        **fields,
    )


def test_creating_a_token_as_the_public_api_tells_it(api: Call, issue_token: IssueToken) -> None:
    token = issue_token("list_audit_events", "get_user", name="SIEM", description="Reads events")
    answer = api("GET", "/api/v1/audit/events", token).json()
    assert set(answer) == {"results", "previous", "next"}
    (event,) = answer["results"]
    stored = AuditEvent.objects.get()
    assert event == {
        "id": stored.ulid,
        "action": "create",
        "occurred_at": stored.occurred_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "actor_id": stored.actor_id,
        "actor_type": "user",
        "target_id": str(token.id),
        "target_type": "api_token",
        "target_component": "",
        "new_state": {
            "label": "SIEM",
            "description": "Reads events",
            "permissions": [
                {"path": "/api/v1/users/{user_id}", "http_method": "GET"},
                {"path": "/api/v1/audit/events", "http_method": "GET"},
            ],
        },
        "metadata": None,
    }
    assert len(event["id"]) == 26


def test_following_next_meets_every_event_once_in_both_directions(
    api: Call, token: IssuedApiToken, tenant: Tenant, other_tenant: Tenant
) -> None:
    for n in range(4):
        happened(tenant, f"{n}")
    happened(other_tenant, "theirs")
    every = list(tenant.audit_events.order_by("sequence").values_list("ulid", flat=True))
    for sort_by, expected in (("occurred_at", every), ("-occurred_at", every[::-1]), ("-id", every[::-1])):
        url: str | None = f"/api/v1/audit/events?limit=2&sort_by={sort_by}"
        seen = []
        while url:
            parts = urlsplit(url)
            assert f"sort_by={sort_by}" in parts.query
            page = api("GET", f"{parts.path}?{parts.query}", token).json()
            seen += [event["id"] for event in page["results"]]
            url = page["next"]
        assert seen == expected


def test_dates_bound_the_list_inclusively(results: Callable[[str], list[dict[str, Any]]], tenant: Tenant) -> None:
    event = happened(tenant, "then")
    with database.unguarded():
        AuditEvent.objects.filter(pk=event.pk).update(occurred_at=datetime(2024, 5, 13, 20, 9, 27, tzinfo=UTC))

    def found(query: str) -> bool:
        return event.ulid in [each["id"] for each in results(query)]

    assert found("start_date=2024-05-13&end_date=2024-05-13")
    assert found("start_date=2024-05-13T20:09:27Z&end_date=2024-05-13T22:09:27%2B02:00")
    assert found("end_date=2024-05-13T20:09:27")
    assert not found("start_date=2024-05-14")
    assert not found("end_date=2024-05-12")
    assert not found("start_date=2024-05-13T20:09:28Z")


def test_events_of_a_clock_that_is_behind_are_in_their_dates(
    results: Callable[[str], list[dict[str, Any]]], tenant: Tenant
) -> None:
    """An event that one server wrote after that of another may have the earlier time."""
    first, second = happened(tenant, "first"), happened(tenant, "second")
    noon = datetime(2024, 5, 13, 12, tzinfo=UTC)
    with database.unguarded():
        AuditEvent.objects.filter(pk=first.pk).update(occurred_at=noon + timedelta(seconds=2))
        AuditEvent.objects.filter(pk=second.pk).update(occurred_at=noon + timedelta(seconds=1))

    def found(query: str) -> list[str]:
        return [each["id"] for each in results(query) if each["id"] in {first.ulid, second.ulid}]

    assert found("start_date=2024-05-13T12:00:01") == [first.ulid, second.ulid]
    assert found("start_date=2024-05-13T12:00:02") == [first.ulid]
    assert found("end_date=2024-05-13T12:00:02") == [first.ulid, second.ulid]
    assert found("end_date=2024-05-13T12:00:01") == [second.ulid]
    assert found("end_date=2024-05-13T12:00:02&sort_by=-occurred_at") == [second.ulid, first.ulid]


@pytest.mark.slow
@pytest.mark.parametrize("sort_by", ["occurred_at", "-occurred_at"])
@pytest.mark.parametrize("date", ["start_date", "end_date"])
def test_a_date_leads_to_its_events_by_their_numbers(
    date: str,
    sort_by: str,
    api: Call,
    token: IssuedApiToken,
    tenant: Tenant,
    analyze: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(audit, "NEAR", 10)
    middle = [happened(tenant, f"{n}") for n in range(300)][150]
    analyze()
    at = quote(middle.occurred_at.isoformat())
    with CaptureQueriesContext(connection) as queries:
        page = api("GET", f"/api/v1/audit/events?limit=500&{date}={at}&sort_by={sort_by}", token).json()
    assert middle.ulid in [event["id"] for event in page["results"]]
    plans.prefer_indexes()
    found = [each["sql"] for each in queries if "FROM access_auditevent" in each["sql"].replace('"', "")]
    for number, statement in enumerate(found):
        plan = "\n".join(plans.steps(statement))
        column = "sequence" if number == len(found) - 1 else "occurred_at"
        assert re.search(rf"tenant_id ?= ?\S+ AND \(?{column} ?[<>]", plan), plan
        assert not re.search(r"TEMP B-TREE|Sort", plan), plan


@pytest.mark.parametrize(
    "query",
    [
        "start_date=yesterday",
        "end_date=2024-13-01",
        "start_date=0001-01-01T00:00:00%2B14:00",
        "end_date=9999-12-31T23:59:59-12:00",
        "sort_by=actor",
        "cursor=x",
    ],
)
def test_bad_parameters_name_their_field(query: str, api: Call, token: IssuedApiToken) -> None:
    answer = api("GET", f"/api/v1/audit/events?{query}", token)
    assert (answer.status_code, list(answer.json())) == (400, [query.split("=", maxsplit=1)[0]])


def test_a_page_has_100_events_or_as_many_as_are_asked_for_up_to_500(
    results: Callable[[str], list[dict[str, Any]]], tenant: Tenant
) -> None:
    for n in range(501):  # with the token's own there are 502
        happened(tenant, f"{n}")
    sizes = {"": 100, "limit=0": 100, "limit=x": 100, "limit=7": 7, "limit=500": 500, "limit=501": 500}
    assert {query: len(results(query)) for query in sizes} == sizes


@pytest.mark.parametrize("sort_by", ["occurred_at", "-occurred_at"])
def test_turning_round_leads_back_to_the_same_pages(
    sort_by: str, api: Call, token: IssuedApiToken, tenant: Tenant
) -> None:
    for n in range(5):  # with the token's own there are 6: three full pages
        happened(tenant, f"{n}")

    def page(url: str) -> tuple[list[str], str | None, str | None]:
        answer = api("GET", url.removeprefix("http://accuhive.api.iru.test"), token).json()
        return [event["id"] for event in answer["results"]], answer["next"], answer["previous"]

    def turn(url: str | None) -> str:
        assert url
        return url

    first = page(f"/api/v1/audit/events?limit=2&sort_by={sort_by}")
    second = page(turn(first[1]))
    third = page(turn(second[1]))
    assert (first[2], third[1]) == (None, None)
    back = page(turn(third[2]))
    assert back[0] == second[0]
    assert page(turn(back[1]))[0] == third[0]
    start = page(turn(back[2]))
    assert (start[0], start[2]) == (first[0], None)
    assert page(turn(start[1]))[0] == second[0]
