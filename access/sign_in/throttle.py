"""Limits on password attempts: counted per account and per network, and refused before anything is hashed."""

import hashlib
from collections.abc import Callable
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from access.addresses import network
from access.models import SignInAttempt
from access.sign_in.turns import Turns

ATTEMPTS = 10
WINDOW = timedelta(minutes=5)
turns = Turns()


class TooManyAttempts(Exception):
    """Refused without looking at the password; worth another try after `retry_after` seconds."""

    def __init__(self, retry_after: int) -> None:
        self.retry_after = retry_after


def count_attempt(account: str, address: str) -> list[int]:
    """Count one attempt against the account name and against the client's network, before anything is hashed.

    Raises TooManyAttempts after ten within five minutes. Pass the result to `clear_attempts` after a success.
    """
    keys = _keys(account, address)
    _refuse_beyond(ATTEMPTS - 1, keys)
    return _count(keys)


def clear_attempts(attempts: list[int]) -> None:
    """Remove a successful attempt from the count."""
    SignInAttempt.objects.filter(pk__in=attempts).delete()


def throttled[Result](check: Callable[[], Result], account: str, address: str) -> Result:
    """The result of `check`, which looks at a password; counted as an attempt unless the result is true.

    Raises TooManyAttempts.
    """
    keys = _keys(account, address)
    _refuse_beyond(ATTEMPTS - 1, keys)  # before it waits for a turn, which somebody else can use
    with turns.turn(network(address)) as granted:
        if not granted:
            raise TooManyAttempts(retry_after=1)
        attempts = _count(keys)
        try:
            result = check()
        except TooManyAttempts:  # the hasher was busy: this password was not looked at
            clear_attempts(attempts)
            raise
        if result:
            clear_attempts(attempts)
        return result


def _count(keys: list[str]) -> list[int]:
    now = timezone.now()
    with transaction.atomic():
        SignInAttempt.objects.filter(at__lt=now - WINDOW).delete()
        attempts = [SignInAttempt.objects.create(key=key, at=now).pk for key in keys]
    # Counted again once this attempt is visible to all: of many at the same moment, the last one sees all others.
    try:
        _refuse_beyond(ATTEMPTS, keys)
    except TooManyAttempts:
        clear_attempts(attempts)
        raise
    return attempts


def _refuse_beyond(allowed: int, keys: list[str]) -> None:
    now = timezone.now()
    for key in keys:
        recent = SignInAttempt.objects.filter(key=key, at__gt=now - WINDOW).order_by("-at").values_list("at", flat=True)
        if one_too_many := recent[allowed : allowed + 1]:
            raise TooManyAttempts(retry_after=int((one_too_many[0] + WINDOW - now).total_seconds()) + 1)


def _keys(account: str, address: str) -> list[str]:
    return [_key("account", account.strip().lower()), _key("address", network(address))]


def _key(kind: str, value: str) -> str:
    # A digest, so that the table is no list of addresses and account names.
    return hashlib.sha256(f"{kind}:{value}".encode()).hexdigest()
