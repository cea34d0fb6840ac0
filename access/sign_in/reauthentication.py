"""The password asked for again, before a step that needs it fresh."""

from functools import partial

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone

from access.addresses import client_address
from access.models import Administrator
from access.sign_in.attempts import Attempt, Purpose
from access.sign_in.throttle import throttled

# Keys in a session: the moment of its last password, and of its first.
AUTHENTICATED_AT = "authenticated_at"
STARTED_AT = "started_at"


def confirm_password(request: HttpRequest, password: str) -> bool:
    """Whether this is the signed-in person's password; if so, the session counts as freshly authenticated.

    Raises TooManyAttempts like a sign-in.
    """
    administrator = request.user
    if not isinstance(administrator, Administrator):
        return False
    check = partial(administrator.check_password, password)
    if not throttled(check, Attempt(Purpose.CONFIRMATION, administrator.email, client_address(request))):
        return False
    request.session[AUTHENTICATED_AT] = int(timezone.now().timestamp())
    return True


def authenticated_recently(request: HttpRequest) -> bool:
    """Whether this session's password was given within the last ten minutes."""
    at: int = request.session.get(AUTHENTICATED_AT, 0)
    return timezone.now().timestamp() - at < settings.REAUTHENTICATION_TIMEOUT
