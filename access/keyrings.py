"""Numbered keys from the environment, newest first: the first is used for new values, the others still work."""

import re
from functools import lru_cache

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


def keyring(setting: str) -> list[tuple[int, bytes]]:
    """(number, key) of every key in `setting`, newest first. Raises ImproperlyConfigured for a malformed setting."""
    return _parse(setting, tuple(getattr(settings, setting)))


@lru_cache(maxsize=4)
def _parse(setting: str, entries: tuple[str, ...]) -> list[tuple[int, bytes]]:
    keys = []
    for entry in entries:
        number, _, key = entry.partition(":")
        if not number.isdigit() or not re.fullmatch(r"[0-9a-fA-F]{64}", key):
            raise ImproperlyConfigured(f"{setting} holds <number>:<64 hexadecimal digits>, comma-separated.")
        keys.append((int(number), bytes.fromhex(key)))
    if not keys or len({number for number, _ in keys}) < len(keys):
        raise ImproperlyConfigured(f"{setting} needs at least one key, and a number of its own for each.")
    return keys


@lru_cache(maxsize=32)
def _derived(key: bytes, label: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=label.encode()).derive(key)


def derived_keyring(setting: str, label: str) -> list[tuple[int, bytes]]:
    """The keys of `keyring`, each derived anew for `label`: the use of a derived key reveals nothing about another."""
    return [(number, _derived(key, label)) for number, key in keyring(setting)]


def audit_keyring() -> list[tuple[int, bytes]]:
    """(number, key) of every key that audit events are chained under, newest first."""
    return [(1, settings.IRU_AUDIT_KEY.encode())]
