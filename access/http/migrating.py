"""Requests that arrive while `migrate` runs: a server that was started before it lets them wait.

The earlier version cannot answer them, because migrations rename and remove columns that it reads. Nor can this
version, until they are there.
"""

import logging
import os
import threading
from collections.abc import Callable
from functools import cache
from time import monotonic, sleep

from django.core.exceptions import MiddlewareNotUsed
from django.db import Error, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, HttpResponse, JsonResponse

from access.http import errors
from access.http.middleware import API_PATH, MCP_PATH
from access.schema import compare_migrations

WAIT = "IRU_SERVER_MIGRATION_WAIT"  # the seconds of `serve --wait-for-migrations`, which sets the variable
PAUSE = 0.5  # seconds between two looks at the database
TURN = 2.0  # seconds that one of the requests that have waited waits for another one

logger = logging.getLogger(__name__)


class MigrationsMiddleware:
    """Lets requests wait until every migration is applied, for so many seconds from the start of this process.

    After that they are answered 503, as long as one is missing. So no request waits longer, in the queue of the server
    either. Those that have waited are then answered one after another: all at once, their changes would wait for each
    other's locks in the database until some are refused.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        seconds = float(os.environ.get(WAIT) or 0)
        if not seconds:
            raise MiddlewareNotUsed
        self.get_response = get_response
        self._start = monotonic()
        self._end = self._start + seconds
        self._calm = 0.0  # when the requests that waited have been answered, about
        self._turn = threading.Lock()
        self._applied = False
        self._next = 0.0  # when one of the threads looks again
        self._lock = threading.Lock()

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if self._applied or self._wait():
            return self._in_turn(request) if monotonic() < self._calm else self.get_response(request)
        if API_PATH.match(request.path_info) or MCP_PATH.match(request.path_info):
            body = {"detail": "The service is temporarily unavailable."}
            return JsonResponse(body, status=503, headers={"Retry-After": "5"})
        return errors.upgrading(request)

    def _in_turn(self, request: HttpRequest) -> HttpResponse:
        acquired = self._turn.acquire(timeout=TURN)  # an upload or a slow client does not stop the others
        try:
            return self.get_response(request)
        finally:
            if acquired:
                self._turn.release()

    def _wait(self) -> bool:
        """Whether every migration is applied, at the latest when the time is over."""
        while True:
            with self._lock:  # one thread looks, and the others see the result
                if not self._applied and monotonic() >= self._next:
                    self._applied = _all_applied()
                    self._next = monotonic() + PAUSE
                    if self._applied:
                        self._calm = 2 * monotonic() - self._start
                        logger.info("Every migration is applied: requests are answered from now on.")
            left = self._end - monotonic()
            if self._applied or left <= 0:
                return self._applied
            sleep(min(PAUSE, left))


@cache
def _names() -> set[tuple[str, str]]:
    return set(MigrationLoader(None, ignore_no_migrations=True).disk_migrations)


def _all_applied() -> bool:
    try:
        # Most looks end at this query. The comparison takes 0.1 s, and `migrate` needs the processor.
        return _names() <= set(MigrationRecorder(connection).applied_migrations()) and not compare_migrations().missing
    except Error:
        return False  # SQLite is locked, or PostgreSQL's table of migrations is not there yet
