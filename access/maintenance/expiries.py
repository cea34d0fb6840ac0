"""What expires, and is renewed by people. Rooms of other apps register theirs."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

SOON = timedelta(days=30)


@dataclass(frozen=True)
class Expiring:
    name: str
    at: datetime
    advice: str


# Each lists what expires before that moment, in every tenant.
expiring: list[Callable[[datetime], Iterable[Expiring]]] = []
