"""What signing in leaves behind, removed by the workers."""

from django.core.management import call_command
from django.utils import timezone

from access.models import SignInAttempt
from access.sign_in.throttle import WINDOW
from access.tasks.backend import task


@task()
def clear_sessions() -> None:
    """Delete sessions that ended. Harmless when it runs twice."""
    call_command("clearsessions")


@task()
def clear_attempts() -> None:
    """Delete sign-in attempts that no longer count. Harmless when it runs twice."""
    SignInAttempt.objects.filter(at__lt=timezone.now() - WINDOW).delete()
