"""Requests that arrive before `migrate` has ended, at a server that was started with `--wait-for-migrations`."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.core.exceptions import MiddlewareNotUsed
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from access.http import migrating
from access.http.migrating import WAIT, MigrationsMiddleware
from tests import processes
from tests.browser.servers import free_port

pytestmark = pytest.mark.django_db(transaction=True)

type Answer = Callable[[HttpRequest], HttpResponse]


@pytest.fixture
def applied() -> Iterator[Callable[[], None]]:
    """One migration is missing; the value applies it."""
    row = MigrationRecorder.Migration.objects.filter(app="access").latest("name")
    MigrationRecorder.Migration.objects.filter(pk=row.pk).delete()

    def apply() -> None:
        MigrationRecorder.Migration.objects.get_or_create(app=row.app, name=row.name, defaults={"applied": row.applied})

    yield apply
    apply()


@pytest.fixture
def middleware(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Answer]:
    def middleware(seconds: str, answer: Answer = lambda request: HttpResponse("here")) -> Answer:
        monkeypatch.setenv(WAIT, seconds)
        return MigrationsMiddleware(answer)

    return middleware


def asked(answer: Answer, path: str = "/api/v1/devices") -> HttpResponse:
    """The answer in a thread of a server, whose connection ends with it."""
    try:
        return answer(RequestFactory().get(path))
    finally:
        connection.close()


def test_a_server_that_was_not_asked_to_wait_has_no_such_middleware(middleware: Callable[..., Answer]) -> None:
    for seconds in ("", "0"):
        with pytest.raises(MiddlewareNotUsed):
            middleware(seconds)


@pytest.mark.slow
def test_a_request_waits_until_every_migration_is_applied(
    middleware: Callable[..., Answer], applied: Callable[[], None]
) -> None:
    answer = middleware("30")
    with ThreadPoolExecutor() as threads:
        waiting = [threads.submit(asked, answer) for _ in range(3)]
        time.sleep(1)
        assert not any(one.done() for one in waiting)
        applied()
        assert [one.result(10).content for one in waiting] == [b"here"] * 3


@pytest.mark.slow
def test_requests_that_have_waited_are_answered_one_after_another(
    middleware: Callable[..., Answer], applied: Callable[[], None]
) -> None:
    now, most, lock = 0, 0, threading.Lock()

    def view(request: HttpRequest) -> HttpResponse:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.05)
        with lock:
            now -= 1
        return HttpResponse()

    answer = middleware("30", view)
    with ThreadPoolExecutor() as threads:
        waiting = [threads.submit(asked, answer) for _ in range(4)]
        time.sleep(0.5)
        applied()
        assert [one.result(10).status_code for one in waiting] == [200] * 4
    assert most == 1


def test_when_the_time_is_over_the_answer_is_503(
    middleware: Callable[..., Answer], applied: Callable[[], None]
) -> None:
    answer = middleware("0.1")
    called, page = asked(answer), asked(answer, "/devices/")
    assert (called.status_code, called["Retry-After"], called["Content-Type"]) == (503, "5", "application/json")
    assert called.content == b'{"detail": "The service is temporarily unavailable."}'
    assert (page.status_code, page["Retry-After"]) == (503, "5")
    assert b"The server is being upgraded" in page.content
    applied()
    time.sleep(migrating.PAUSE)
    assert asked(answer).content == b"here"


@pytest.mark.slow
def test_a_server_that_waits_starts_before_migrate(applied: Callable[[], None], tmp_path: Path) -> None:
    port = free_port()
    arguments = ("serve", "--port", str(port), "--wait-for-migrations", "60")
    with processes.managed(*arguments, output=tmp_path / "output"), ThreadPoolExecutor() as threads:
        processes.wait_for(lambda: processes.status(port, "/healthz") == 200, 60)
        assert processes.status(port, "/readyz") == 503
        waiting = threads.submit(processes.status, port)
        time.sleep(1)
        assert not waiting.done()
        applied()
        assert waiting.result(20) == 200
        processes.wait_for(lambda: processes.status(port, "/readyz") == 200, 20)
