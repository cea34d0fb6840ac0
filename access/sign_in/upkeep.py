"""What signing in leaves behind, removed by the workers."""

from access import attempts
from access.models import Session
from access.retention import Kind, delete_old, register
from access.tasks.backend import task

# A session that ended is worth nothing, so no setting keeps it.
ENDED = register(
    Kind(
        name="sessions that ended",
        setting="",
        rows=lambda before: Session.objects.filter(expire_date__lt=before),
        age="expire_date",
        indexed=True,
    )
)


@task()
def clear_sessions() -> None:
    """Delete sessions that ended. Harmless when it runs twice."""
    delete_old(ENDED)


@task()
def clear_attempts() -> None:
    """Delete attempts that no longer count. Harmless when it runs twice."""
    attempts.clear()
