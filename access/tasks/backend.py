"""Django's task framework with its queue in our database, and how a task of this project is declared.

A task runs **at least once**. A transaction that is rolled back enqueues nothing, and a worker that is killed in the
middle loses nothing: another one runs the task again from its beginning. So a task may run twice, and each one carries
a key of its own that makes a second run harmless. Arguments are stored as they are and shown to operators: pass ids,
never a secret.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.tasks import Task
from django_tasks_db import DatabaseBackend

CHANNEL = "iru_tasks"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetriedTask[**P, R](Task[P, R]):
    """A task that says how often it is run again after an exception."""

    retries: int = 0


class TaskBackend(DatabaseBackend):
    """The queue in the database. On PostgreSQL, a waiting worker hears of a new task when its transaction commits."""

    task_class = RetriedTask

    def enqueue(self, *args: Any, **kwargs: Any) -> Any:
        result: Any = super().enqueue(*args, **kwargs)
        wake_worker()
        return result


def wake_worker() -> None:
    """Have a waiting worker look into the queue, once this is committed. Without PostgreSQL, workers poll."""
    connection = connections[DEFAULT_DB_ALIAS]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            # PostgreSQL delivers it with the commit, and drops it with the transaction.
            cursor.execute(f"NOTIFY {CHANNEL}")


def task[**P, R](*, retries: int = 0) -> Callable[[Callable[P, R]], Task[P, R]]:
    """Declare a function of a module as a task: `@task(retries=3)`, then `function.enqueue(…)`.

    It runs at least once, in a worker. After an exception it is run again up to `retries` times, later each time; by
    default it is not. A task whose worker is lost is run again in any case.
    """

    def declare(function: Callable[P, R]) -> Task[P, R]:
        return RetriedTask(func=function, retries=retries)

    return declare
