"""Attempts of unknown callers, counted in the database and limited within a window."""

import hashlib
from collections.abc import Iterable
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from access.database import retried
from access.models import CountedAttempt

WINDOW = timedelta(minutes=5)


class BeyondLimit(Exception):
    """The limit of attempts under `key` is reached; the next may come in `wait` seconds."""

    def __init__(self, key: str, wait: int) -> None:
        self.key, self.wait = key, wait


def key_of(kind: str, value: str) -> str:
    # A digest, so that the table is no list of addresses and account names.
    return hashlib.sha256(f"{kind}:{value}".encode()).hexdigest()


def check(keys: Iterable[str], limit: int) -> None:
    """Raise BeyondLimit unless one more attempt under each key stays within `limit`."""
    _refuse_beyond(limit - 1, keys)


def count(keys: Iterable[str], limit: int) -> list[int]:
    """Count one attempt under each key; the result is for `forget`. Raises BeyondLimit, and then counts nothing."""
    keys = list(keys)
    check(keys, limit)
    now = timezone.now()

    @transaction.atomic
    def store() -> list[int]:
        clear()
        return [CountedAttempt.objects.create(key=key, at=now).pk for key in keys]

    counted = retried(store)
    # Counted again once this attempt is visible to all: of many at the same moment, the last one sees all others.
    try:
        _refuse_beyond(limit, keys)
    except BeyondLimit:
        retried(lambda: forget(counted))
        raise
    return counted


def forget(counted: list[int]) -> None:
    CountedAttempt.objects.filter(pk__in=counted).delete()


def clear() -> None:
    """Delete attempts that no longer count."""
    CountedAttempt.objects.filter(at__lt=timezone.now() - WINDOW).delete()


def _refuse_beyond(allowed: int, keys: Iterable[str]) -> None:
    now = timezone.now()
    for key in keys:
        recent = (
            CountedAttempt.objects.filter(key=key, at__gt=now - WINDOW).order_by("-at").values_list("at", flat=True)
        )
        if one_too_many := recent[allowed : allowed + 1]:
            raise BeyondLimit(key, int((one_too_many[0] + WINDOW - now).total_seconds()) + 1)
