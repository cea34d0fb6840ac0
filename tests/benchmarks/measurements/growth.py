"""The same operations on fleets of several sizes, asked in turn."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count, cycle
from math import inf
from statistics import median

from tests.benchmarks.driver import Client, Request
from tests.benchmarks.fleets import LIST, PagesData
from tests.benchmarks.measurements import Context
from tests.benchmarks.tables import Table, against, short

FLAT, FAR = 1.3, 10.0  # the most that the largest fleet may take, times the smallest
CALLS, CHANGES = 5, 2  # of each operation in each round
LAST_PAGE = 9_700  # the offset of the last page of 10,000 devices
DEEP = 900_000
WITH_APPS = 100_000  # devices; a larger fleet has one row of Prism a device
ONE_ROW, APPS = "/api/v1/prism/application_firewall", "/api/v1/prism/apps"

type Make = Callable[["Site"], Request]


@dataclass(slots=True)
class Site:
    """The server of a fleet, and a connection to it."""

    data: PagesData
    client: Client
    session: Mapping[str, str]
    numbers: Iterator[int] = field(default_factory=count)

    @property
    def size(self) -> int:
        return self.data.fleet.size

    def call(self, path: str, method: str = "GET", **body: object) -> Request:
        headers = self.data.fleet.headers
        if body:
            headers |= {"Content-Type": "application/json"}
        return Request(path, headers, method, json.dumps(body) if body else "")


@dataclass(frozen=True, slots=True)
class Operation:
    """`make` returns the next call. `base` names the operation of the smallest fleet that it is compared with."""

    name: str
    make: Make
    goal: float | None = FLAT
    calls: int = CALLS
    least: int = 0  # devices, for what a smaller fleet does not have
    most: int | None = None
    base: str = ""


def _revoke(site: Site) -> Request:
    made = site.client.fetch(site.call("/api/v1/tokens", "POST", name="To be revoked", permissions=[]))
    return site.call(f"/api/v1/tokens/{json.loads(made.body)['id']}", "DELETE")


def _rename(site: Site) -> Request:
    path = f"/api/v1/blueprints/{site.data.blueprint}"
    return site.call(path, "PATCH", name=f"Renamed {next(site.numbers) % 2}")


def operations() -> list[Operation]:
    devices = cycle(range(100))
    return [
        Operation("page at offset 0", lambda site: site.call(LIST)),
        Operation(f"page at offset {LAST_PAGE:,}", lambda site: site.call(f"{LIST}&offset={LAST_PAGE}")),
        Operation(
            f"page at offset {DEEP:,}",
            lambda site: site.call(f"{LIST}&offset={DEEP}"),
            FAR,
            least=DEEP + 300,
            base="page at offset 0",
        ),
        Operation("one device", lambda site: site.call(f"/api/v1/devices/{site.data.fleet.devices[next(devices)]}")),
        Operation("page of tokens", lambda site: site.call("/api/v1/tokens?limit=100")),
        Operation("page of events", lambda site: site.call("/api/v1/audit/events?limit=100&sort_by=-occurred_at")),
        Operation("Devices on the website", lambda site: Request("/devices/", site.session)),
        Operation("Access on the website", lambda site: Request("/access/tokens/", site.session)),
        Operation("Activity on the website", lambda site: Request("/activity/", site.session)),
        Operation("Prism: application firewall", lambda site: site.call(ONE_ROW)),
        Operation("Prism: apps", lambda site: site.call(APPS), most=WITH_APPS),
        Operation("revoke a token", _revoke, None, CHANGES),
        Operation("rename a Blueprint", _rename, None, CHANGES),
    ]


def run(context: Context) -> Iterator[Table]:
    sizes = context.sizes
    table = Table(
        f"{context.databases.version()}: growth of the fleet, p50 in ms, one connection",
        ("operation", *(f"{size:,} devices" for size in sizes), "largest : smallest", "goal"),
        "A fleet has a token for each 10 devices, 10 events for each device but a million at most, and on up to "
        "100,000 devices 8 apps each. The fleets are asked in turn. A page has 300 devices, or 100 tokens or events. A "
        "new name of a Blueprint is written into the records of its devices, which are the same share of each fleet.",
    )
    with ExitStack() as stack:
        sites = [_site(context, stack, place, size) for place, size in enumerate(sizes)]
        medians: dict[str, list[float | None]] = {}
        for operation in operations():
            try:
                medians[operation.name] = _measure(context, operation, sites)
            except SystemExit as error:  # a large fleet may have no answer in time
                context.say(str(error))
                goal = against(inf, operation.goal, least=False)
                table.rows.append((operation.name, *["failed"] * len(sizes), "-", goal))
                continue
            table.rows.append(row(operation, medians))
            context.say("  ".join(table.rows[-1]))
    yield table


def _site(context: Context, stack: ExitStack, place: int, size: int) -> Site:
    data = context.pages_of(size)
    server = stack.enter_context(context.serving(data.fleet, place=place))
    return Site(data, stack.enter_context(Client(server.port)), context.session(data.fleet))


def _measure(context: Context, operation: Operation, sites: Sequence[Site]) -> list[float | None]:
    """The median of each site; None where the operation is not measured."""
    least, most = operation.least, operation.most
    taken: list[list[float]] = [[] for _ in sites]
    measured = [
        (site, own)
        for site, own in zip(sites, taken, strict=True)
        if site.size >= least and (most is None or site.size <= most)
    ]
    for site, _ in measured:
        site.client.fetch(operation.make(site))
    for _ in range(operation.calls * context.rounds):
        for site, own in measured:
            own.append(site.client.fetch(operation.make(site)).milliseconds)
    return [median(own) if own else None for own in taken]


def row(operation: Operation, medians: Mapping[str, Sequence[float | None]]) -> tuple[str, ...]:
    """The row of an operation. `medians` has those of each operation so far, by name, from the smallest fleet on."""
    own = medians[operation.name]
    measured = [value for value in own if value is not None]
    smallest = medians.get(operation.base or operation.name, [None])[0]
    ratio = goal = "-"
    if smallest is not None and measured and (operation.base or len(measured) > 1):
        times = measured[-1] / smallest
        ratio, goal = short(times), against(times, operation.goal, least=False)
    return (operation.name, *("-" if value is None else short(value) for value in own), ratio, goal)
