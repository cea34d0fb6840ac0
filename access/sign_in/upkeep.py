"""What signing in leaves behind, removed by the workers."""

from django.core.management import call_command

from access import attempts
from access.tasks.backend import task


@task()
def clear_sessions() -> None:
    """Delete sessions that ended. Harmless when it runs twice."""
    call_command("clearsessions")


@task()
def clear_attempts() -> None:
    """Delete attempts that no longer count. Harmless when it runs twice."""
    attempts.clear()
