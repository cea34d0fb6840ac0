"""Reasons why rows or objects were left out, without a line for each of a thousand that have the same."""

from collections.abc import Iterator
from dataclasses import dataclass
from threading import Lock

MAX_KINDS = 50  # reasons that are kept


@dataclass(slots=True)
class _Problem:
    source: str
    reason: str
    count: int = 1

    def __str__(self) -> str:
        return self.reason if self.count == 1 else f"{self.reason} (and {self.count - 1:,} more like it)"


class Problems:
    """What was left out, by reason: the first of each with its source, and how many there are.

    A reason that quotes a value has it at the end, after a colon. Reasons that differ only in the value are the same.
    """

    def __init__(self) -> None:
        self._by_kind: dict[str, _Problem] = {}
        self.count = 0  # of all that was left out, whether its reason is kept or not
        self._lock = Lock()  # threads of a copy add to the same

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """(source of the first, reason) for each reason."""
        return ((problem.source, str(problem)) for problem in self._by_kind.values())

    def __iadd__(self, other: "Problems") -> "Problems":
        named = 0
        for problem in other._by_kind.values():
            self.add(problem.source, problem.reason, count=problem.count)
            named += problem.count
        self.count += other.count - named
        return self

    def add(self, source: object, reason: str, *, count: int = 1) -> None:
        kind = reason.partition(": ")[0]
        with self._lock:
            self.count += count
            if known := self._by_kind.get(kind):
                known.count += count
            elif len(self._by_kind) < MAX_KINDS:
                self._by_kind[kind] = _Problem(str(source), reason, count)

    def lines(self, most: int = MAX_KINDS) -> Iterator[str]:
        """Up to `most` reasons as lines for people, and how many rows or objects these lines leave out."""
        problems = list(self._by_kind.values())[:most]
        yield from (f"{problem.source}: {problem}" for problem in problems)
        if rest := self.count - sum(problem.count for problem in problems):
            yield f"… and {rest:,} more"
