"""Whether this server process lives (`/healthz`), and whether it can do its work (`/readyz`), for those who watch it.

They answer on every host name, to callers on the same machine and at the addresses of IRU_TRUSTED_PROXIES. A request
that a proxy has passed on is not theirs: the proxy names the sender in X-Forwarded-For.
"""

import os
from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import Error
from django.http import HttpRequest, HttpResponse, JsonResponse

from access.addresses import is_trusted_proxy, parse
from access.database import answers_writes
from access.keyrings import audit_keyring, keyring
from access.schema import compare_migrations

OK = "ok"
STOPPING = "IRU_SERVER_STOPPING"  # the file that `manage.py serve` makes when it begins to stop

_applied: list[bool] = []  # not empty once this process has seen every migration applied


class HealthMiddleware:
    """Answers both paths. It stands before all other middleware: probes name no host of ours, and use no https."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info not in {"/healthz", "/readyz"} or not _may_ask(request):
            return self.get_response(request)
        checks = {} if request.path_info == "/healthz" else _checks()
        failed = any(result != OK for result in checks.values())
        body = {"status": "unavailable" if failed else OK, "version": settings.VERSION} | checks
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
