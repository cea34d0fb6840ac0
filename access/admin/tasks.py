"""Background tasks: what waits, runs and failed. A failed one can be run again."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.tasks import TaskResultStatus
from django_tasks_db.models import DBTaskResult, get_date_max

# It takes Django's own classes for these tables away first.
import access.admin.site  # noqa: F401
from access.admin.base import ReadOnly, operator
from access.installation.tasks import run_again


@admin.register(DBTaskResult)
class TaskAdmin(ReadOnly):
    noun, nouns = "task", "tasks"
    group = "Operation"
    tenant_path = ""
    target_type = "task"
    list_display = ["task_path", "status", "attempts", "enqueued_at", "started_at", "finished_at"]
    list_filter = ["status"]
    search_fields = ["task_path"]
    ordering = ["-enqueued_at"]
    fields = [
        "id", "task_path", "args_kwargs", "status", "attempts", "enqueued_at", "due", "started_at", "finished_at",
        "worker_ids", "exception_class_path", "traceback",
    ]  # fmt: skip
    actions = ["again"]
    buttons = {"again": "Run again"}

    def has_repeat_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("django_tasks_database.change_dbtaskresult")

    def may_offer(self, name: str, obj: Any) -> bool:
        return bool(obj.status == TaskResultStatus.FAILED)

    def name_of(self, obj: Any) -> str:
        return str(obj.task_path)

    @admin.display(description="Not before")
    def due(self, task: Any) -> Any:
        return "At once" if task.run_after == get_date_max() else task.run_after

    @admin.display
    def attempts(self, task: DBTaskResult[..., Any]) -> int:
        return len(task.worker_ids)

    @admin.action(description="Run again", permissions=["repeat"])
    def again(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for task in queryset:
            try:
                run_again(task_id=task.pk, actor=operator(request))
            except ValidationError as error:
                self.message_user(request, f"{task.task_path}: {' '.join(error.messages)}", messages.ERROR)
            else:
                self.message_user(request, f"{task.task_path} is in the queue again.")
