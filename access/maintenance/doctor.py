"""The examination of an installation: checks that each end in time, and whose failures never stop the others."""

import logging
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from django.db import DatabaseError, connection

LIMIT = 10.0  # seconds that a check may take

logger = logging.getLogger(__name__)


class Level(StrEnum):
    OK = "OK"
    NOTE = "note"  # nothing to do, and good to know
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Finding:
    """A sentence about the installation, and another one with what to do."""

    level: Level
    text: str
    advice: str = ""


@dataclass(frozen=True)
class Answer:
    """A finding of the check with that name."""

    check: str
    finding: Finding


type Check = Callable[[], Iterable[Finding]]

_checks: dict[str, Check] = {}


def register(name: str) -> Callable[[Check], Check]:
    """A check, under the name that `doctor` shows. They run in the order of their registration.

    Each runs in a thread with a database connection of its own.
    """

    def decorate(check: Check) -> Check:
        if name in _checks:
            raise ValueError(f"There are two checks with the name {name!r}.")
        _checks[name] = check
        return check

    return decorate


def examine(*, limit: float = LIMIT) -> Iterator[Answer]:
    """The findings of all checks, in their order."""
    for name, check in _checks.items():
        for finding in _within(limit, check):
            yield Answer(name, finding)


def ok(text: str) -> Finding:
    return Finding(Level.OK, text)


def note(text: str, advice: str = "") -> Finding:
    return Finding(Level.NOTE, text, advice)


def warning(text: str, advice: str) -> Finding:
    return Finding(Level.WARNING, text, advice)


def error(text: str, advice: str) -> Finding:
    return Finding(Level.ERROR, text, advice)


def _within(limit: float, check: Check) -> list[Finding]:
    answers: queue.SimpleQueue[list[Finding]] = queue.SimpleQueue()
    # A daemon: one that hangs does not keep the command from ending.
    threading.Thread(target=_run, args=(check, limit, answers), name="doctor", daemon=True).start()
    try:
        return answers.get(timeout=limit)
    except queue.Empty:
        return [error(f"No answer within {limit:g} seconds.", "Look at the service behind it, and at its network.")]


def _run(check: Check, limit: float, answers: "queue.SimpleQueue[list[Finding]]") -> None:
    findings: list[Finding] = []
    try:
        findings.extend(check())
    except DatabaseError as failure:
        findings.append(error(f"The database did not answer: {_line(failure)}", "See the check of the database."))
    except Exception as failure:  # the other checks go on
        logger.debug("A check failed.", exc_info=True)
        findings.append(
            error(f"The check failed: {type(failure).__name__}: {_line(failure)}", "Report it with this line.")
        )
    finally:
        connection.close()
        answers.put(findings)


def _line(failure: Exception) -> str:
    return (str(failure).strip() or "no message").splitlines()[0]
