"""What the queue and the database need now and then."""

from collections.abc import Sequence
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection, transaction
from django.tasks import TaskResultStatus
from django_tasks_db.models import DBTaskResult

from access.retention import Kind, delete_old, register
from access.tasks.backend import task

SAMPLED = 1000  # rows of each index

FINISHED = register(
    Kind(
        name="finished tasks",
        setting="IRU_KEEP_TASKS",
        rows=lambda before: DBTaskResult.objects.filter(status=TaskResultStatus.SUCCESSFUL, finished_at__lt=before),
        age="finished_at",
        indexed=False,
    )
)
FAILED = register(
    Kind(
        name="failed tasks",
        setting="IRU_KEEP_FAILED_TASKS",
        rows=lambda before: DBTaskResult.objects.filter(status=TaskResultStatus.FAILED, finished_at__lt=before),
        age="finished_at",
        indexed=False,
    )
)


@task()
def prune_tasks() -> None:
    """Delete the rows of tasks that ended long ago. Harmless when it runs twice."""
    delete_old(FINISHED)
    delete_old(FAILED)


@task()
def optimize_database() -> None:
    """Refresh the statistics that SQLite chooses its plans by. Harmless when it runs twice."""
    refresh_statistics()


def refresh_after_migrations(using: str, plan: Sequence[Any] = (), **kwargs: Any) -> None:
    """After migrations, if there were any. With statistics of some indexes of a table alone, SQLite chooses badly."""
    if plan and using == DEFAULT_DB_ALIAS:
        refresh_statistics()


def refresh_statistics() -> None:
    """Have SQLite look at its tables, so that it chooses good plans. PostgreSQL does so by itself.

    `PRAGMA optimize` looks only at tables that its own connection has used, which are none for a task or a command.
    """
    if connection.vendor != "sqlite":
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"PRAGMA analysis_limit = {SAMPLED}")
        # Open connections read statistics together with the schema, and the schema again only after a change of it.
        cursor.execute("DROP TABLE IF EXISTS sqlite_stat1")
        cursor.execute("ANALYZE")
