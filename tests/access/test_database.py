"""What errors of the database mean, as the two databases really raise them."""

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from io import StringIO
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.db import (
    DataError,
    InterfaceError,
    InternalError,
    OperationalError,
    ProgrammingError,
    close_old_connections,
    connection,
    transaction,
)
from django.db.utils import DatabaseErrorWrapper
from django.test import Client
from pytest_django import Settings

from access import sql
from access.database import Failure, allow_long_statements, failure_of
from access.logs import OutageFilter
from access.models import Administrator, Tenant
from access.postgresql.base import PAUSE, WAITS, LimitedConnection, Unanswered, connect
from tests.processes import ROOT, environment, wait_for
from tests.types import Call, IssueToken


def raised(work: Callable[[], object]) -> Exception:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - the caller says which one
        work()
    return caught.value


def on_postgresql(state: str) -> Exception:
    """Django's error for an SQLSTATE."""

    class Backend:
        Database = psycopg
        errors_occurred = False

    def work() -> None:
        with DatabaseErrorWrapper(Backend()):
            raise psycopg.errors.lookup(state)("said by the server")

    return raised(work)


@pytest.mark.parametrize(
    ("state", "kind", "failure"),
    [
        ("08006", OperationalError, Failure.AWAY),  # connection failure
        ("57P01", OperationalError, Failure.AWAY),  # an administrator stops the server
        ("57014", OperationalError, Failure.AWAY),  # statement_timeout
        ("55P03", OperationalError, Failure.AWAY),  # lock_timeout
        ("40P01", OperationalError, Failure.AWAY),  # deadlock
        ("53300", OperationalError, Failure.AWAY),  # too many connections
        ("25006", InternalError, Failure.AWAY),  # the node was demoted
        ("22003", DataError, Failure.VALUE),  # a number out of range
        ("54001", OperationalError, Failure.VALUE),  # a statement too complex
        ("42P01", ProgrammingError, None),  # no such table
        ("25P02", InternalError, None),  # a query after a failed one: our mistake
    ],
)
def test_an_sqlstate_means_this(state: str, kind: type[Exception], failure: Failure | None) -> None:
    error = on_postgresql(state)
    assert type(error) is kind
    assert failure_of(error) is failure


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (OperationalError("no route to host"), Failure.AWAY),
        (InterfaceError("connection already closed"), Failure.AWAY),
        (RuntimeError("OperationalError"), None),
        (None, None),
    ],
)
def test_without_a_code_the_connection_failed(error: Exception | None, failure: Failure | None) -> None:
    assert failure_of(error) is failure


@pytest.mark.django_db
def test_a_mistake_in_sql_is_no_lost_database() -> None:
    def work() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM nowhere")

    assert failure_of(raised(work)) is None


class TestApi:
    def test_a_filter_that_is_too_long_is_the_callers_mistake(self, api: Call, issue_token: IssueToken) -> None:
        token = issue_token("list_devices")
        for name in ("serial_number", "tag_name", "user", "blueprint_id"):
            response = api("GET", f"/api/v1/devices?{name}={'x' * 60_000}", token)
            assert (response.status_code, list(response.json())) == (400, [name])

    def test_the_log_names_the_request_and_the_error(
        self, api: Call, issue_token: IssueToken, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        token = issue_token("list_devices")
        for error, status in ((OperationalError("gone away"), 503), (RuntimeError("a slip"), 500)):
            caplog.clear()

            def fail(*arguments: object, error: Exception = error, **keywords: object) -> None:
                raise error

            monkeypatch.setattr("devices.api.operations.devices.record_page", fail)
            assert api("GET", "/api/v1/devices", token).status_code == status
            (record,) = [each for each in caplog.records if each.name == "devices.api.errors"]
            for part in ("GET", "/api/v1/devices", str(error)):
                assert part in record.getMessage()
            assert record.exc_info

    def test_the_openapi_document_logs_nothing(self, caplog: pytest.LogCaptureFixture) -> None:
        from devices.api import openapi

        openapi.document("https://accuhive.api.iru.test")
        assert not caplog.records


class TestOutageInTheLog:
    def record(self, error: Exception | None, **fields: Any) -> logging.LogRecord:
        info = (type(error), error, None) if error else None
        record = logging.LogRecord("django.request", logging.ERROR, "", 0, "failed", (), info)
        vars(record).update(fields)
        return record

    def test_the_first_traceback_and_a_count(self, caplog: pytest.LogCaptureFixture) -> None:
        outage = OutageFilter(interval=0.2)
        shown = [outage.filter(self.record(OperationalError("gone"))) for _ in range(1000)]
        assert shown == [True] + [False] * 999
        assert not outage.filter(self.record(None, status_code=503))
        assert outage.filter(self.record(RuntimeError("a slip"), status_code=500))
        wait_for(lambda: any("999 more times" in record.getMessage() for record in caplog.records), 10)

        wait_for(lambda: outage._timer is None, 10)  # the outage is over
        assert outage.filter(self.record(OperationalError("gone again")))

    def test_an_answer_of_503_is_no_error_of_the_server(self) -> None:
        assert not OutageFilter().filter(self.record(None, status_code=503))

    def test_the_log_of_the_product_has_it(self, settings: Any) -> None:
        assert settings.LOGGING["handlers"]["stderr"]["filters"] == ["outage"]


@pytest.mark.postgres_only
@pytest.mark.django_db(transaction=True)
class TestPostgresql:
    def cut(self) -> None:
        """End our connection, as a restart of the server or a firewall does."""
        with psycopg.connect(
            dbname=connection.settings_dict["NAME"],
            user=connection.settings_dict["USER"],
            host=connection.settings_dict["HOST"],
        ) as other:
            other.execute("SELECT pg_terminate_backend(%s)", [connection.connection.info.backend_pid])
        close_old_connections()  # as a server begins each request; the test client leaves it out

    @pytest.fixture
    def frozen(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], AbstractContextManager[None]]]:
        """Freezes the server's process of our connection, as a hanging disk does."""
        monkeypatch.setattr(LimitedConnection, "waits", WAITS)
        connection.close()

        @contextmanager
        def frozen() -> Iterator[None]:
            pid = connection.connection.info.backend_pid
            os.kill(pid, signal.SIGSTOP)
            try:
                yield
            finally:
                os.kill(pid, signal.SIGCONT)

        yield frozen
        LimitedConnection.unanswered_at.clear()
        close_old_connections()

    def test_a_cut_connection_costs_no_call_and_no_page(
        self, api: Call, issue_token: IssueToken, owner: Administrator
    ) -> None:
        token, pages = issue_token("list_devices"), Client()
        pages.force_login(owner)
        for ask in (lambda: api("GET", "/api/v1/devices", token), lambda: pages.get("/devices/")):
            ask()
            self.cut()
            assert ask().status_code == 200

    def test_the_check_costs_a_call_no_query(self, api: Call, issue_token: IssueToken) -> None:
        token = issue_token("list_devices")
        api("GET", "/api/v1/devices", token)
        close_old_connections()
        asked: list[str] = []
        usable = connection.is_usable
        connection.is_usable = lambda: asked.append("SELECT 1") or usable()  # type: ignore[method-assign,func-returns-value]
        try:
            assert api("GET", "/api/v1/devices", token).status_code == 200
        finally:
            del connection.is_usable
        assert not asked

    def test_a_query_that_fails_is_not_asked_twice(self) -> None:
        sql.rows("SELECT set_config(%s, %s, false)", "statement_timeout", "200ms")  # a server process has 2.8 seconds
        close_old_connections()
        before = connection.connection
        assert failure_of(raised(lambda: sql.rows("SELECT pg_sleep(%s)", 5))) is Failure.AWAY  # statement_timeout
        assert connection.connection is before
        connection.close()  # with its limit

    def test_a_frozen_server_ends_no_call_late(
        self,
        api: Call,
        issue_token: IssueToken,
        owner: Administrator,
        frozen: Callable[[], AbstractContextManager[None]],
    ) -> None:
        token, pages = issue_token("list_devices"), Client(raise_request_exception=False)
        pages.force_login(owner)

        def call() -> Any:
            close_old_connections()
            return api("GET", "/api/v1/devices", token)

        def open_page() -> Any:
            close_old_connections()
            return pages.get("/devices/")

        for ask in (call, open_page):
            assert ask().status_code == 200
            begun = time.monotonic()
            with frozen():
                refused = ask()
                assert time.monotonic() - begun < 3.5
                assert (refused.status_code, refused["Retry-After"]) == (503, "5")
                begun = time.monotonic()
                assert ask().status_code == 503, "no second wait, now for a new connection"
                assert time.monotonic() - begun < 0.5
            time.sleep(PAUSE)
            assert ask().status_code == 200, "a new connection"

    def test_a_server_that_accepts_no_connection_is_waited_for_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(LimitedConnection, "waits", WAITS)
        monkeypatch.setattr(LimitedConnection, "unanswered_at", {})
        with socket.create_server(("127.0.0.1", 0)) as frozen:  # the system accepts for it, and it says nothing
            target = {"host": "127.0.0.1", "port": frozen.getsockname()[1], "connect_timeout": 2}
            with pytest.raises(psycopg.errors.ConnectionTimeout):
                connect(**target)
            begun = time.monotonic()
            with pytest.raises(Unanswered):
                connect(**target)
            assert time.monotonic() - begun < 0.5

    def test_a_server_process_limits_its_waits_and_a_command_does_not(self) -> None:
        shown = "from access.postgresql.base import LimitedConnection; print(LimitedConnection.waits)"
        started = f"import iru.wsgi; {shown}"
        said = subprocess.check_output([sys.executable, "-c", started], cwd=ROOT, env=environment(), text=True)
        assert (said.strip(), LimitedConnection.waits) == (str(WAITS), None)

    def test_the_limits_of_the_server_are_for_requests_alone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        shown = "SELECT current_setting('statement_timeout'), current_setting('lock_timeout')"
        assert sql.rows(shown) == [("0", "2s")]
        monkeypatch.setattr(LimitedConnection, "waits", WAITS)
        connection.close()
        assert sql.rows(shown) == [("2800ms", "2s")]
        connection.close()

    def test_behind_a_pooler_the_role_has_the_limits(self, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
        call_command("limit_database_role", stdout=StringIO())
        try:
            settings.IRU_DATABASE_POOLER = "pgbouncer"
            monkeypatch.setitem(connection.settings_dict["OPTIONS"], "options", "")
            connection.close()
            shown = [sql.rows("SELECT current_setting(%s)", name)[0][0] for name in settings.IRU_DATABASE_LIMITS]
        finally:
            with connection.cursor() as cursor:
                cursor.execute(f"ALTER ROLE CURRENT_USER IN DATABASE {connection.settings_dict['NAME']} RESET ALL")
            connection.close()
        assert list(settings.IRU_DATABASE_LIMITS) == [
            "statement_timeout",
            "lock_timeout",
            "idle_in_transaction_session_timeout",
        ]
        assert shown == ["2800ms", "2s", "10s"]

    def test_work_that_may_take_long_may_until_its_transaction_ends(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(LimitedConnection, "waits", 0.3)
        monkeypatch.setattr(LimitedConnection, "unanswered_at", {})
        connection.close()
        with transaction.atomic():
            allow_long_statements()
            sql.rows("SELECT 1 FROM pg_sleep(%s)", 0.6)
        with pytest.raises(OperationalError, match="did not answer"):
            sql.rows("SELECT 1 FROM pg_sleep(%s)", 0.6)
        connection.close()

    def test_a_node_that_was_demoted_is_left(self, api: Call, issue_token: IssueToken) -> None:
        token = issue_token("list_devices", "create_tag")
        with connection.cursor() as cursor:
            cursor.execute("SET default_transaction_read_only = on")
        assert api("GET", "/api/v1/devices", token).status_code == 200
        refused = api("POST", "/api/v1/tags", token, json={"name": "Sales"})
        assert (refused.status_code, refused["Retry-After"]) == (503, "5")
        assert api("POST", "/api/v1/tags", token, json={"name": "Sales"}).status_code == 201


@pytest.mark.postgres_only
@pytest.mark.parametrize("number", [2**31, 2**32 + 5, -(2**31) - 1, 2**64])
def test_a_number_that_a_column_cannot_hold_is_refused(tenant: Tenant, number: int) -> None:
    """The driver would store its last 32 bits: 5 of the second one."""
    tenants = Tenant.objects.filter(pk=tenant.pk)
    with transaction.atomic():
        error = raised(lambda: tenants.update(calls_per_hour=number))
        transaction.set_rollback(True)
    assert failure_of(error) is Failure.VALUE
    assert tenants.update(calls_per_hour=2**31 - 1) == 1
    assert not tenants.filter(calls_per_hour=number).exists()
