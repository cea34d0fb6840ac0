"""Many writers of one tenant, and as many of different tenants. Each change locks the head of its tenant's trail."""

import json
from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

from tests.benchmarks import driver
from tests.benchmarks.driver import Request, Result
from tests.benchmarks.measurements import Context
from tests.benchmarks.tables import Table, short, spread

WRITERS = 16
PROCESSES, THREADS = 2, 8  # one thread for each writer


def run(context: Context) -> Iterator[Table]:
    table = Table(
        f"{context.databases.version()}: {WRITERS} writers, {PROCESSES} processes of {THREADS} threads",
        ("devices of", "writes/s", "ratio", "p50 ms", "p99 ms", "failed"),
        "Each write changes the asset tag of a device by the API, with its record and its event. Events of a tenant "
        "are written one after the other; SQLite has one writer in any case.",
    )
    with context.copied(context.fleet) as fleet:
        tenants = context.inside(fleet, "tenants", WRITERS)
        sides: dict[str, list[dict[str, Any]]] = {"one tenant": tenants[:1], f"{WRITERS} tenants": tenants}
        taken: dict[str, list[Result]] = {name: [] for name in sides}
        with context.serving(fleet, processes=PROCESSES, threads=THREADS) as server:
            for number in range(-1, context.rounds):
                for name, chosen in sides.items():
                    requests = _changes(chosen, f"{name} {number}")
                    seconds = context.seconds if number >= 0 else 1.0
                    result = driver.run(server.port, requests, connections=WRITERS, seconds=seconds)
                    if number >= 0:  # the first run warms up
                        taken[name].append(result)
    base = median(result.rate for result in taken["one tenant"])
    for name, results in taken.items():
        table.rows.append(
            (
                name,
                spread([result.rate for result in results]),
                short(median(result.rate for result in results) / base),
                short(median(result.p50 for result in results)),
                short(median(result.p99 for result in results)),
                str(sum(result.failed for result in results)),
            )
        )
        context.say("  ".join(table.rows[-1]))
    yield table


def _changes(tenants: Sequence[Mapping[str, Any]], text: str) -> list[Request]:
    """A change of each device of these tenants in turn, and another one, so that no change repeats the one before."""
    return [
        Request(
            f"/api/v1/devices/{device}",
            {"Authorization": f"Bearer {tenant['secret']}", "Host": tenant["host"], "Content-Type": "application/json"},
            "PATCH",
            json.dumps({"asset_tag": f"{text} {turn}"}),
        )
        for turn in range(2)
        for devices in zip(*(tenant["devices"] for tenant in tenants), strict=True)
        for tenant, device in zip(tenants, devices, strict=True)
    ]
