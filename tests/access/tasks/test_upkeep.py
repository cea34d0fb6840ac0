"""The periodic tasks, run as a worker runs them."""

import sqlite3
from datetime import timedelta

import pytest
from django.core.management.sql import emit_post_migrate_signal
from django.db import connection
from django.db.migrations import Migration
from django.tasks import TaskResultStatus
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from access.models import CountedAttempt, Schedule, Session
from access.sign_in.upkeep import clear_attempts, clear_sessions
from access.tasks import schedules
from access.tasks.upkeep import optimize_database, prune_tasks
from tests.types import RunTasks

pytestmark = pytest.mark.django_db


def test_every_periodic_task_of_the_product_runs(run_tasks: RunTasks) -> None:
    schedules.store_missing()
    names = {"clear-sessions", "clear-attempts", "prune-tasks", "optimize-database"}
    assert names <= set(Schedule.objects.values_list("name", flat=True))
    schedules.enqueue_due()
    run_tasks()
    assert set(DBTaskResult.objects.values_list("status", flat=True)) == {TaskResultStatus.SUCCESSFUL}


def test_what_no_longer_counts_is_removed() -> None:
    now = timezone.now()
    for name, age in (("old", timedelta(minutes=6)), ("new", timedelta(minutes=4))):
        CountedAttempt.objects.create(key=name, at=now - age)
        Session.objects.create(session_key=name, session_data="", expire_date=now + timedelta(minutes=5) - age)
    clear_attempts.call()
    clear_sessions.call()
    assert [attempt.key for attempt in CountedAttempt.objects.all()] == ["new"]
    assert [session.session_key for session in Session.objects.all()] == ["new"]


def test_rows_of_tasks_stay_for_a_while(run_tasks: RunTasks) -> None:
    ages = {TaskResultStatus.SUCCESSFUL: (6, 8), TaskResultStatus.FAILED: (29, 31), TaskResultStatus.READY: (100,)}
    for status, days in ages.items():
        for age in days:
            row = optimize_database.enqueue()
            ended = timezone.now() - timedelta(days=age)
            DBTaskResult.objects.filter(id=row.id).update(status=status, finished_at=ended)
    prune_tasks.call()
    left = [(row.status, (timezone.now() - row.finished_at).days) for row in DBTaskResult.objects.all()]
    assert sorted(left) == [("FAILED", 29), ("READY", 100), ("SUCCESSFUL", 6)]


@pytest.mark.sqlite_only
@pytest.mark.django_db(transaction=True)
def test_statistics_reach_connections_that_are_open() -> None:
    with sqlite3.connect(connection.settings_dict["NAME"]) as server:
        optimize_database.call()
        before = server.execute("PRAGMA schema_version").fetchone()
        CountedAttempt.objects.create(key="new", at=timezone.now())
        optimize_database.call()
        assert server.execute("SELECT COUNT(*) FROM sqlite_stat1").fetchone() > (0,)
        # An open connection reads the statistics with the schema, and both again when this number changes.
        assert server.execute("PRAGMA schema_version").fetchone() != before
    server.close()


@pytest.mark.sqlite_only
@pytest.mark.parametrize(("plan", "refreshed"), [([(Migration("0001", "access"), False)], True), ([], False)])
def test_migrations_refresh_the_statistics(plan: list[tuple[Migration, bool]], refreshed: bool) -> None:
    CountedAttempt.objects.create(key="new", at=timezone.now())
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS sqlite_stat1")
        emit_post_migrate_signal(verbosity=0, interactive=False, db="default", plan=plan)
        cursor.execute("SELECT COUNT(*) FROM sqlite_master WHERE name = 'sqlite_stat1'")
        assert cursor.fetchone() == (refreshed,)
