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
    """(number, key) of every key that audit events are chained under, newest first. Raises ImproperlyConfigured.

    A key is the text of the setting, as it always was for IRU_AUDIT_KEY, which is key 1.
    """
    return _parse_audit(settings.IRU_AUDIT_KEY, tuple(settings.IRU_AUDIT_KEYS))


@lru_cache(maxsize=4)
def _parse_audit(first: str, entries: tuple[str, ...]) -> list[tuple[int, bytes]]:
    keys: dict[int, bytes] = {}
    for entry in entries:
        number, _, key = entry.partition(":")
        # Key 1 may be from a time when any text was accepted.
        if not number.isdigit() or not key or (number != "1" and not re.fullmatch(r"[0-9a-fA-F]{64}", key)):
            raise ImproperlyConfigured("IRU_AUDIT_KEYS holds <number>:<64 hexadecimal digits>, comma-separated.")
        if int(number) in keys:
            raise ImproperlyConfigured("IRU_AUDIT_KEYS needs a number of its own for each key.")
        keys[int(number)] = key.encode()
    if first and keys.setdefault(1, first.encode()) != first.encode():
        raise ImproperlyConfigured("IRU_AUDIT_KEY is key 1, and IRU_AUDIT_KEYS has another key 1. Remove one of them.")
    if not keys:
        raise ImproperlyConfigured("IRU_AUDIT_KEYS needs at least one key.")
    return list(keys.items())
