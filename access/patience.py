"""Calls of something that may hang, such as a frozen database or a network file system that is gone."""

import queue
import threading
from collections.abc import Callable

from django.db import connection


class Patience[T]:
    """Calls `function` in a thread of its own, with a database connection of its own, and waits `seconds` for it.

    While a call hangs, no other one is begun. Raises TimeoutError, and what the function raises.
    """

    def __init__(self, function: Callable[[], T], seconds: float, *, name: str) -> None:
        self._function, self._seconds, self._name = function, seconds, name
        self._lock = threading.Lock()
        self._running: threading.Thread | None = None

    def __call__(self) -> T:
        results: queue.SimpleQueue[tuple[T | None, Exception | None]] = queue.SimpleQueue()
        with self._lock:
            if self._running is not None and self._running.is_alive():
                raise TimeoutError(f"{self._name} does not answer.")
            # A daemon: one that hangs does not keep the process from ending.
            self._running = threading.Thread(target=self._run, args=(results,), name=self._name, daemon=True)
            self._running.start()
        try:
            value, error = results.get(timeout=self._seconds)
        except queue.Empty:
            raise TimeoutError(f"{self._name} did not answer within {self._seconds:g} seconds.") from None
        if error is not None:
            raise error
        return value  # type: ignore[return-value] # None only where T has it

    def _run(self, results: "queue.SimpleQueue[tuple[T | None, Exception | None]]") -> None:
        try:
            results.put((self._function(), None))
        except Exception as error:  # noqa: BLE001 - the caller gets it
            results.put((None, error))
        finally:
            connection.close()
