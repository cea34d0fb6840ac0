"""The handler against Django's own: the same answers, and connections in order after each of them."""

from io import BytesIO
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.db import DEFAULT_DB_ALIAS, connections

from access.context import current
from access.http.handler import Handler
from access.models import Tenant
from tests.types import IssueToken

pytestmark = pytest.mark.django_db(transaction=True)

VOLATILE = {"x-request-id", "set-cookie", "content-security-policy"}


class Answered:
    def __init__(self, application: Any, host: str, path: str, **headers: str) -> None:
        environ = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": path,
            "QUERY_STRING": "",
            "SERVER_NAME": host,
            "SERVER_PORT": "443",
            "REMOTE_ADDR": "192.0.2.7",
            "HTTP_HOST": host,
            "wsgi.url_scheme": "https",
            "wsgi.input": BytesIO(),
            **headers,
        }
        self.status, self.headers = "", list[tuple[str, str]]()
        self.answer = application(environ, self._start)
        self.body = b"".join(self.answer)

    def _start(self, status: str, headers: list[tuple[str, str]]) -> None:
        self.status, self.headers = status, headers

    def fixed(self) -> tuple[str, list[tuple[str, str]]]:
        """Without the headers that no two answers have in common."""
        return self.status, [
            (name, value if name.lower() not in VOLATILE and "remaining" not in name.lower() else "...")
            for name, value in self.headers
        ]


@pytest.mark.parametrize(
    ("path", "api", "status"),
    [
        ("/api/v1/devices", True, "200 OK"),
        ("/api/v1/devices/none", True, "404 Not Found"),
        ("/api/v1/unknown", True, "404 Not Found"),
        ("/sign-in/", False, "200 OK"),
        ("/nowhere/", False, "404 Not Found"),
    ],
)
def test_it_answers_as_djangos(path: str, api: bool, status: str, tenant: Tenant, issue_token: IssueToken) -> None:
    token = issue_token("list_devices", "get_device")
    host = tenant.api_host if api else "testserver"
    headers = {"HTTP_AUTHORIZATION": f"Bearer {token.secret}"} if api else {}
    ours, djangos = (Answered(application, host, path, **headers) for application in (Handler(), WSGIHandler()))
    assert ours.status == status
    assert ours.fixed() == djangos.fixed()
    if api:
        assert ours.body == djangos.body


@pytest.mark.parametrize("fault", ["open transaction", "broken connection", "none"])
def test_a_closed_answer_leaves_the_thread_in_order(
    fault: str, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = Answered(Handler(), tenant.api_host, "/api/v1/devices")
    assert current() is not None, "log lines of the answer have lost their request"
    database: Any = connections[DEFAULT_DB_ALIAS]
    database.ensure_connection()
    closed: list[str] = []
    monkeypatch.setattr(database, "close", lambda: closed.append(fault))  # a database in memory stays open
    if fault == "open transaction":
        monkeypatch.setattr(database, "autocommit", False)
    if fault == "broken connection":
        monkeypatch.setattr(database, "errors_occurred", True)
        monkeypatch.setattr(database, "is_usable", lambda: False)
    database.health_check_done = True
    answered.answer.close()
    assert current() is None
    assert closed == ([] if fault == "none" else [fault])
    assert not database.health_check_done, "the next request does not check whether the connection was cut"
