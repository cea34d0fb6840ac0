"""Our server against each peer in turn: the same devices, the same answers, rounds one after the other."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

from tests.benchmarks import driver
from tests.benchmarks.driver import Request, gets
from tests.benchmarks.fleets import PeerData, peer_data
from tests.benchmarks.measurements import Context
from tests.benchmarks.peers import CONSTANT, FRAMEWORKS, PEERS
from tests.benchmarks.servers import Running, cpu_seconds, peer
from tests.benchmarks.tables import Table, against, short, spread

WARM_UP = 1.0  # seconds
# A slow peer is given the time for so many calls, up to so many seconds: a rate of a few calls is no figure.
CALLS, LONGEST = 50, 15.0
OPERATIONS = ("device", "list")
# The least ratio of requests a second, ours to the peer's, by database.
GOALS = {
    ("sqlite", "list", "knox"): 120.0,
    ("postgresql", "list", "knox"): 70.0,
    ("sqlite", "device", "knox"): 18.0,
    ("postgresql", "device", "knox"): 11.0,
    ("sqlite", "device", "bare"): 0.60,
    ("postgresql", "device", "bare"): 0.35,
    ("sqlite", "list", "bare"): 0.35,
    ("postgresql", "list", "bare"): 0.25,
}


@dataclass(frozen=True, slots=True)
class Sample:
    """One run against one server: requests a second, and milliseconds. `cpu` and `database` are for each request."""

    rate: float
    p50: float
    p99: float
    cpu: float
    database: float


def sample(context: Context, server: Running, requests: Sequence[Request], *, seconds: float) -> Sample:
    """Raises SystemExit if a request fails."""
    postmaster = context.databases.pid()
    before = server.cpu_seconds(), cpu_seconds(postmaster) if postmaster else 0.0
    result = driver.run(server.port, requests, connections=context.connections, seconds=seconds)
    used = server.cpu_seconds() - before[0]
    database = cpu_seconds(postmaster) - before[1] if postmaster else 0.0
    if result.failed or not result.requests:
        raise SystemExit(f"Port {server.port}: {result.failed} of {result.requests} requests failed.")
    milliseconds = 1000 / result.requests
    return Sample(result.rate, result.p50, result.p99, used * milliseconds, database * milliseconds)


def run(context: Context) -> Iterator[Table]:
    """One table, with a row for each operation and peer."""
    chosen = [(name, operation) for name in PEERS for operation in OPERATIONS if _chosen(context, operation, name)]
    if not chosen:
        raise SystemExit(f"No comparison is called {' or '.join(context.only)}.")
    fleet = context.fleet
    data = peer_data(fleet, context.directory, context.say)
    table = Table(
        f"{context.databases.version()}: {fleet.size:,} devices, {context.connections} connections",
        ("operation : peer", "ratio", "goal", "requests/s", "CPU ms", "database ms", "p50 ms", "p99 ms", "MB a worker"),
        "The ratio is requests a second, ours to the peer's: the median of the rounds, the lowest and the highest. "
        "Where a cell has two figures, ours is the first.",
    )
    for name in dict.fromkeys(name for name, _ in chosen):
        # Our server starts again for each peer: its memory grows with the calls, and the peer is new as well.
        with context.serving(fleet) as ours, _peer(context, name, data) as other:
            for operation in (operation for each, operation in chosen if each == name):
                table.rows.append(_compare(context, (operation, name), ours, other, data))
                context.say("  ".join(table.rows[-1]))
    yield table


@contextmanager
def _peer(context: Context, name: str, data: PeerData) -> Iterator[Running]:
    """The peer. One that answers constant bytes gets those of our server, which runs."""
    bodies = None
    if name in CONSTANT:
        bodies = context.directory / "bodies"
        bodies.mkdir(exist_ok=True)
        for operation, paths in context.fleet.paths.items():
            (bodies / operation).write_bytes(driver.get(context.ports[0], paths[0], context.fleet.headers))
    with peer(
        name,
        data.url,
        context.directory,
        context.ports[1],
        bodies=bodies,
        processes=context.processes,
        threads=context.threads,
    ) as running:
        yield running


def _chosen(context: Context, operation: str, peer: str) -> bool:
    return not context.only or bool({operation, peer, f"{operation}:{peer}"} & set(context.only))


def _check(context: Context, name: str, paths: Sequence[str], headers: Mapping[str, str]) -> None:
    """Raises SystemExit unless the peer answers the same JSON as we do. The constant bytes are of the first path."""
    for path in paths[: 20 if name in FRAMEWORKS else 1]:
        ours = driver.get(context.ports[0], path, context.fleet.headers)
        theirs = driver.get(context.ports[1], path, headers)
        if ours != theirs and json.loads(ours) != json.loads(theirs):
            raise SystemExit(f"{name} answers {path} with something else: {theirs[:300]!r}, we {ours[:300]!r}")


def _compare(context: Context, names: tuple[str, str], ours: Running, theirs: Running, data: PeerData) -> Sequence[str]:
    operation, name = names
    header, _, value = data.headers.get(name, "").partition(": ")
    headers = {header: value} if header else {}
    paths = context.fleet.paths[operation]
    _check(context, name, paths, headers)
    samples: tuple[list[Sample], list[Sample]] = ([], [])
    requests = gets(paths, context.fleet.headers), gets(paths, headers)
    sides = tuple(zip((ours, theirs), requests, samples, strict=True))
    seconds = [_seconds(context, server, calls) for server, calls, _ in sides]
    for number in range(context.rounds):
        for place in (0, 1) if number % 2 == 0 else (1, 0):
            server, calls, taken = sides[place]
            taken.append(sample(context, server, calls, seconds=seconds[place]))
    ratios = [one.rate / other.rate for one, other in zip(*samples, strict=True)]

    def both(figure: Callable[[Sample], float]) -> str:
        return " : ".join(short(median(map(figure, taken))) for taken in samples)

    goal = GOALS.get((context.databases.kind, *names))
    return (
        " : ".join(names),
        spread(ratios),
        against(median(ratios), goal, least=True),
        both(lambda taken: taken.rate),
        both(lambda taken: taken.cpu),
        both(lambda taken: taken.database),
        both(lambda taken: taken.p50),
        both(lambda taken: taken.p99),
        f"{short(ours.memory())} : {short(theirs.memory())}",
    )


def _seconds(context: Context, server: Running, calls: Sequence[Request]) -> float:
    """Warm the server up. Returns how long it is to be measured in a round."""
    warm = driver.run(server.port, calls, connections=context.connections, seconds=WARM_UP)
    return min(max(context.seconds, CALLS / max(warm.rate, 1)), max(context.seconds, LONGEST))
