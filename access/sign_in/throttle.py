"""Limits on password attempts: counted per account and per network, and refused before anything is hashed."""

import hashlib
from collections.abc import Callable
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from access.addresses import network
from access.models import SignInAttempt
from access.sign_in.attempts import Attempt, Limit, Purpose, TooManyAttempts, report_failure
from access.sign_in.turns import Turns

ATTEMPTS = 10
WINDOW = timedelta(minutes=5)
turns = Turns()


def count_attempt(attempt: Attempt) -> list[int]:
    """Count one attempt against the account name and against the client's network, before anything is hashed.

    Raises TooManyAttempts after ten within five minutes. Pass the result to `clear_attempts` after a success.
    """
    _refuse_beyond(ATTEMPTS - 1, attempt)
    return _count(attempt)


def clear_attempts(attempts: list[int]) -> None:
    """Remove a successful attempt from the count."""
    SignInAttempt.objects.filter(pk__in=attempts).delete()


def throttled[Result](check: Callable[[], Result], attempt: Attempt) -> Result:
    """The result of `check`, which looks at a password; counted as an attempt unless the result is true.

    Raises TooManyAttempts.
    """
    _refuse_beyond(ATTEMPTS - 1, attempt)  # before it waits for a turn, which somebody else can use
    with turns.turn(network(attempt.address)) as granted:
        if not granted:
            raise TooManyAttempts(1, attempt=attempt)
        counted = _count(attempt)
        try:
            result = check()
        except TooManyAttempts as busy:  # the hasher was: this password was not looked at
            clear_attempts(counted)
            busy.attempt = attempt
            raise
        if result:
            clear_attempts(counted)
    if not result:
        report_failure(attempt)
    return result


def _count(attempt: Attempt) -> list[int]:
    now = timezone.now()
    with transaction.atomic():
        SignInAttempt.objects.filter(at__lt=now - WINDOW).delete()
        counted = [SignInAttempt.objects.create(key=key, at=now).pk for key in _keys(attempt).values()]
    # Counted again once this attempt is visible to all: of many at the same moment, the last one sees all others.
    try:
        _refuse_beyond(ATTEMPTS, attempt)
    except TooManyAttempts:
        clear_attempts(counted)
        raise
    return counted


def _refuse_beyond(allowed: int, attempt: Attempt) -> None:
    now = timezone.now()
    for limit, key in _keys(attempt).items():
        recent = SignInAttempt.objects.filter(key=key, at__gt=now - WINDOW).order_by("-at").values_list("at", flat=True)
        if one_too_many := recent[allowed : allowed + 1]:
            wait = int((one_too_many[0] + WINDOW - now).total_seconds()) + 1
            raise TooManyAttempts(wait, limit, attempt)


def _keys(attempt: Attempt) -> dict[Limit, str]:
    account = attempt.account.strip().lower()
    if attempt.purpose == Purpose.RESET:
        account = f"reset:{account}"  # asking for links pauses no sign-in of that person
    return {Limit.ACCOUNT: _key("account", account), Limit.ADDRESS: _key("address", network(attempt.address))}


def _key(kind: str, value: str) -> str:
    # A digest, so that the table is no list of addresses and account names.
    return hashlib.sha256(f"{kind}:{value}".encode()).hexdigest()
