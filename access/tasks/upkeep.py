"""What the queue and the database need now and then."""

from datetime import timedelta

from django.db import connection, transaction
from django.db.models import Q
from django.tasks import TaskResultStatus
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from access.tasks.backend import task

SUCCESSFUL_STAY = timedelta(days=7)
FAILED_STAY = timedelta(days=30)
SAMPLED = 1000  # rows of each index


@task()
def prune_tasks() -> None:
    """Delete the rows of tasks that ended long ago. Harmless when it runs twice."""
    now = timezone.now()
    DBTaskResult.objects.filter(
        Q(status=TaskResultStatus.SUCCESSFUL, finished_at__lt=now - SUCCESSFUL_STAY)
        | Q(status=TaskResultStatus.FAILED, finished_at__lt=now - FAILED_STAY)
    ).delete()


@task()
def optimize_database() -> None:
    """Refresh the statistics that SQLite chooses its plans by. Harmless when it runs twice."""
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
