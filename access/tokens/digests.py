"""How a token's secret is kept: as a keyed digest, under a key that can be replaced."""

import hashlib
import hmac
import re
from typing import NamedTuple

from access.keyrings import keyring

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
        Digest(hmac.digest(key, message, hashlib.sha256).hex(), number) for number, key in keyring("IRU_TOKEN_KEYS")
    ]


def key_numbers() -> list[int]:
    """Numbers of the keys that are kept, newest first."""
    return [number for number, _ in keyring("IRU_TOKEN_KEYS")]
