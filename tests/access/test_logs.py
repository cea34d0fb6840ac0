import io
import json
import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.test import Client
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from access import context
from access.audit.security import SecurityEvent, report
from access.logs import JsonFormatter, redact
from access.models import Administrator, Tenant
from access.people.invitations import invitation_link
from access.tasks.leases import extended
from tests.access.tasks import jobs
from tests.factories.access import AdministratorFactory
from tests.types import Call, IssueToken, RunTasks

SECRET = "3f2b8c1e-9d4a-4e6f-8b7c-0a1d2e3f4b5c"


@contextmanager
def lines_of(name: str) -> Iterator[io.StringIO]:
    """What the logger of this name writes."""
    handler = logging.StreamHandler(stream := io.StringIO())
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger(name)
    logger.addHandler(handler)
    yield stream
    logger.removeHandler(handler)


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    with lines_of("tests.logs") as stream:
        yield stream


def test_a_line_is_one_json_object_without_the_token(written: io.StringIO) -> None:
    logger = logging.getLogger("tests.logs")
    try:
        raise ValueError(f"cannot use {SECRET}")
    except ValueError:
        logger.exception(
            "Call to /api/v1/devices?token=%s\nfailed", SECRET.upper(), extra={"header": f"Bearer {SECRET}"}
        )

    (line,) = written.getvalue().splitlines()
    entry = json.loads(line)
    assert SECRET not in line.lower()
    assert entry["levelname"] == "ERROR"
    assert "Call to /api/v1/devices?token=[" in entry["message"]
    assert "ValueError: cannot use [" in entry["exc_info"]


@pytest.mark.parametrize(
    "text", [SECRET, SECRET.upper(), SECRET.replace("-", ""), f"Bearer{SECRET}", f"id={SECRET};", "deadbeef" * 8]
)
def test_everything_shaped_like_a_token_is_replaced(text: str) -> None:
    assert not any(part in redact(text).lower() for part in ("9d4a", "0a1d2e3f4b5c", "deadbeefdeadbeef"))


def test_one_token_leaves_one_fingerprint() -> None:
    assert redact(SECRET) == redact(SECRET.upper())
    assert redact(SECRET) != redact(SECRET.replace("3", "4"))


def test_what_is_no_token_stays() -> None:
    line = "GET /api/v1/devices?serial_number=C02XK1ABJGH5 answered 200 in 0.4 ms, head 12:0123456789abcdef"
    assert redact(line) == line


@pytest.mark.parametrize("place", ["invitation", "password/reset", "enroll"])
def test_the_key_of_a_link_is_replaced(place: str) -> None:
    """Django logs `Internal Server Error: /invitation/<key>/` for an error of ours."""
    key = "1x2-eyJwZXJzb24iOiJmZWU0OTBiOC04ZGVjIn0:2VMGK_lFLzyO5FRXkqnAGp4l7vPs"
    line = redact(f'"message":"Internal Server Error: /{place}/{key}/"')
    assert "eyJ" not in line
    assert "2VMGK" not in line
    assert line.startswith(f'"message":"Internal Server Error: /{place}/[')
    assert line.endswith(']/"')
    assert redact(f"/{place}/") == f"/{place}/"


def test_a_failed_invitation_is_logged_without_its_key(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    person = AdministratorFactory.create(tenant=tenant, pending=True, invited_at=timezone.now())
    path = invitation_link(person, "testserver").removeprefix("http://testserver")
    client = Client(raise_request_exception=False)
    monkeypatch.setattr("access.pages.session.invited", fail)
    with lines_of("django.request") as written:
        assert client.post(path, {"password": "short"}).status_code == 500
    assert "/invitation/[" in written.getvalue()
    assert path.split("/")[2] not in written.getvalue()


def fail(key: str) -> None:
    raise RuntimeError("out of order")


TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def entries(written: io.StringIO) -> list[dict[str, str]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


@pytest.fixture
def spoken(monkeypatch: pytest.MonkeyPatch, written: io.StringIO) -> io.StringIO:
    """What is written by a view of the pages and by an operation of the API, each with a line of its own."""

    def speak(*_: object) -> None:
        logging.getLogger("tests.logs").warning("Here with %s.", SECRET)

    monkeypatch.setattr("devices.api.routing.count_call", lambda *_, **__: speak())
    monkeypatch.setattr("access.http.middleware.is_missing", speak)
    return written


def test_a_line_of_a_call_names_the_request_the_tenant_and_the_token(
    api: Call, issue_token: IssueToken, spoken: io.StringIO
) -> None:
    token = issue_token("list_devices")
    for _ in range(2):
        answer = api("GET", "/api/v1/devices", token)
    assert "X-Request-Id" not in answer, "the public API has no such header"
    first, second = entries(spoken)
    assert (first["tenant"], first["token_id"]) == ("accuhive", str(token.pk))
    assert token.secret not in spoken.getvalue()
    assert SECRET not in spoken.getvalue(), "everything else is still redacted"
    assert re.fullmatch("[0-9a-f]{16}", first["request_id"])
    assert re.fullmatch(f"00-[0-9a-f]{{32}}-{first['request_id']}-00", first["traceparent"])
    assert first["request_id"] != second["request_id"]
    assert first["traceparent"][:35] != second["traceparent"][:35]


def test_a_line_of_a_page_names_the_request_and_the_tenant(owner: Administrator, spoken: io.StringIO) -> None:
    client = Client()
    client.force_login(owner)
    answer = client.get("/access/tokens/")
    (entry,) = entries(spoken)
    assert (entry["tenant"], entry["request_id"]) == ("accuhive", answer["X-Request-Id"])
    assert "token_id" not in entry


def test_what_django_logs_after_the_middleware_belongs_to_the_request_and_the_next_line_does_not(
    db: None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, logger="django.request")
    with lines_of("django.request") as written:
        answer = Client().get("/nowhere/")
        logging.getLogger("django.request").warning("Later.")
    during, after = entries(written)
    assert (answer.status_code, during["request_id"]) == (404, answer["X-Request-Id"])
    assert "request_id" not in after


@pytest.mark.parametrize("flags", ["00", "01", "03"])
def test_a_valid_traceparent_names_the_trace(client: Client, spoken: io.StringIO, flags: str, db: None) -> None:
    client.get("/sign-in/", headers={"traceparent": f"00-{TRACE}-{PARENT}-{flags}"})
    (entry,) = entries(spoken)
    assert entry["traceparent"] == f"00-{TRACE}-{entry['request_id']}-{int(flags, 16) & 1:02}"


def test_a_later_version_may_have_more_fields(client: Client, spoken: io.StringIO, db: None) -> None:
    client.get("/sign-in/", headers={"traceparent": f"cc-{TRACE}-{PARENT}-01-what-comes-later"})
    assert TRACE in entries(spoken)[0]["traceparent"]


@pytest.mark.parametrize(
    "header",
    [
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01-more",
        f"00-{TRACE}-{PARENT}",
        f"00-{TRACE}-{PARENT}-0g",
        f"00-{TRACE[:-1]}-{PARENT}-01",
        f" 00-{TRACE}-{PARENT}-01,00-{TRACE}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01\n",
        f"00-{TRACE}-{PARENT[:-2]}٣٣-01",
        SECRET,
        "x" * 10_000,
    ],
)
def test_a_malformed_traceparent_is_ignored(client: Client, spoken: io.StringIO, header: str, db: None) -> None:
    assert client.get("/sign-in/", headers={"traceparent": header}).status_code == 200
    (entry,) = entries(spoken)
    assert re.fullmatch(f"00-[0-9a-f]{{32}}-{entry['request_id']}-00", entry["traceparent"])
    assert TRACE not in entry["traceparent"]


def test_a_security_event_names_its_tenant_once(db: None) -> None:
    context.begin_request(None)
    context.note_sender("accuhive")
    with lines_of("access.security") as written:
        report(SecurityEvent.SIGN_IN_FAILED, "192.0.2.1", tenant="accuhive")
    context.end_request()
    assert written.getvalue().count('"tenant"') == 1


def test_the_lines_of_a_task_name_it(run_tasks: RunTasks, tmp_path: Path) -> None:
    row_id = jobs.explode_once.enqueue(str(tmp_path / "lines")).id
    with lines_of("django.tasks") as written, lines_of("access.tasks.leases") as leases:
        run_tasks()
        logging.getLogger("django.tasks").error("Later.")
    *during, after = entries(written)
    assert [entry["task_id"] for entry in during] == [row_id] * len(during) != []
    assert "task_id" not in after
    assert leases.getvalue() == ""


def test_the_thread_that_extends_a_lease_names_its_task(
    tenant: Tenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = jobs.note.enqueue(str(tmp_path / "lines"))
    row = DBTaskResult.objects.get(id=task.id)
    said = threading.Event()

    def speak(*_: object) -> None:
        logging.getLogger("tests.logs").warning("Here.")
        said.set()

    monkeypatch.setattr("access.tasks.leases._extend", speak)
    with lines_of("tests.logs") as written, context.of_task(row.pk), extended(row, "worker"):
        assert said.wait(5)
    assert entries(written)[0]["task_id"] == str(row.pk)
