"""Small requests while others write: each use of a token is tracked, and devices and tokens change beside."""

from collections import Counter
from collections.abc import Iterator
from statistics import median

from tests.benchmarks import driver
from tests.benchmarks.measurements import Context
from tests.benchmarks.tables import Table, against, short
from tests.faults.load import Load

PROCESSES = 2
GOAL = 15.0  # milliseconds, p99
WRITERS, TOKENS = 4, 2  # clients that change devices, and that create and revoke tokens
PAUSE = 0.05  # seconds of a client between two changes


def run(context: Context) -> Iterator[Table]:
    table = Table(
        f"{context.databases.version()}: calls for one device beside writers, {PROCESSES} processes",
        (
            "requests/s",
            "p50 ms",
            "p99 ms",
            "goal",
            "failed",
            "changes",
            "refused",
            "no answer or 5xx",
            "locked",
            "goal",
        ),
        f"{context.connections} connections ask for devices. Beside them {WRITERS} clients change devices and add "
        f"notes, and {TOKENS} create and revoke tokens. A change that is refused was answered from 400 on. The "
        "server's log says so often that the database is locked.",
    )
    with context.copied(context.fleet) as fleet, context.serving(fleet, processes=PROCESSES) as server:
        requests = driver.gets(fleet.paths["device"], fleet.headers)
        load = Load([server.port], fleet.secret, fleet.devices, writers=WRITERS, readers=0, tokens=TOKENS, pause=PAUSE)
        driver.run(server.port, requests, connections=context.connections, seconds=1)
        with load.running():
            taken = [
                driver.run(server.port, requests, connections=context.connections, seconds=context.seconds)
                for _ in range(context.rounds)
            ]
        log = server.log.read_text()
    statuses = Counter(call.status for call in load.calls)
    refused = sum(number for status, number in statuses.items() if isinstance(status, int) and status >= 400)
    failed, p99 = sum(each.failed for each in taken), median(each.p99 for each in taken)
    faults = sum(number for status, number in statuses.items() if isinstance(status, str) or status >= 500)
    locked = log.count("is locked")
    table.rows.append(
        (
            short(median(each.rate for each in taken)),
            short(median(each.p50 for each in taken)),
            short(p99),
            against(p99, GOAL, least=False),
            str(failed),
            f"{statuses.total():,}",
            str(refused),
            str(faults),
            str(locked),
            against(failed + faults + locked, 0, least=False),
        )
    )
    context.say("  ".join(table.rows[0]))
    yield table
