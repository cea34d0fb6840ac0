"""A token is revoked by one server while it is used at another one."""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.benchmarks.driver import Client, Request
from tests.benchmarks.measurements import Context
from tests.benchmarks.tables import Table, against, short
from tests.processes import wait_for

TOKENS = 4  # in each round
CALLERS = 4
AFTER = 0.3  # seconds for which the callers go on after the answer


@dataclass(slots=True)
class Callers:
    """Clients that call with one token until they are stopped. They note when each call began, and its status."""

    port: int
    request: Request
    calls: list[tuple[float, int]] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def call(self) -> None:
        with Client(self.port) as client:
            while not self.ended.is_set():
                begun = time.perf_counter()
                self.calls.append((begun, client.send(self.request).status))


def run(context: Context) -> Iterator[Table]:
    table = Table(
        f"{context.databases.version()}: revocation by one server, calls to another",
        ("tokens", "calls before", "calls after the answer", "accepted", "goal", "revoke p50 ms"),
        f"{CALLERS} clients call with the token. The calls after the answer began when the answer to the revocation "
        "was complete.",
    )
    before = after = accepted = 0
    taken = []
    number = TOKENS * context.rounds
    with (
        context.copied(context.fleet) as fleet,
        context.serving(fleet) as revoking,
        context.serving(fleet, place=1) as serving,
        Client(revoking.port) as client,
    ):
        for _ in range(number):
            body = json.dumps({"name": "To be revoked", "permissions": []})
            made = client.fetch(
                Request("/api/v1/tokens", fleet.headers | {"Content-Type": "application/json"}, "POST", body)
            )
            token = json.loads(made.body)
            headers = fleet.headers | {"Authorization": f"Bearer {token['token']}"}
            callers = Callers(serving.port, Request("/api/v1/token", headers))
            calls, ended = _revoke(client, Request(f"/api/v1/tokens/{token['id']}", fleet.headers, "DELETE"), callers)
            taken.append(ended - calls)
            before += sum(begun <= ended and status == 200 for begun, status in callers.calls)
            after += sum(begun > ended for begun, _ in callers.calls)
            accepted += sum(begun > ended and status == 200 for begun, status in callers.calls)
    p50 = sorted(taken)[len(taken) // 2] * 1000
    goal = against(accepted, 0, least=False)
    table.rows.append((str(number), f"{before:,}", f"{after:,}", str(accepted), goal, short(p50)))
    context.say("  ".join(table.rows[0]))
    yield table


def _revoke(client: Client, request: Request, callers: Callers) -> tuple[float, float]:
    """Revoke the token of the callers while they call. Returns when the call began, and when its answer was there."""
    threads = [threading.Thread(target=callers.call, daemon=True) for _ in range(CALLERS)]
    for thread in threads:
        thread.start()
    try:
        wait_for(lambda: len(callers.calls) > 10 * CALLERS, 30)
        begun = time.perf_counter()
        client.fetch(request)
        ended = time.perf_counter()
        time.sleep(AFTER)
    finally:
        callers.ended.set()
        for thread in threads:
            thread.join()
    return begun, ended
