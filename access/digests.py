"""How a token's secret is kept: as a keyed digest, under a key that can be replaced."""

import hashlib
import hmac
import re
from functools import lru_cache
from typing import NamedTuple

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

# Iru's own client starts only with a token of this shape.
SHAPE = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    re.IGNORECASE | re.ASCII,
)


class Digest(NamedTuple):
    """HMAC-SHA-256 of a secret in hexadecimal, and the number of the key that made it."""

    value: str
    key_number: int


def digests(secret: str) -> list[Digest]:
    """The digests of `secret` under every key that is kept, newest key first.

    Fast on purpose: a secret of 122 random bits needs no slow hash, and a slow one would let strangers spend our time.
    """
    message = secret.lower().encode()
    return [
        Digest(hmac.digest(key, message, hashlib.sha256).hex(), number)
        for number, key in _keys()
    ]


@lru_cache(maxsize=1)
def _parse(lines: tuple[str, ...]) -> list[tuple[int, bytes]]:
    keys = []
    for line in lines:
        number, _, key = line.partition(":")
        if (
            not number.isdigit()
            or not re.fullmatch(r"[0-9a-fA-F]{64,}", key)
            or len(key) % 2
        ):
            raise ImproperlyConfigured(
                "IRU_TOKEN_KEYS holds <number>:<at least 64 hex digits>, comma-separated."
            )
        keys.append((int(number), bytes.fromhex(key)))
    if not keys or len({number for number, _ in keys}) < len(keys):
        raise ImproperlyConfigured(
            "IRU_TOKEN_KEYS needs at least one key, and a number of its own for each."
        )
    return keys


def _keys() -> list[tuple[int, bytes]]:
    return _parse(tuple(settings.IRU_TOKEN_KEYS))
