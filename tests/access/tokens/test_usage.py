from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from access.models import ApiToken
from access.tokens import networks, usage
from access.tokens.usage import Call
from tests.types import Call as Api
from tests.types import IssueToken

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def no_notes_from_before() -> None:
    usage._uses.clear()
    networks._waiting.clear()


def note(token: ApiToken, at: datetime = NOW, address: str = "192.0.2.7") -> None:
    usage.track_use(token.id, Call(address), at, last_used_at=token.last_used_at)


def test_a_use_is_written_with_its_moment_and_address(issue_token: IssueToken) -> None:
    token = issue_token()
    note(token)
    token.refresh_from_db()
    assert token.last_used_at is None  # not before the flush
    usage.flush()

    token.refresh_from_db()
    assert (token.last_used_at, token.last_used_from) == (NOW, "192.0.2.7")


def test_a_second_use_within_a_minute_is_not_written(issue_token: IssueToken, django_assert_num_queries: Any) -> None:
    token = issue_token()
    note(token)
    usage.flush()
    token.refresh_from_db()

    note(token, NOW + timedelta(seconds=59))
    with django_assert_num_queries(0):
        usage.flush()
    note(token, NOW + timedelta(seconds=60), "192.0.2.9")
    usage.flush()
    token.refresh_from_db()
    assert token.last_used_from == "192.0.2.9"


def test_another_process_with_an_older_use_does_not_turn_the_clock_back(issue_token: IssueToken) -> None:
    token = issue_token()
    note(token)
    usage.flush()
    note(token, NOW - timedelta(seconds=30), "192.0.2.8")  # noted before the other's write was seen
    usage.flush()

    token.refresh_from_db()
    assert token.last_used_at == NOW


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("", None),
        ("unknown", None),
        ("2001:db8::1%eth0", "2001:db8::1"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
    ],
)
def test_a_strange_address_does_not_hold_up_the_others(issue_token: IssueToken, address: str, kept: str | None) -> None:
    strange, other = issue_token(), issue_token()
    note(other)
    note(strange, address=address)
    usage.flush()

    strange.refresh_from_db()
    other.refresh_from_db()
    assert (strange.last_used_at, strange.last_used_from) == (NOW, kept)
    assert other.last_used_at == NOW


def test_notes_outlive_a_lost_database(issue_token: IssueToken, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = [issue_token() for _ in range(3)]
    for token in tokens:
        note(token)

    def fail(*arguments: object) -> None:
        raise OperationalError("the server closed the connection")

    with monkeypatch.context() as lost:
        lost.setattr(usage, "_write", fail)
        with pytest.raises(OperationalError):
            usage.flush()
    usage.flush()

    assert set(ApiToken.objects.values_list("last_used_at", flat=True)) == {NOW}


def test_a_use_of_a_deleted_token_is_skipped(db: None) -> None:
    usage.track_use(uuid4(), Call(), NOW, last_used_at=None)
    usage.flush()
    assert not usage._uses


def test_many_tokens_are_few_transactions(issue_token: IssueToken, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage, "BATCH", 2)
    for _ in range(5):
        note(issue_token())
    networks.flush()
    with CaptureQueriesContext(connection) as queries:
        usage.flush()

    # The test is itself a transaction, so that one inside it is a savepoint.
    statements = [query["sql"].split()[0] for query in queries]
    assert statements.count("SAVEPOINT") == 3
    assert statements.count("UPDATE") == 5
    assert ApiToken.objects.filter(last_used_at=NOW).count() == 5


class TestCounts:
    @pytest.fixture(autouse=True)
    def no_counts_from_before(self) -> None:
        usage._calls.clear()
        usage._counts.clear()

    def counted(self, token: ApiToken) -> dict[str, tuple[int, int]]:
        return {use.operation: (use.calls, use.denied) for use in token.uses.all()}

    def test_calls_are_counted_by_operation_and_outcome(self, issue_token: IssueToken, api: Api) -> None:
        token = issue_token("list_users")
        for _ in range(3):
            assert api("GET", "/api/v1/users", token).status_code == 200
        assert api("GET", "/api/v1/tags", token).status_code == 403
        usage.flush()
        assert self.counted(token) == {"list_users": (3, 0), "list_tags": (0, 1)}
        assert token.uses.get(operation="list_tags").denied_at
        assert token.uses.get(operation="list_users").denied_at is None
        api("GET", "/api/v1/users", token)
        usage.flush()
        assert self.counted(token)["list_users"] == (4, 0)

    def test_a_call_writes_nothing_itself(self, issue_token: IssueToken, api: Api) -> None:
        token = issue_token("list_users")
        with CaptureQueriesContext(connection) as queries:
            assert api("GET", "/api/v1/users", token).status_code == 200
        assert queries
        assert all(query["sql"].lstrip().startswith("SELECT") for query in queries), "it would wait for other writers"
        token.refresh_from_db()
        assert (token.last_used_at, token.uses.exists()) == (None, False)

    def test_counts_that_cannot_be_written_are_kept(
        self, issue_token: IssueToken, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        token = issue_token()
        usage.count_call(token.id, "list_users", denied=False)

        def fail(*_: Any) -> None:
            raise OperationalError

        with monkeypatch.context() as patch:
            patch.setattr(usage, "_write_counts", fail)
            with pytest.raises(OperationalError):
                usage.flush()
        usage.count_call(token.id, "list_users", denied=False)
        usage.flush()
        assert self.counted(token) == {"list_users": (2, 0)}

    def test_a_batch_that_fails_half_way_counts_once(
        self, issue_token: IssueToken, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        token = issue_token()
        for operation in ("a", "b"):
            usage.count_call(token.id, operation, denied=False)
        write = usage._write_counts

        def fail_after(some: Any) -> None:
            write(some)
            raise OperationalError

        with monkeypatch.context() as patch:
            patch.setattr(usage, "_write_counts", fail_after)
            with pytest.raises(OperationalError):
                usage.flush()
        usage.flush()
        assert self.counted(token) == {"a": (1, 0), "b": (1, 0)}

    def test_a_token_that_is_gone_does_not_hold_up_the_others(self, issue_token: IssueToken) -> None:
        token = issue_token()
        usage.count_call(uuid4(), "list_users", denied=False)
        usage.count_call(token.id, "list_users", denied=False)
        usage.flush()
        assert self.counted(token) == {"list_users": (1, 0)}
        assert not usage._counts

    def test_old_days_are_forgotten(self, issue_token: IssueToken) -> None:
        token = issue_token()
        today = datetime.now(UTC).date()
        for days in (399, 401):
            token.uses.create(day=today - timedelta(days=days), operation="list_users", calls=1)
        usage.forget_uses.call()
        assert [(today - use.day).days for use in token.uses.all()] == [399]


def test_the_last_use_names_agent_and_operation_also_of_a_refused_call(issue_token: IssueToken, api: Api) -> None:
    token = issue_token()
    agent = "terraform/1.9 \0" + "x" * 300
    assert api("GET", "/api/v1/tags", token, headers={"User-Agent": agent}).status_code == 403
    usage.flush()
    token.refresh_from_db()
    assert token.last_used_at
    assert token.last_used_for == "list_tags"
    assert token.last_used_by.startswith("terraform/1.9 ")
    assert len(token.last_used_by) <= 200


@pytest.mark.postgres_only
@pytest.mark.django_db(transaction=True)
def test_no_use_waits_for_a_standby(issue_token: IssueToken) -> None:
    token, waits = issue_token(), []

    def look(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if sql.startswith(("UPDATE", "INSERT")):
            with connection.connection.cursor() as cursor:
                waits.append(cursor.execute("SHOW synchronous_commit").fetchone()[0])
        return execute(sql, *rest)

    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = on")  # the server of the tests never waits
    note(token)
    usage.count_call(token.id, "list_devices", denied=False)
    with connection.execute_wrapper(look):
        networks._waiting.clear()
        usage.flush()
    assert len(waits) >= 3
    assert set(waits) == {"off"}
    with connection.cursor() as cursor:
        cursor.execute("SHOW synchronous_commit")
        assert cursor.fetchone() == ("on",), "in all other transactions"
    connection.close()
