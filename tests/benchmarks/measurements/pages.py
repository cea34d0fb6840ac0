"""The large pages of the website: how long the server needs for each, and its bytes on the wire."""

from collections.abc import Iterator
from statistics import median

from tests.benchmarks.driver import Client, Request
from tests.benchmarks.fleets import PagesData
from tests.benchmarks.measurements import Context
from tests.benchmarks.tables import Table, against, short

MILLISECONDS = 25.0
KILOBYTES = 60.0
VIEWS = 6  # of each page in each round


def paths(data: PagesData) -> dict[str, str]:
    return {
        "Devices": "/devices/",
        "Access": "/access/tokens/",
        "Activity": "/activity/",
        "Permission editor": f"/access/tokens/{data.token}/permissions/edit/",
        "Prism": "/prism/",
        "Prism: Applications": "/prism/apps/",
    }


def run(context: Context) -> Iterator[Table]:
    data = context.pages_of(context.fleet.size)
    counts = context.inside(data.fleet, "counts")
    table = Table(
        f"{context.databases.version()}: pages at {context.fleet.size:,} devices",
        ("page", "p50 ms", "goal", "CPU ms", "kB", "goal", "kB unpacked"),
        f"{counts['tokens']:,} tokens, {counts['events']:,} events and {counts['apps']:,} apps. One connection asks "
        "for each page in turn. The bytes are those of the answer to a browser that accepts gzip.",
    )
    with context.serving(data.fleet) as server, Client(server.port) as client:
        headers = context.session(data.fleet)
        for name, path in paths(data).items():
            request = Request(path, headers)
            plain = client.fetch(Request(path, headers | {"Accept-Encoding": "identity"}))
            answer = client.fetch(request)
            before = server.cpu_seconds()
            taken = [client.fetch(request).milliseconds for _ in range(VIEWS * context.rounds)]
            cpu = (server.cpu_seconds() - before) * 1000 / len(taken)
            size = len(answer.body) / 1000
            table.rows.append(
                (
                    name,
                    short(median(taken)),
                    against(median(taken), MILLISECONDS, least=False),
                    short(cpu),
                    short(size),
                    against(size, KILOBYTES, least=False),
                    short(len(plain.body) / 1000),
                )
            )
            context.say("  ".join(table.rows[-1]))
    yield table
