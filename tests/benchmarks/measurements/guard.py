"""The part of a call that asks who calls, whether they may, and how often they did."""

from collections.abc import Iterator

from tests.benchmarks.measurements import Context
from tests.benchmarks.tables import Table, against, short

GOALS = {"sqlite": 50.0, "postgresql": 100.0}  # microseconds of processor time
QUERIES = 1.0
BATCHES = 3  # in each round


def run(context: Context) -> Iterator[Table]:
    table = Table(
        f"{context.databases.version()}: token, permission, limit and usage of one call, without a server",
        ("CPU µs", "goal", "elapsed µs", "queries", "goal"),
        "A call for a tag, less the same call whose sender is known already: the median of batches of 1,000 calls. "
        "The processor time is that of our process; the elapsed time has the wait for the database as well.",
    )
    with context.copied(context.fleet) as fleet:
        costs = context.inside(fleet, "guard", fleet.host, fleet.secret, max(3, BATCHES * context.rounds))
    table.rows.append(
        (
            short(costs["cpu"]),
            against(costs["cpu"], GOALS[context.databases.kind], least=False),
            short(costs["elapsed"]),
            str(costs["queries"]),
            against(costs["queries"], QUERIES, least=False),
        )
    )
    context.say("  ".join(table.rows[0]))
    yield table
