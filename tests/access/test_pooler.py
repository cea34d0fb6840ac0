"""Poolers before PostgreSQL: which are refused, and what a process does that finds one."""

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from pytest_django import Settings

from access.management.serving import check_database
from access.postgresql import pooler
from access.postgresql.pooler import Pooler, judge_pooler
from iru.databases import pooler as setting
from iru.databases import postgresql_options

LIMITS = {"statement_timeout": "2s"}


@pytest.mark.parametrize(
    ("version", "prepared", "kind", "said"),
    [
        ("PgBouncer 1.18.0", 200, "pgbouncer", "wrong rows"),
        ("PgBouncer 1.18.0", None, "", "wrong rows"),
        ("PgBouncer 1.21.0", 0, "pgbouncer", "max_prepared_statements = 0"),
        ("PgBouncer 1.21.0", 200, "pgbouncer", None),
        ("PgBouncer 1.25.2", 200, "pgbouncer", None),
        ("PgBouncer 1.25.2", 200, "", "IRU_DATABASE_POOLER is not set"),
        ("PgBouncer 1.25.2", 0, "other", None),
        ("Odyssey", None, "pgbouncer", "does not tell"),
        (None, None, "pgbouncer", "does not tell"),
        (None, None, "other", None),
        (None, None, "", "IRU_DATABASE_POOLER is not set"),
    ],
)
def test_poolers_that_mix_up_statements_are_refused(
    version: str | None, prepared: int | None, kind: str, said: str | None
) -> None:
    refusal = judge_pooler(Pooler(version, prepared), kind)
    assert (said is None) if refusal is None else (said is not None and said in refusal.text)


@pytest.mark.postgres_only
@pytest.mark.django_db
def test_no_server_and_no_worker_starts_behind_such_a_pooler(monkeypatch: pytest.MonkeyPatch) -> None:
    check_database()
    monkeypatch.setattr(pooler, "find_pooler", lambda: Pooler("PgBouncer 1.18.0", 0))
    with pytest.raises(CommandError, match="wrong rows"):
        check_database()


@pytest.mark.postgres_only
@pytest.mark.django_db
def test_the_limits_of_a_role_are_not_set_through_a_pooler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("access.management.commands.limit_database_role.find_pooler", Pooler)
    with pytest.raises(CommandError, match="of the database"):
        call_command("limit_database_role")


@pytest.mark.sqlite_only
@pytest.mark.django_db
def test_sqlite_has_neither(settings: Settings) -> None:
    settings.IRU_DATABASE_POOLER = "pgbouncer"
    check_database()
    with pytest.raises(CommandError, match="no roles"):
        call_command("limit_database_role")


def test_a_connection_behind_a_pooler_brings_no_parameters_of_a_session() -> None:
    assert postgresql_options(LIMITS, "")["options"] == "-c statement_timeout=2s"
    assert "options" not in postgresql_options(LIMITS, "pgbouncer")
    assert postgresql_options(LIMITS, "pgbouncer")["prepare_threshold"] == 5
    assert postgresql_options(LIMITS, "other")["prepare_threshold"] is None
    with pytest.raises(ImproperlyConfigured, match="pgbouncer or other"):
        setting("PgBouncer")
