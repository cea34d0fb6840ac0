from datetime import timedelta

from django.db import models
from django.db.models.functions import Now

LEASE = timedelta(seconds=15)


class TaskLeaseQuerySet(models.QuerySet["TaskLease"]):
    def expired(self) -> "TaskLeaseQuerySet":
        """Leases that their workers no longer extend, by the clock of the database."""
        return self.filter(until__lt=Now())

    def extend(self) -> int:
        """Let these leases end 15 seconds from now, by the clock of the database. Returns their number."""
        return self.update(until=Now() + LEASE)


class TaskLease(models.Model):
    """Which worker runs a task, and until when that is believed. Only tasks that are running have a lease."""

    task = models.OneToOneField(
        "django_tasks_database.DBTaskResult", on_delete=models.CASCADE, primary_key=True, related_name="lease"
    )
    worker = models.CharField(max_length=64)
    until = models.DateTimeField()

    objects = TaskLeaseQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["until"], name="task_lease_until")]

    def __str__(self) -> str:
        return f"{self.task_id} by {self.worker} until {self.until:%Y-%m-%d %H:%M:%S}"


class Schedule(models.Model):
    """When a periodic task is enqueued next. The interval and the task are declared in code, under this name."""

    name = models.CharField(max_length=64, primary_key=True)
    next = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} at {self.next:%Y-%m-%d %H:%M:%S}"
