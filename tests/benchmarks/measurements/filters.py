"""Each documented filter and ordering of the device list, against the page without any, asked in turn."""

from collections.abc import Iterator
from statistics import median

from tests.benchmarks.driver import Client, Request
from tests.benchmarks.fleets import LIST
from tests.benchmarks.measurements import Context
from tests.benchmarks.tables import MISSED, Table, against, short

# The most that the median may be, times that of the unfiltered page.
GOALS = {"exact": 3.0, "ordering": 3.0, "contains": 10.0}
CALLS = 4  # of each filter in each round


def run(context: Context) -> Iterator[Table]:
    fleet = context.fleet
    table = Table(
        f"{context.databases.version()}: filters and orderings at {fleet.size:,} devices, one connection",
        ("filter", "compares", "value", "devices", "p50 ms", "unfiltered ms", "ratio", "goal"),
        "Pages of 300 devices. The ratio is the median of the calls with the filter to that of calls without any, "
        "which were made in turn with them.",
    )
    plain = Request(LIST, fleet.headers)
    with context.serving(fleet) as server, Client(server.port) as client:
        for call in context.inside(fleet, "filters"):
            filtered = Request(f"{LIST}&{call['query']}", fleet.headers)
            total = int(client.fetch(filtered).headers["X-Total-Count"])
            client.fetch(plain)
            taken: list[tuple[float, float]] = [
                (client.fetch(plain).milliseconds, client.fetch(filtered).milliseconds)
                for _ in range(CALLS * context.rounds)
            ]
            unfiltered, own = (median(each) for each in zip(*taken, strict=True))
            table.rows.append(
                (
                    call["name"],
                    call["kind"],
                    call["value"],
                    f"{total:,}",
                    short(own),
                    short(unfiltered),
                    short(own / unfiltered),
                    against(own / unfiltered, GOALS[call["kind"]], least=False),
                )
            )
    context.say("\n".join("  ".join(row) for row in table.rows if row[-1].endswith(MISSED)))
    yield table
