"""The person behind a session, asked for again before a step that needs it fresh."""

from collections.abc import Callable
from functools import partial
from typing import cast

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone

from access.addresses import client_address
from access.models import Administrator
from access.sign_in.attempts import Attempt, Purpose
from access.sign_in.authenticators import is_app_code, use_code
from access.sign_in.sessions import AUTHENTICATED_AT
from access.sign_in.throttle import counted, throttled


def confirm(request: HttpRequest, given: str) -> bool:
    """Whether this is the password of the signed-in person, or a code of their authenticator app.

    If so, the session counts as freshly authenticated. Raises TooManyAttempts like a sign-in.
    """
    person = request.user
    if isinstance(person, Administrator) and is_app_code(given):
        return _confirm(request, counted, lambda: use_code(person=person, code=given, address=client_address(request)))
    return confirm_password(request, given)


def confirm_password(request: HttpRequest, password: str) -> bool:
    """The same for the password alone."""
    person = request.user
    return isinstance(person, Administrator) and _confirm(request, throttled, partial(person.check_password, password))


def authenticated_now(request: HttpRequest) -> None:
    """Count the session as freshly authenticated."""
    request.session[AUTHENTICATED_AT] = int(timezone.now().timestamp())


def authenticated_recently(request: HttpRequest) -> bool:
    """Whether the person of this session proved within the last ten minutes who they are."""
    at: int = request.session.get(AUTHENTICATED_AT, 0)
    return timezone.now().timestamp() - at < settings.REAUTHENTICATION_TIMEOUT


def _confirm(request: HttpRequest, limited: Callable[..., object], check: Callable[[], object]) -> bool:
    person = cast("Administrator", request.user)
    if not limited(check, Attempt(Purpose.CONFIRMATION, person.email, client_address(request))):
        return False
    authenticated_now(request)
    return True
