"""The turns to check a password: one at a time, and one place to wait in."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

LONGEST_WAIT = 0.5  # seconds


@dataclass(eq=False, slots=True)
class _Waiting:
    network: str
    decided: threading.Event = field(default_factory=threading.Event)
    granted: bool = False


class Turns:
    """One password is checked and one waits for it. No network has both places while another one asks for a turn.

    More places would occupy so many of the server's few threads, and write so many attempts, that the API waited too:
    the limit for each network does not stop a client with a thousand of them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holder: str | None = None  # the network whose password is being checked
        self._waiting: _Waiting | None = None

    @contextmanager
    def turn(self, network: str) -> Iterator[bool]:
        """Whether it is this network's turn inside the block; the turn ends with the block."""
        granted = self._take(network)
        try:
            yield granted
        finally:
            if granted:
                self._hand_over()

    def _take(self, network: str) -> bool:
        with self._lock:
            if self._holder is None:
                self._holder = network
                return True
            if self._waiting is not None:
                if self._waiting.network != self._holder or self._holder == network:
                    return False
                self._waiting.decided.set()  # its network has the other place too, so it gives way
            mine = self._waiting = _Waiting(network)
        mine.decided.wait(LONGEST_WAIT)
        with self._lock:
            if self._waiting is mine:
                self._waiting = None
            return mine.granted

    def _hand_over(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, None
            self._holder = waiting.network if waiting else None
            if waiting:
                waiting.granted = True
                waiting.decided.set()
