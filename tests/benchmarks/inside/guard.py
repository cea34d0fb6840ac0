"""Prints the cost of the guard: of calls that pass it, less that of the same calls whose sender is known already.

Such calls look no token up, count against no limit and are no use of a token; another door makes them. They list tags,
which are read by a statement of their own: a device is read in the one that finds the token.
"""

import time
from collections.abc import Callable
from statistics import median
from typing import TYPE_CHECKING, Any

from tests.benchmarks.inside import answer, start

if TYPE_CHECKING:
    from access.models import Tenant

PATH = "/api/v1/tags?limit=1"
CALLS = 1000  # in a batch, and so many come in a second at least while a server has much to do


def costs(tenant: "Tenant", host: str, secret: str, batches: int) -> dict[str, float]:
    """Microseconds of processor time and of time for each call, and queries."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from access.tokens import usage
    from devices.api import api

    def passing() -> Any:
        return _request(host, HTTP_AUTHORIZATION=f"Bearer {secret}")

    def known() -> Any:
        request = _request(host)
        request.token, request.tenant = token, tenant
        return request

    token = _token(tenant)
    queries = []
    for make in (passing, known):
        _run(api, [make()])  # the first call compiles its statements
        with CaptureQueriesContext(connection) as captured:
            _run(api, [make()])
        queries.append(len(captured))
    cpu, elapsed = [], []
    for _ in range(batches):
        # The uses are written in the background, for all calls of a second at once.
        guarded, plain = _run(api, _many(passing), usage.flush), _run(api, _many(known))
        cpu.append(guarded[0] - plain[0])
        elapsed.append(guarded[1] - plain[1])
    return {"cpu": median(cpu), "elapsed": median(elapsed), "queries": queries[0] - queries[1]}


def _token(tenant: "Tenant") -> Any:
    from access.permissions import catalogue
    from access.tokens.authentication import LiveToken

    return LiveToken.for_trial(tenant, [permission.codename for permission in catalogue])


def _many(make: Callable[[], Any]) -> list[Any]:
    return [make() for _ in range(CALLS)]


def _request(host: str, **fields: Any) -> Any:
    from django.test import RequestFactory

    request: Any = RequestFactory().get(PATH, HTTP_HOST=host, **fields)
    request.subdomain = host.partition(".")[0]
    return request


def _run(api: Callable[[Any], Any], requests: list[Any], after: Callable[[], None] | None = None) -> tuple[float, ...]:
    """Microseconds for each call: of processor time, and of time."""
    begun = time.process_time(), time.perf_counter()
    for request in requests:
        if api(request).status_code != 200:
            raise SystemExit("A call failed.")
    if after:
        after()
    used = time.process_time() - begun[0], time.perf_counter() - begun[1]
    return tuple(each / len(requests) * 1e6 for each in used)


if __name__ == "__main__":
    host, secret, batches = start()
    from access.models import Tenant

    answer(costs(Tenant.objects.get(), host, secret, int(batches)))
