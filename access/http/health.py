"""Whether this server process lives (`/healthz`), and whether it can do its work (`/readyz`), for those who watch it.

They answer on every host name, to callers on the same machine and at the addresses of IRU_TRUSTED_PROXIES. A request
that a proxy has passed on is not theirs: the proxy names the sender in X-Forwarded-For.
"""

import logging
import os
import time
from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import storages
from django.db import Error
from django.http import HttpRequest, HttpResponse, JsonResponse

from access.addresses import is_trusted_proxy, parse
from access.database import answers_writes, limited_waits
from access.keyrings import audit_keyring, keyring
from access.patience import Patience
from access.schema import compare_migrations
from access.tasks.liveness import workers

OK = "ok"
STOPPING = "IRU_SERVER_STOPPING"  # the file that `manage.py serve` makes when it begins to stop
STORAGE_LIMIT = 0.5  # seconds that the storage of files has to answer
REMEMBERED = 5.0  # seconds for which its answer is remembered: several probes ask each process

logger = logging.getLogger(__name__)

_applied: list[bool] = []  # not empty once this process has seen every migration applied


class HealthMiddleware:
    """Answers both paths. It stands before all other middleware: probes name no host of ours, and use no https."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info not in {"/healthz", "/readyz"} or not _may_ask(request):
            return self.get_response(request)
        ready = request.path_info == "/readyz"
        checks = _checks() if ready else {}
        failed = any(result != OK for result in checks.values())
        body = {"status": "unavailable" if failed else OK, "version": settings.VERSION} | checks
        if ready:
            # Most of the work goes on without them, and no other process would do better.
            body |= {"storage": _storage(), "worker": _worker() if checks["database"] == OK else "unknown"}
        response = JsonResponse(body, status=503 if failed else 200)
        response["Cache-Control"] = "no-store"
        return response


def _may_ask(request: HttpRequest) -> bool:
    if "HTTP_X_FORWARDED_FOR" in request.META:
        return False
    text = request.META.get("REMOTE_ADDR", "")
    address = parse(text)
    return address is not None and (address.is_loopback or is_trusted_proxy(text))


def _checks() -> dict[str, str]:
    """Each check by its name, with `ok` or the fault."""
    try:
        database = OK if answers_writes() else "read-only"
        migrations = _migrations() if database == OK else "unknown"
    except Error:
        database, migrations = "unreachable", "unknown"
    return {"server": _server(), "database": database, "migrations": migrations, "keys": _keys()}


def _server() -> str:
    return "stopping" if os.path.exists(os.environ.get(STOPPING, "")) else OK  # noqa: PTH110 - "" is no path


def _check_storage() -> str:
    try:
        storages["files"].check()  # type: ignore[attr-defined] # a method of both of our storages
    except Exception:  # each kind of storage has errors of its own
        logger.warning("The storage of files does not answer.", exc_info=True)
        return "unreachable"
    return OK


_storage_in_time = Patience(_check_storage, STORAGE_LIMIT, name="The storage of files")
_storage_said = (float("-inf"), "")


def _storage() -> str:
    global _storage_said  # noqa: PLW0603 - one memory for the process
    now = time.monotonic()
    if now - _storage_said[0] >= REMEMBERED:
        try:
            _storage_said = now, _storage_in_time()
        except TimeoutError:
            _storage_said = now, "unreachable"
    return _storage_said[1]


def _worker() -> str:
    try:
        with limited_waits(1.0):
            return OK if workers().alive else "missing"
    except Error:
        return "unknown"


def _migrations() -> str:
    if not _applied:
        if missing := compare_migrations().missing:
            return f"{missing} missing"
        _applied.append(True)
    return OK


def _keys() -> str:
    try:
        keyring("IRU_TOKEN_KEYS")
        keyring("IRU_SECRET_KEYS")
        audit_keyring()
    except ImproperlyConfigured:
        return "unreadable"
    return OK
