"""The benchmarks: `uv run --group benchmarks python -m tests.benchmarks`, tables on standard output.

The first run builds the fleets, which takes minutes, and keeps them in `--directory`. `--measure filters` makes one
measurement, and `--only device:knox` one comparison. `--write` writes the tables of the run to docs/benchmarks.md.
"""

import argparse
import os
import platform
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from fcntl import LOCK_EX, LOCK_NB, flock
from importlib.metadata import version
from pathlib import Path

from tests.benchmarks import driver
from tests.benchmarks.databases import opened
from tests.benchmarks.fleets import fleet
from tests.benchmarks.measurements import (
    Context,
    comparisons,
    connects,
    filters,
    growth,
    guard,
    imports,
    latency,
    memory,
    pages,
    revocation,
    soak,
    tracked,
    writes,
)
from tests.benchmarks.peers import PEERS
from tests.benchmarks.servers import free_ports
from tests.benchmarks.tables import Table, summary
from tests.processes import ROOT

SOAK = "soak"
MEASUREMENTS: dict[str, Callable[[Context], Iterator[Table]]] = {
    "comparisons": comparisons.run,
    "latency": latency.run,
    "guard": guard.run,
    "filters": filters.run,
    "growth": growth.run,
    "tracked": tracked.run,
    "writes": writes.run,
    "revocation": revocation.run,
    "imports": imports.run,
    "connects": connects.run,
    "memory": memory.run,
    "pages": pages.run,
    SOAK: soak.run,
}
KINDS = ("sqlite", "postgresql")
SIZES = (10_000, 100_000)
MILLION = 1_000_000
FAILED = "failed"
DOCUMENT = ROOT / "docs" / "benchmarks.md"
PACKAGES = (
    "django",
    "granian",
    "djangorestframework",
    "django-rest-knox",
    "djangorestframework-api-key",
    "django-ninja",
    "psycopg",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    add = parser.add_argument
    add("--directory", type=Path, default=Path("/var/tmp/iru-benchmarks"), help="keeps the fleets between runs")
    add("--database", choices=KINDS, help="one alone")
    add("--devices", type=int, default=100_000, help="size of the measured fleet (default: %(default)s)")
    add("--million", action="store_true", help="measure the growth up to a million devices")
    add("--build", action="store_true", help="build the databases, and measure nothing")
    add("--measure", choices=MEASUREMENTS, action="append", help="one measurement alone; may be repeated")
    add("--soak", type=float, default=0.0, metavar="MINUTES", help="load the server for so long at the end, too")
    add("--only", action="append", default=[], help="device:knox, knox or list: these comparisons; may be repeated")
    add("--rounds", type=int, default=5)
    add("--seconds", type=float, default=4.0, help="of each run in a round (default: %(default)s)")
    add("--connections", type=int, default=16)
    add("--processes", type=int, default=1, help="of each server (default: %(default)s)")
    add("--threads", type=int, default=4, help="of each process (default: %(default)s)")
    add("--port", type=int, default=8300, help="the first port to try (default: %(default)s)")
    add("--write", action="store_true", help="write docs/benchmarks.md")
    options = parser.parse_args()
    start, load = time.monotonic(), os.getloadavg()[0]
    directory: Path = options.directory.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w") as lock:
        try:
            flock(lock, LOCK_EX | LOCK_NB)
        except OSError:
            raise SystemExit(f"Another run uses {directory}.") from None
        tables, databases = _run(options, directory)
    tables = [summary(tables), *tables]
    for table in tables:
        print(table.text())
    facts = [*_machine(), f"Databases: {', '.join(databases)}", *_run_facts(options, time.monotonic() - start, load)]
    print("\n" + "\n".join(facts))
    if options.write:
        DOCUMENT.write_text(_document(facts, tables))
    if any(table.title.endswith(FAILED) for table in tables):
        raise SystemExit(1)


def _run(options: argparse.Namespace, directory: Path) -> tuple[list[Table], list[str]]:
    found: dict[str, list[Table]] = {name: [] for name in MEASUREMENTS}
    versions: list[str] = []
    chosen = options.measure or (["comparisons"] if options.only else [name for name in MEASUREMENTS if name != SOAK])
    if options.soak and SOAK not in chosen:
        chosen = [*chosen, SOAK]
    sizes = {options.devices, *(size for size in SIZES if size < options.devices)}
    if options.million:
        sizes.add(MILLION)
    for kind in [options.database] if options.database else KINDS:
        with opened(kind, directory) as databases:
            versions.append(databases.version())
            context = Context(
                databases=databases,
                fleet=fleet(databases, options.devices, directory, _say),
                sizes=sorted(sizes),
                directory=directory,
                ports=free_ports(options.port, 3),
                rounds=options.rounds,
                seconds=options.seconds,
                connections=options.connections,
                processes=options.processes,
                threads=options.threads,
                only=options.only,
                soak=options.soak,
                say=_say,
            )
            if options.build:
                for size in sizes:
                    context.pages_of(size)
                continue
            for name in chosen:
                start = time.monotonic()
                try:
                    found[name] += MEASUREMENTS[name](context)
                except SystemExit as error:  # the others go on
                    found[name].append(
                        Table(f"{databases.version()}: {name} {FAILED}", ("reason",), rows=[(str(error),)])
                    )
                    _say(f"{kind}: {name} ended: {error}")
                _say(f"{kind}: {name} took {time.monotonic() - start:.0f} s")
    return [table for tables in found.values() for table in tables], versions


def _say(line: str) -> None:
    print(line, flush=True)


def _machine() -> list[str]:
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return [
        f"Machine: {model}, {os.cpu_count()} cores, {memory:.0f} GiB, Linux {platform.release()}",
        f"Versions: Python {platform.python_version()}, {packages}",
        f"Driver: {driver.name()}",
    ]


def _run_facts(options: argparse.Namespace, seconds: float, load: float) -> list[str]:
    servers = f"{options.processes} process(es) of {options.threads} threads"
    rounds = f"{options.rounds} rounds of {options.seconds:g} s, {options.connections} connections"
    took = f"{seconds / 60:.1f} minutes in all, load average {load:.1f} before"
    return [f"Run: {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {servers}, {rounds}, {took}"]


def _document(facts: list[str], tables: list[Table]) -> str:
    peers = [f"- `{name}`: {about}" for name, about in PEERS.items()]
    head = [
        "# Benchmarks",
        "",
        "Written by `uv run --group benchmarks python -m tests.benchmarks --write`. Where our server is compared with",
        "a peer, both are the same server software with as many processes and threads, and answer in turn from the",
        "same devices; before that, their answers are compared. A cell of a goal says the least or the most that the",
        "figure before it may be, and whether it is met. Another machine has other figures; compare the ratios.",
        "",
        *(f"- {fact}" for fact in facts),
        "",
        "The peers:",
        "",
        *peers,
        "",
    ]
    return "\n".join(head) + "\n" + "\n\n".join(table.markdown() for table in tables) + "\n"


if __name__ == "__main__":
    main()
