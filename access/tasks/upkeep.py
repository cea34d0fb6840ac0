"""What the queue and the database need now and then."""

from datetime import timedelta

from django.db import connection
from django.db.models import Q
from django.tasks import TaskResultStatus
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from access.tasks.backend import task

SUCCESSFUL_STAY = timedelta(days=7)
FAILED_STAY = timedelta(days=30)


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
    """Have SQLite look at its tables, so that it chooses good plans. PostgreSQL does so by itself. Harmless twice."""
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA optimize")
