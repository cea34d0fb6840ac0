"""One module for each measurement: `run(context)` yields its tables. `__main__` lists them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.databases import Databases
from tests.benchmarks.fleets import Fleet


@dataclass(frozen=True, slots=True)
class Context:
    """What a measurement works with. `only` names comparisons; empty for all."""

    databases: Databases
    fleet: Fleet
    directory: Path
    ports: list[int]
    rounds: int
    seconds: float
    connections: int
    processes: int
    threads: int
    only: list[str]
    say: Callable[[str], None]
