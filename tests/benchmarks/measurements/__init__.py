"""One module for each measurement: `run(context)` yields its tables. `__main__` lists them."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.benchmarks.databases import Databases
from tests.benchmarks.fleets import Fleet, PagesData, fleet, pages_data
from tests.benchmarks.scripts import run_script
from tests.benchmarks.servers import Running, product, product_environment


@dataclass(frozen=True, slots=True)
class Context:
    """What a measurement works with. `sizes` are those of all fleets; one of them is that of `fleet`.

    `only` names comparisons; empty for all.
    """

    databases: Databases
    fleet: Fleet
    sizes: list[int]
    directory: Path
    ports: list[int]
    rounds: int
    seconds: float
    connections: int
    processes: int
    threads: int
    only: list[str]
    soak: float  # minutes
    say: Callable[[str], None]

    def fleet_of(self, size: int) -> Fleet:
        return fleet(self.databases, size, self.directory, self.say)

    def pages_of(self, size: int) -> PagesData:
        """The fleet of that size with the content of large pages."""
        return pages_data(self.fleet_of(size), self.directory, self.say)

    def session(self, fleet: Fleet) -> dict[str, str]:
        """The headers of a browser that has signed in, on a fleet with the content of large pages."""
        return {"Host": "localhost", "Cookie": self.inside(fleet, "session"), "Accept-Encoding": "gzip"}

    @contextmanager
    def copied(self, original: Fleet) -> Iterator[Fleet]:
        """A copy of the fleet for a measurement that changes it."""
        name = f"changed_{original.size}"
        self.databases.copy(original.name, name)
        try:
            yield replace(original, name=name)
        finally:
            self.databases.drop(name)

    def serving(
        self, fleet: Fleet, *, place: int = 0, processes: int | None = None, threads: int | None = None
    ) -> AbstractContextManager[Running]:
        """Our server on that fleet. `place` is that of its port."""
        return product(
            fleet.url,
            self.directory,
            self.ports[place],
            processes=processes or self.processes,
            threads=threads or self.threads,
        )

    def inside(self, fleet: Fleet, script: str, *arguments: object) -> Any:
        """What a script of tests.benchmarks.inside prints as JSON. It runs with our settings, on that fleet."""
        module = f"tests.benchmarks.inside.{script}"
        printed = run_script(product_environment(fleet.url, self.directory), "-m", module, *map(str, arguments))
        return json.loads(printed.splitlines()[-1])
