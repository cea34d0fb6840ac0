"""The permits that this process has taken from the shared row, and spends call by call.

A permit of a lease is good until the moment at which it comes back to the row by itself. So the permits of all leases
and of the row together are never more than the limit, however long a process takes to spend its own. Those of the hour
come back slowly: what a lease has left of them when its permits of the second are over counts for the next one.
"""

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

from django.db import Error, connection

from access import metrics
from access.limits.gcra import HOUR, SECOND, Grant, Limits, Permits, free
from access.limits.stores import InFile, InPostgres, InProcess

PROCESSES = "IRU_SERVER_PROCESSES"  # how many processes serve; `manage.py serve` sets the variable
LASTS = 1.0  # seconds for which a process takes permits, at the speed of its last calls
AT_ONCE = 0.02  # seconds of the tenant's limit that are one lease at least: a high limit is not asked for call by call
MOMENT = 0.001  # seconds: no call comes sooner after one that got no permit
RETRY = 1.0  # seconds until a store that failed is tried again

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a tenant has left after one call, as this process knows it. `wait`: whole seconds if the call is refused."""

    limits: Limits
    second: int
    hour: int
    wait: int = 0

    @property
    def refused(self) -> bool:
        return self.wait > 0

    def headers(self) -> Iterator[tuple[str, str]]:
        """The headers of the public API."""
        yield "RateLimit-Limit", str(self.limits.per_second)
        yield "RateLimit-Remaining", str(self.second)
        yield "RateLimit-Reset", "1"
        yield "X-RateLimit-Limit-Hour", str(self.limits.per_hour)
        yield "X-RateLimit-Limit-Second", str(self.limits.per_second)
        yield "X-RateLimit-Remaining-Hour", str(self.hour)
        yield "X-RateLimit-Remaining-Second", str(self.second)


class Lease:
    """The permits of one tenant. Its moments are those of the row, on the monotonic clock of this process."""

    def __init__(self, configured: Limits) -> None:
        self.configured = configured
        # A higher limit an hour than the seconds allow would have no effect but that its permits end too early.
        most = int(configured.per_second * HOUR / SECOND)
        self.limits = limits = Limits(configured.per_second, min(configured.per_hour, most))
        self.lock = threading.Lock()
        self.second, self.hour = Permits(limits.per_second, SECOND), Permits(limits.per_hour, HOUR)
        self.second_full = self.hour_full = 0.0
        self.closed_until = 0.0  # before this moment the row has no permit, so that it is not asked
        # The speed of the calls, by which the size of the next lease is chosen.
        self.size, self.spent, self.taken_at = 1, 0, 0.0

    def take(self, tenant_id: int) -> Allowance:
        with self.lock:
            now = time.monotonic()
            hour = self.hour.count(now)
            if hour and self.second.count(now):
                self._spend()
            elif now >= self.closed_until:
                self._renew(tenant_id, now, hour)
            return self._allowance(now)

    def _spend(self) -> None:
        self.second.spend()
        self.hour.spend()
        self.spent += 1

    def _renew(self, tenant_id: int, now: float, paid: int) -> None:
        at_once = max(int(self.limits.per_second * AT_ONCE), 1)
        speed = self.spent / max(now - self.taken_at, 0.001)
        self.size = min(max(ceil(speed * LASTS), at_once), max(2 * self.size, at_once))
        given = _take(tenant_id, self.limits, self.size, paid)
        # The grant is older than its arrival, so that its moments are never too late by the clock of this process.
        self.second_full, self.hour_full = now + given.second_full - given.now, now + given.hour_full - given.now
        # Some of the second may remain after those of the hour were spent. They are given up.
        self.second.clear()
        self.second.add(given.permits, self.second_full)
        self.hour.add(max(given.permits - paid, 0), self.hour_full)
        self.taken_at, self.spent = now, 0
        if given.permits:
            self._spend()
        else:
            # This call is refused in any case, also where the row may have a permit again by now.
            self.closed_until = max(
                now + MOMENT,
                self._next(self.second_full, SECOND, self.limits.per_second),
                self._next(self.hour_full, HOUR, self.limits.per_hour),
            )

    @staticmethod
    def _next(full: float, window: float, quota: int) -> float:
        """The moment at which the row has a permit again, unless another process takes it."""
        return full - window + window / quota

    def _allowance(self, now: float) -> Allowance:
        limits = self.limits
        second = free(limits.per_second, self.second_full, now, SECOND) + self.second.count(now)
        hour = free(limits.per_hour, self.hour_full, now, HOUR) + self.hour.count(now)
        wait = max(ceil(self.closed_until - now), 1) if self.closed_until > now else 0
        return Allowance(self.configured, min(second, limits.per_second), min(hour, limits.per_hour), wait)


_leases: dict[int, Lease] = {}
_in_postgres, _in_file = InPostgres(), InFile()
_in_process = InProcess(int(os.environ.get(PROCESSES, "1")))
_failed_at = float("-inf")


def take(tenant_id: int, limits: Limits) -> Allowance:
    """Count one call of the tenant. It is refused if the allowance says so."""
    lease = _leases.get(tenant_id)
    if lease is None or lease.configured != limits:
        lease = _leases[tenant_id] = Lease(limits)
    return lease.take(tenant_id)


def used(tenant_id: int, limits: Limits) -> int | None:
    """The calls that count against the hour's limit now, with those that processes hold; None if the store fails."""
    try:
        state = _store().look(tenant_id)
    except sqlite3.Error:
        return None
    return limits.per_hour - free(limits.per_hour, state.hour_full, state.now, HOUR)


def _store() -> InPostgres | InFile:
    return _in_file if connection.vendor == "sqlite" else _in_postgres


def _take(tenant_id: int, limits: Limits, wanted: int, paid: int) -> Grant:
    global _failed_at  # noqa: PLW0603 - one store for the process
    if time.monotonic() - _failed_at >= RETRY:
        try:
            return _store().take(tenant_id, limits, wanted, paid)
        except (Error, sqlite3.Error, OSError, LookupError) as error:
            _failed_at = time.monotonic()
            logger.warning("The limits of calls are counted per process for a moment: %s", error)
    metrics.limits_in_process.inc()
    return _in_process.take(tenant_id, limits, wanted, paid)
