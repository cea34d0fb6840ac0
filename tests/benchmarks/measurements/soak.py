"""A long run at half load: pages, calls of the API, connects of devices and the worker together."""

import json
import re
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count

from tests.benchmarks.driver import Client, Request
from tests.benchmarks.fleets import Fleet
from tests.benchmarks.measurements import Context
from tests.benchmarks.measurements.pages import paths
from tests.benchmarks.servers import open_files, product_environment, resident, running
from tests.benchmarks.tables import Table, against, short

WARM = 0.1  # the part of the run after which the memory and the files are noted first
DEVICES = 10  # that connect once a second
GROWTH, DRIFT = 1.05, 1.10  # the most at the end, times the beginning
WRITE = 10  # one of so many calls of a client is a change


@dataclass(slots=True)
class Load:
    """Clients, each of which waits after an answer for as long as it has waited for it: half of what it could ask."""

    port: int
    taken: dict[str, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))
    statuses: Counter[int] = field(default_factory=Counter)
    ended: threading.Event = field(default_factory=threading.Event)

    def call(self, kind: str, make: Callable[[int], Request]) -> None:
        """Send what `make` returns for each number, until the end. Notes when each answer came, and how late."""
        with Client(self.port) as client:
            for number in count():
                if self.ended.is_set():
                    return
                answer = client.send(make(number))
                self.taken[kind].append((time.monotonic(), answer.milliseconds))
                self.statuses[answer.status] += 1
                self.ended.wait(answer.milliseconds / 1000)


@dataclass(frozen=True, slots=True)
class Level:
    """Memory in megabytes, and open files."""

    memory: float
    files: float


def run(context: Context) -> Iterator[Table]:
    minutes = context.soak or 1.0
    seconds, data = minutes * 60, context.pages_of(context.fleet.size)
    with ExitStack() as stack:
        fleet = stack.enter_context(context.copied(data.fleet))
        context.inside(fleet, "enrollment")
        server = stack.enter_context(context.serving(fleet))
        environment = product_environment(fleet.url, context.directory)
        worker = stack.enter_context(running(["manage.py", "worker"], environment, context.directory / "worker.log"))
        command = ["manage.py", "mdm_simulate", "--tenant", fleet.host.partition(".")[0], "--kinds", "mac"]
        command += ["--devices", str(DEVICES), "--every", "1", "--url", f"http://127.0.0.1:{server.port}"]
        simulated = context.directory / "simulated.log"
        stack.enter_context(running(command, environment, simulated))

        def levels() -> dict[str, Level]:
            return {
                "server process": Level(server.memory(), server.open_files()),
                "worker": Level(resident(worker.pid), open_files(worker.pid)),
            }

        views, headers = list(paths(data).values()), context.session(fleet)
        clients = max(2, context.processes * context.threads - 1)
        load = Load(server.port)
        threads = [threading.Thread(target=load.call, args=("API", _call(fleet, each))) for each in range(clients)]
        page = threading.Thread(
            target=load.call, args=("pages", lambda number: Request(views[number % len(views)], headers))
        )
        for thread in (*threads, page):
            thread.start()
        try:
            time.sleep(seconds * WARM)
            begun, first = time.monotonic(), levels()
            time.sleep(seconds * (1 - WARM))
            ended, last = time.monotonic(), levels()
        finally:
            load.ended.set()
            for thread in (*threads, page):
                thread.join()
    said = re.search(r"(\d+) sessions", simulated.read_text())  # its summary, which it writes at its end
    yield _levels(context, minutes, first, last)
    yield _latencies(context, load, (begun, ended), said[1] if said else "no")


def _call(fleet: Fleet, client: int) -> Callable[[int], Request]:
    """The calls of one client: devices, pages of the list, and changes of a device of its own."""
    reads, written = [*fleet.paths["device"][client::7][:30], *fleet.paths["list"]], fleet.paths["device"][client]
    change = fleet.headers | {"Content-Type": "application/json"}

    def make(number: int) -> Request:
        if number % WRITE == 0:
            return Request(written, change, "PATCH", json.dumps({"asset_tag": f"Soaked {number}"}))
        return Request(reads[number % len(reads)], fleet.headers)

    return make


def _levels(context: Context, minutes: float, first: dict[str, Level], last: dict[str, Level]) -> Table:
    table = Table(
        f"{context.databases.version()}: {minutes:g} minutes at half load",
        ("process", "MB at first", "MB at last", "goal", "open files at first", "at last", "goal"),
        f"Each client waits for as long as its last answer took. {DEVICES} simulated Macs connect each second, and the "
        "worker runs. The first figures are from a tenth of the time on.",
    )
    for name, before in first.items():
        after = last[name]
        table.rows.append(
            (
                name,
                short(before.memory),
                short(after.memory),
                against(after.memory / before.memory, GROWTH, least=False),
                short(before.files),
                short(after.files),
                against(after.files / before.files, GROWTH, least=False),
            )
        )
        context.say("  ".join(table.rows[-1]))
    return table


def _latencies(context: Context, load: Load, within: tuple[float, float], sessions: str) -> Table:
    table = Table(
        f"{context.databases.version()}: p99 of the same run",
        ("calls", "number", "p99 ms, first quarter", "last quarter", "ratio", "goal"),
        f"Answers from 400 on: {sum(number for status, number in load.statuses.items() if status >= 400)}. The devices "
        f"had {sessions} sessions.",
    )
    begun, ended = within
    quarter = (ended - begun) / 4
    for kind, taken in load.taken.items():
        early = p99([took for at, took in taken if begun <= at < begun + quarter])
        late = p99([took for at, took in taken if ended - quarter <= at < ended])
        goal = against(late / early, DRIFT, least=False)
        table.rows.append((kind, f"{len(taken):,}", short(early), short(late), short(late / early), goal))
        context.say("  ".join(table.rows[-1]))
    return table


def p99(values: Sequence[float]) -> float:
    """Raises SystemExit where there are none."""
    if not values:
        raise SystemExit("No call was answered in a quarter of the run.")
    return sorted(values)[int(len(values) * 0.99)]
