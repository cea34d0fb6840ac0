import os
import signal
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import Any

from django.apps import AppConfig

from tests.killing import AFTER, AMIDST, ARMED, BEFORE, POINTS


class KillingConfig(AppConfig):
    name = "tests.killing"

    def ready(self) -> None:
        for point, (moment, address) in POINTS.items():
            module, _, path = address.partition(":")
            owner: Any = import_module(module)
            *outer, name = path.split(".")
            for part in outer:
                owner = getattr(owner, part)
            # Its own: a point in a base class whose method is overridden would never be reached.
            setattr(owner, name, _wrapped(vars(owner)[name], moment, point))


def _wrapped[**P, R](function: Callable[P, R], moment: str, point: str) -> Callable[P, R]:
    @wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> Any:
        if moment == BEFORE:
            _end_if_armed(point)
        if moment == AMIDST and _is_armed(point):
            return _amidst(function, *args, **kwargs)
        result = function(*args, **kwargs)
        if moment == AFTER:
            _end_if_armed(point)
        return result

    return wrapped


def _amidst(function: Any, *args: Any, **kwargs: Any) -> Any:
    """Call the function. The process ends at the second read from its first argument, a file."""
    content, *rest = args
    return function(_Read(content), *rest, **kwargs)


class _Read:
    """A file that can be read once. The second read ends the process."""

    def __init__(self, file: Any) -> None:
        self._file, self._reads = file, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def read(self, *args: Any) -> Any:
        self._reads += 1
        if self._reads == 2:
            _end()
        return self._file.read(*args)


def _is_armed(point: str) -> bool:
    try:
        return Path(os.environ[ARMED]).read_text() == point
    except FileNotFoundError:
        return False


def _end_if_armed(point: str) -> None:
    if _is_armed(point):
        _end()


def _end() -> None:
    Path(os.environ[ARMED]).unlink()
    os.killpg(0, signal.SIGKILL)  # the process of the server and its parent process
