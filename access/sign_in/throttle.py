"""Limits on password attempts: counted per account and per network, and refused before anything is hashed."""

import hashlib
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from access.addresses import network
from access.models import SignInAttempt

ATTEMPTS = 10
WINDOW = timedelta(minutes=5)
# One password is hashed and one waits for it. More of them would occupy so many of the server's few threads, and write
# so many attempts, that the API waited too: the limit per address does not stop a client with a thousand addresses.
hash_slots = threading.BoundedSemaphore(2)


class TooManyAttempts(Exception):
    """Refused without looking at the password; worth another try after `retry_after` seconds."""

    def __init__(self, retry_after: int) -> None:
        self.retry_after = retry_after


def count_attempt(account: str, address: str) -> list[int]:
    """Count one attempt against the account name and against the client's network, before anything is hashed.

    Raises TooManyAttempts after ten within five minutes. Pass the result to `clear_attempts` after a success.
    """
    now = timezone.now()
    keys = [_key("account", account.strip().lower()), _key("address", network(address))]
    _refuse_beyond(ATTEMPTS - 1, keys, now)
    with transaction.atomic():
        SignInAttempt.objects.filter(at__lt=now - WINDOW).delete()
        attempts = [SignInAttempt.objects.create(key=key, at=now).pk for key in keys]
    # Counted again once this attempt is visible to all: of many at the same moment, the last one sees all others.
    try:
        _refuse_beyond(ATTEMPTS, keys, now)
    except TooManyAttempts:
        clear_attempts(attempts)
        raise
    return attempts


def clear_attempts(attempts: list[int]) -> None:
    """Remove a successful attempt from the count."""
    SignInAttempt.objects.filter(pk__in=attempts).delete()


def throttled[Result](check: Callable[[], Result], account: str, address: str) -> Result:
    """The result of `check`, which looks at a password; counted as an attempt unless the result is true.

    Raises TooManyAttempts.
    """
    if not hash_slots.acquire(blocking=False):
        raise TooManyAttempts(retry_after=1)
    try:
        attempts = count_attempt(account, address)
        try:
            result = check()
        except TooManyAttempts:  # the hasher was busy: this password was not looked at
            clear_attempts(attempts)
            raise
        if result:
            clear_attempts(attempts)
        return result
    finally:
        hash_slots.release()


def _refuse_beyond(allowed: int, keys: list[str], now: datetime) -> None:
    for key in keys:
        recent = SignInAttempt.objects.filter(key=key, at__gt=now - WINDOW).order_by("-at").values_list("at", flat=True)
        if one_too_many := recent[allowed : allowed + 1]:
            raise TooManyAttempts(retry_after=int((one_too_many[0] + WINDOW - now).total_seconds()) + 1)


def _key(kind: str, value: str) -> str:
    # A digest, so that the table is no list of addresses and account names.
    return hashlib.sha256(f"{kind}:{value}".encode()).hexdigest()
