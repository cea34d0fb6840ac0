"""The password hasher: Argon2id, one at a time."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib.auth.hashers import Argon2PasswordHasher

from access.sign_in.attempts import TooManyAttempts
from access.sign_in.turns import LONGEST_WAIT

HASH_WAIT = LONGEST_WAIT  # other hashes, such as that of a new password, take no turn


class OneAtATimeArgon2(Argon2PasswordHasher):
    """Argon2id at OWASP's floor, one at a time per process, so that guessing passwords cannot starve the API."""

    time_cost = 2
    memory_cost = 19 * 1024
    parallelism = 1
    _turn = threading.Lock()

    def encode(self, password: str, salt: str) -> str:
        with self._waiting():
            return super().encode(password, salt)

    def verify(self, password: str, encoded: str) -> bool:
        with self._waiting():
            return super().verify(password, encoded)

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        if not self._turn.acquire(timeout=HASH_WAIT):
            raise TooManyAttempts(retry_after=1)
        try:
            yield
        finally:
            self._turn.release()
