"""The slowest answers beside the usual ones, with many connections."""

from collections.abc import Iterator
from dataclasses import replace
from statistics import median

from tests.benchmarks.driver import gets
from tests.benchmarks.measurements import Context
from tests.benchmarks.measurements.comparisons import sample
from tests.benchmarks.tables import Table, against, short, spread

CONNECTIONS = 64
GOAL = 3.0  # p99 / p50


def run(context: Context) -> Iterator[Table]:
    crowded = replace(context, connections=CONNECTIONS)
    fleet = context.fleet
    table = Table(
        f"{context.databases.version()}: latency at {CONNECTIONS} connections, {fleet.size:,} devices",
        ("operation", "p50 ms", "p99 ms", "p99 / p50", "goal"),
    )
    with context.serving(fleet) as ours:
        for operation, paths in fleet.paths.items():
            requests = gets(paths, fleet.headers)
            sample(crowded, ours, requests, seconds=1)
            taken = [sample(crowded, ours, requests, seconds=context.seconds) for _ in range(context.rounds)]
            ratios = [each.p99 / each.p50 for each in taken]
            p50, p99 = median(each.p50 for each in taken), median(each.p99 for each in taken)
            goal = against(median(ratios), GOAL, least=False)
            table.rows.append((operation, short(p50), short(p99), spread(ratios), goal))
            context.say("  ".join(table.rows[-1]))
    yield table
