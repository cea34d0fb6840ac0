"""The pushes of one call of `PushClient.send`, and their results so far."""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence

from devices.mdm.push.results import CertificateRefused, Push, Result


class Batch:
    """`waiting` has the numbers of the pushes to send, in order. `missing` counts those without a result."""

    def __init__(self, pushes: Sequence[Push]) -> None:
        self.pushes = pushes
        self.waiting = deque(range(len(pushes)))
        self.missing = len(pushes)
        self.refused: CertificateRefused | None = None
        self.news = asyncio.Event()
        self._results: list[Result | None] = [None] * len(pushes)

    def settle(self, number: int, result: Result) -> None:
        """Set the result of a push."""
        self._results[number] = result
        self.missing -= 1
        if isinstance(result, CertificateRefused):
            self.refused = result
        self.news.set()

    def send_again(self, numbers: Iterable[int]) -> None:
        """Put pushes that APNs did not process before those that wait."""
        self.waiting.extendleft(sorted(numbers, reverse=True))
        self.news.set()

    def give_up(self, result: Result) -> None:
        """Set the result of all pushes that wait."""
        while self.waiting:
            self.settle(self.waiting.popleft(), result)

    def results(self) -> list[Result]:
        """Return the results in the order of the pushes, once none is missing."""
        return [result for result in self._results if result is not None]
