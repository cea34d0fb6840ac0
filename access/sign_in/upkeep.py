"""What signing in leaves behind, removed by the workers."""

from access import attempts
from access.sign_in.sessions import SessionStore
from access.tasks.backend import task


@task()
def clear_sessions() -> None:
    """Delete sessions that ended. Harmless when it runs twice."""
    SessionStore.clear_expired()


@task()
def clear_attempts() -> None:
    """Delete attempts that no longer count. Harmless when it runs twice."""
    attempts.clear()
