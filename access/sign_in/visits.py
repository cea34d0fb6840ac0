"""Sign-ins that a stranger begins without a name, such as with a passkey: counted, because each stores a session."""

from typing import Any

from django.http import HttpRequest

from access.addresses import client_address
from access.sign_in.attempts import Attempt, Purpose
from access.sign_in.throttle import clear_attempts, count_attempt

TRIED = "tried"  # in a session: the counted attempts that a success takes back
TIMEOUT = 15 * 60  # seconds that the session of such a sign-in lasts


def begin(request: HttpRequest, purpose: Purpose) -> None:
    """Count the attempt against the address. Raises TooManyAttempts."""
    tried: list[Any] = request.session.get(TRIED, [])
    tried += count_attempt(Attempt(purpose, "", client_address(request)))
    request.session[TRIED] = tried
    if not request.user.is_authenticated:
        request.session.set_expiry(TIMEOUT)


def succeed(request: HttpRequest) -> None:
    """The person has signed in: the attempts do not count any more."""
    clear_attempts(request.session.pop(TRIED, []))
