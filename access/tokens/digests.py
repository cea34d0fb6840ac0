"""Keyed digests of token secrets, under numbered keys that can be rotated."""

import hashlib
import hmac
import re
from functools import lru_cache
from typing import NamedTuple

from access.keyrings import keyring

# Iru's own command line client accepts only tokens of this shape.
SHAPE = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    re.IGNORECASE | re.ASCII,
)


class Digest(NamedTuple):
    """HMAC-SHA-256 of a secret in hexadecimal, and the number of the key that made it."""

    value: str
    key_number: int


def digests(secret: str) -> list[Digest]:
    """The digests of `secret` under every configured key, newest key first.

    A fast digest is enough for 122 random bits. A slow one would let unauthenticated callers spend our CPU.
    """
    message = secret.lower().encode()
    found = []
    for number, key in keyring("IRU_TOKEN_KEYS"):
        digest = _keyed(key).copy()
        digest.update(message)
        found.append(Digest(digest.hexdigest(), number))
    return found


@lru_cache(maxsize=8)
def _keyed(key: bytes) -> hmac.HMAC:
    """An HMAC with this key and no message yet, to be copied: the key takes longer than the message of a token."""
    return hmac.new(key, digestmod=hashlib.sha256)


def key_numbers() -> list[int]:
    """Numbers of the configured keys, newest first."""
    return [number for number, _ in keyring("IRU_TOKEN_KEYS")]
