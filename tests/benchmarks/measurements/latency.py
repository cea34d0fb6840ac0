"""The slowest answers beside the usual ones, with many connections."""

from collections.abc import Iterator
from dataclasses import replace
from statistics import median

from tests.benchmarks.measurements import Context
from tests.benchmarks.measurements.comparisons import LIST, sample
from tests.benchmarks.servers import product
from tests.benchmarks.tables import Table, against, short, spread

CONNECTIONS = 64
GOAL = 3.0  # p99 / p50


def run(context: Context) -> Iterator[Table]:
    crowded = replace(context, connections=CONNECTIONS)
    table = Table(
        f"{context.databases.version()}: latency at {CONNECTIONS} connections",
        ("operation", "p50 ms", "p99 ms", "p99 / p50", "goal"),
    )
    fleet = context.fleet
    operations = {"device": [f"/api/v1/devices/{id}" for id in fleet.devices], "list": [LIST]}
    port, processes, threads = context.ports[0], context.processes, context.threads
    with product(fleet.url, context.directory, port, processes=processes, threads=threads) as ours:
        for operation, paths in operations.items():
            sample(crowded, ours, paths, fleet.headers, seconds=1)
            taken = [
                sample(crowded, ours, paths, fleet.headers, seconds=context.seconds) for _ in range(context.rounds)
            ]
            ratios = [each.p99 / each.p50 for each in taken]
            p50, p99 = median(each.p50 for each in taken), median(each.p99 for each in taken)
            goal = against(median(ratios), GOAL, least=False)
            table.rows.append((operation, short(p50), short(p99), spread(ratios), goal))
            context.say("  ".join(table.rows[-1]))
    yield table
