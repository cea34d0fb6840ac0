"""The command that imports devices, each time into an empty database."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

from tests.benchmarks.fleets import Fleet
from tests.benchmarks.measurements import Context
from tests.benchmarks.scripts import run_script
from tests.benchmarks.servers import cpu_seconds, product_environment
from tests.benchmarks.tables import Table, against, short

GOAL_SIZE = 100_000
GOALS = {"sqlite": 35.0, "postgresql": 50.0}  # seconds for GOAL_SIZE devices
RATIO = 11.0  # to a tenth of the devices


def run(context: Context) -> Iterator[Table]:
    kind = context.databases.kind
    table = Table(
        f"{context.databases.version()}: import into an empty database",
        ("devices", "seconds", "goal", "CPU s", "database CPU s", "ratio", "goal"),
        "`manage.py import_devices` with a file of records as the device list answers them. The ratio is to the time "
        "of a tenth of the devices.",
    )
    taken: dict[int, float] = {}
    for size in context.sizes:
        seconds, own, database = _import(context, context.fleet_of(size))
        taken[size] = seconds
        tenth = taken.get(size // 10)
        table.rows.append(
            (
                f"{size:,}",
                short(seconds),
                against(seconds, GOALS[kind] if size == GOAL_SIZE else None, least=False),
                short(own),
                short(database),
                short(seconds / tenth) if tenth else "-",
                against(seconds / tenth, RATIO, least=False) if tenth else "-",
            )
        )
        context.say("  ".join(table.rows[-1]))
    yield table


def _import(context: Context, fleet: Fleet) -> tuple[float, float, float]:
    """Seconds of the import, of its processor time, and of that of the processes of the database server."""
    databases = context.databases
    empty = replace(fleet, name=f"import_{fleet.size}")
    file = context.directory / f"{empty.name}.json"
    _write(fleet, file)
    databases.copy(context.fleet_of(0).name, empty.name)
    try:
        postmaster = databases.pid()
        database = cpu_seconds(postmaster) if postmaster else 0.0
        begun, used = time.monotonic(), _children()
        command = ["manage.py", "import_devices", "--tenant", fleet.host.partition(".")[0], str(file)]
        run_script(product_environment(empty.url, context.directory), *command)
        seconds, used = time.monotonic() - begun, _children() - used
        database = cpu_seconds(postmaster) - database if postmaster else 0.0
        count = next(databases.texts(empty.name, "SELECT count(*) FROM devices_device"))
        if int(count) != fleet.size:
            raise SystemExit(f"The import has made {count} of {fleet.size} devices.")
        return seconds, used, database
    finally:
        databases.drop(empty.name)
        file.unlink()


def _children() -> float:
    """The processor time of all processes that were started here and have ended, in seconds."""
    usage = getrusage(RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _write(fleet: Fleet, file: Path) -> None:
    """The records of the fleet as one JSON array."""
    records = fleet.databases.texts(fleet.name, "SELECT record_json FROM devices_device ORDER BY id")
    with file.open("w") as output:
        output.write("[")
        for number, record in enumerate(records):
            output.write(f"{',' if number else ''}\n{record}")
        output.write("\n]\n")
