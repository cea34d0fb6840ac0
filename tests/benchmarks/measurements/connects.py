"""A device that connects: its turn of the queue, without a server in between."""

from collections.abc import Iterator
from statistics import median

from tests.benchmarks.measurements import Context
from tests.benchmarks.tables import Table, against, short

QUERIES = 8.0
MILLISECONDS = 4.0  # of processor time
DEVICES = 5
TURNS = 8  # of each device in each round


def run(context: Context) -> Iterator[Table]:
    table = Table(
        f"{context.databases.version()}: connects of enrolled Macs, {context.fleet.size:,} devices",
        ("connect", "queries", "goal", "CPU ms", "goal"),
        "The most queries of a connect, without those that begin and end a transaction, and the median of its "
        "processor time in our process. The signature of the device is checked.",
    )
    with context.copied(context.fleet) as fleet:
        costs = context.inside(fleet, "connects", DEVICES, 1 + TURNS * context.rounds)
    for kind, found in costs.items():
        queries, cpu = max(found["statements"]), median(found["milliseconds"])
        table.rows.append(
            (
                kind,
                str(queries),
                against(queries, QUERIES, least=False),
                short(cpu),
                against(cpu, MILLISECONDS, least=False),
            )
        )
        context.say("  ".join(table.rows[-1]))
    yield table
