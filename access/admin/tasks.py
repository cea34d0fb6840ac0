"""Background tasks."""

from typing import Any

from django.contrib import admin
from django_tasks_db.models import DBTaskResult

# It takes Django's own classes for these tables away first.
import access.admin.site  # noqa: F401
from access.admin.base import ReadOnly


@admin.register(DBTaskResult)
class TaskAdmin(ReadOnly):
    list_display = ["enqueued_at", "task_path", "status", "attempts", "started_at", "finished_at"]
    list_filter = ["status"]
    search_fields = ["task_path"]
    ordering = ["-enqueued_at"]
    fields = [
        "id", "task_path", "args_kwargs", "status", "attempts", "enqueued_at", "started_at", "finished_at",
        "worker_ids", "exception_class_path", "traceback",
    ]  # fmt: skip

    @admin.display
    def attempts(self, task: DBTaskResult[..., Any]) -> int:
        return len(task.worker_ids)
