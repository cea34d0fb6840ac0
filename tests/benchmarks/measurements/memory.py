"""The resident memory of a server process: after its start, after calls of the API, and after pages."""

from collections.abc import Iterator

from tests.benchmarks import driver
from tests.benchmarks.driver import Client, Request
from tests.benchmarks.measurements import Context
from tests.benchmarks.measurements.pages import paths
from tests.benchmarks.tables import Table, against, short

GOAL = 110.0  # megabytes
VIEWS = 120


def run(context: Context) -> Iterator[Table]:
    table = Table(
        f"{context.databases.version()}: resident memory of a server process, {context.fleet.size:,} devices",
        ("after", "MB", "goal"),
    )
    data = context.pages_of(context.fleet.size)
    with context.serving(data.fleet) as server:

        def note(after: str) -> None:
            memory = server.memory()
            table.rows.append((after, short(memory), against(memory, GOAL, least=False)))
            context.say("  ".join(table.rows[-1]))

        note("the start")
        for requests in data.fleet.paths.values():
            driver.run(
                server.port,
                driver.gets(requests, data.fleet.headers),
                connections=context.connections,
                seconds=context.seconds * 2,
            )
        note(f"{context.seconds * 4:g} s of API calls")
        views, headers = list(paths(data).values()), context.session(data.fleet)
        with Client(server.port) as client:
            for number in range(VIEWS):
                client.fetch(Request(views[number % len(views)], headers))
        note(f"{VIEWS} page views, too")
    yield table
