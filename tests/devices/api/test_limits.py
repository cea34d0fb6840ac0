"""The limits of a tenant's calls, as its integrations meet them."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from access.audit import security
from access.audit.security import SecurityEvent, counts
from access.limits import leases
from access.models import Tenant
from devices.api import api as endpoint_api
from devices.api.routing import Operation
from tests.devices.api import examples
from tests.factories.access import ApiTokenFactory
from tests.types import Call, IssueToken, Response

GUARDED = [operation for operation in endpoint_api.operations if not operation.open]
NAMES = {
    "RateLimit-Limit",
    "RateLimit-Remaining",
    "RateLimit-Reset",
    "X-RateLimit-Limit-Hour",
    "X-RateLimit-Limit-Second",
    "X-RateLimit-Remaining-Hour",
    "X-RateLimit-Remaining-Second",
}


@pytest.fixture(autouse=True)
def nothing_taken(db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """SQLite gives the id of one test's tenant to the next, and its calls are not rolled back."""
    store = leases._in_file if connection.vendor == "sqlite" else leases._in_postgres
    monkeypatch.setattr(leases, "_store", lambda: store)
    forget()
    yield
    forget()


def forget() -> None:
    leases._leases.clear()
    if connection.vendor == "sqlite":
        leases._in_file._open().execute("DELETE FROM allowance")


def limit(tenant: Tenant, *, per_second: int, per_hour: int) -> None:
    tenant.calls_per_second, tenant.calls_per_hour = per_second, per_hour
    tenant.save()


def headers_of(response: Response) -> dict[str, str]:
    return {name: value for name, value in response.headers.items() if "ratelimit" in name.lower()}


def test_a_new_tenant_has_the_published_limits() -> None:
    tenant = Tenant()
    assert (tenant.calls_per_second, tenant.calls_per_hour) == (50, 10_000)


def test_answers_say_what_is_left(api: Call, tenant: Tenant, issue_token: IssueToken) -> None:
    limit(tenant, per_second=50, per_hour=10_000)
    token = issue_token("list_devices", "get_device")
    for path, status in [("/api/v1/devices", 200), ("/api/v1/users", 403), ("/api/v1/devices/1", 404)]:
        response = api("GET", path, token)
        assert response.status_code == status
        found = headers_of(response)
        assert found.keys() == NAMES
        assert (found["RateLimit-Limit"], found["X-RateLimit-Limit-Second"]) == ("50", "50")
        assert (found["X-RateLimit-Limit-Hour"], found["RateLimit-Reset"]) == ("10000", "1")
        assert 40 <= int(found["RateLimit-Remaining"]) == int(found["X-RateLimit-Remaining-Second"]) < 50
    assert found["X-RateLimit-Remaining-Hour"] == "9997"


def test_calls_beyond_the_limit_are_answered_429(api: Call, tenant: Tenant, issue_token: IssueToken) -> None:
    limit(tenant, per_second=2, per_hour=3)
    first, second, before = issue_token("list_devices"), issue_token(), counts()[SecurityEvent.CALLS_REFUSED]
    # Calls of all tokens count, with and without the permission.
    answers = [api("GET", "/api/v1/devices", token) for token in (first, second, first, second)]
    assert [answer.status_code for answer in answers] == [200, 403, 429, 429]
    refused = answers[-1]
    assert refused.json() == {"message": "API rate limit exceeded", "detail": "Request was throttled."}
    assert refused["Retry-After"] == "1"
    assert headers_of(refused)["RateLimit-Remaining"] == "0"
    assert headers_of(refused).keys() == NAMES
    assert counts()[SecurityEvent.CALLS_REFUSED] == before + 2


def test_an_hour_without_calls_left_says_when_the_next_may_come(
    api: Call, tenant: Tenant, issue_token: IssueToken
) -> None:
    limit(tenant, per_second=50, per_hour=1)
    token = issue_token("list_devices")
    answers = [api("GET", "/api/v1/devices", token) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert 3590 <= int(answers[1]["Retry-After"]) <= 3600
    assert headers_of(answers[1])["X-RateLimit-Remaining-Hour"] == "0"


@pytest.mark.sqlite_only
@pytest.mark.slow
@pytest.mark.parametrize("operation", GUARDED, ids=lambda operation: operation.id)
def test_every_operation_counts_and_is_refused_before_its_permission_is_tested(
    operation: Operation, api: Call, tenant: Tenant, issue_token: IssueToken
) -> None:
    path = examples.path(operation, examples.objects(operation, tenant))
    token = issue_token()
    limit(tenant, per_second=1, per_hour=1)
    answers = [api(operation.method, path, token, json=examples.body(operation)).status_code for _ in range(2)]
    assert answers[0] != 429
    assert answers[1] == 429


def test_only_calls_with_a_live_token_count(
    api: Call, tenant: Tenant, other_tenant: Tenant, issue_token: IssueToken
) -> None:
    limit(tenant, per_second=1, per_hour=1)
    token, foreign = issue_token("list_devices"), ApiTokenFactory.create(tenant=other_tenant)
    before = counts()[SecurityEvent.TOKEN_REFUSED]
    for secret in (None, "garbage", issue_token(revoked=True), issue_token(expired=True), foreign):
        refused = api("GET", "/api/v1/devices", secret, host=tenant.api_host)
        assert (refused.status_code, headers_of(refused)) == (401, {})
    assert counts()[SecurityEvent.TOKEN_REFUSED] == before + 4
    assert api("GET", "/app/v1/ping").status_code == 200
    assert api("GET", "/api/v1/devices", token).status_code == 200


def test_a_refused_token_and_a_refused_call_are_logged_with_their_address(
    api: Call, tenant: Tenant, issue_token: IssueToken, caplog: pytest.LogCaptureFixture
) -> None:
    security._unlogged.clear()
    limit(tenant, per_second=1, per_hour=1)
    token = issue_token("list_devices")
    api("GET", "/api/v1/devices", "garbage", REMOTE_ADDR="198.51.100.23")
    for _ in range(2):
        api("GET", "/api/v1/devices", token, REMOTE_ADDR="198.51.100.24")
    said = [vars(record) for record in caplog.records if record.name == "access.security"]
    assert [(each["security_event"], each["address"]) for each in said] == [
        ("token_refused", "198.51.100.23"),
        ("calls_refused", "198.51.100.24"),
    ]


def test_an_assistant_spends_the_calls_of_its_tenant(api: Call, tenant: Tenant, issue_token: IssueToken) -> None:
    limit(tenant, per_second=2, per_hour=2)
    token = issue_token("list_devices", mcp=True)
    message: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "list_devices"}}
    headers = {"accept": "application/json, text/event-stream"}
    called = api("POST", "/mcp", token, json=message, headers=headers)
    assert (called.status_code, called["X-RateLimit-Remaining-Hour"]) == (200, "1"), "a tool is no second call"
    assert api("GET", "/api/v1/devices", token).status_code == 200
    refused = api("POST", "/mcp", token, json=message, headers=headers)
    assert (refused.status_code, refused["Retry-After"]) == (429, "1800")
