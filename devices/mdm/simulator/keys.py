"""Private keys for simulated devices. An RSA key takes a part of a second to make, so devices can share a few."""

from collections.abc import Callable
from itertools import count
from threading import Lock

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

type KeySource = Callable[[int], RSAPrivateKey]


def new_key(bits: int) -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=bits)


class KeyPool:
    """A source of keys that makes `size` of each length, and then gives the same ones again in turn.

    A device that renews its certificate gets another key than before if the pool has more than one.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._keys: dict[int, list[RSAPrivateKey]] = {}
        self._turns = count()
        self._lock = Lock()

    def __call__(self, bits: int) -> RSAPrivateKey:
        with self._lock:
            made = self._keys.setdefault(bits, [])
            if len(made) < self.size:
                made.append(new_key(bits))
                return made[-1]
            return made[next(self._turns) % self.size]
