"""`manage.py doctor`: what it finds in an installation, and that no check stops the others."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.tasks import TaskResultStatus
from django.utils import timezone
from django_tasks_db.models import DBTaskResult
from pytest_django import Settings

from access.maintenance import doctor
from access.maintenance.checks.database import judge_clock, judge_standbys
from access.models import Backup, Schedule, Tenant
from access.sign_in.mail import send_password_link
from devices.models import AdeIntegration
from tests.database import elsewhere
from tests.factories.devices import AdeTokenFactory
from tests.types import IssueToken

pytestmark = pytest.mark.django_db(transaction=True)

type Found = dict[str, list[dict[str, str]]]


def examined(*arguments: str) -> Found:
    """The rows of `doctor --json`, by check."""
    out = StringIO()
    with suppress(CommandError):
        call_command("doctor", "--json", *arguments, stdout=out)
    found: Found = {}
    for row in json.loads(out.getvalue()):
        found.setdefault(row["check"], []).append(row)
    return found


def levels(found: Found, check: str) -> set[str]:
    return {row["level"] for row in found[check]}


def only(found: Found, check: str) -> str:
    (row,) = found[check]
    return f"{row['level']}: {row['text']}"


@pytest.fixture
def healthy(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation in which a worker runs. The server of the tests has settings that lose data in a power cut."""
    Schedule.objects.create(name="deliver-webhooks", next=timezone.now())
    monkeypatch.delitem(doctor._checks, "database settings")
    settings.SILENCED_SYSTEM_CHECKS = ["mail.E001", "async.E001"]  # about this test run


def test_an_installation_in_order_ends_with_0(healthy: None) -> None:
    out = StringIO()
    call_command("doctor", stdout=out)
    lines = out.getvalue().splitlines()
    assert lines[-1].startswith("0 errors")
    assert {line.split()[0] for line in lines[:-1]} <= {"OK", "note", "warning"}
    assert len(lines) > 12


def test_the_version_is_the_first_line(healthy: None, settings: Settings) -> None:
    settings.VERSION = "7.8.9"
    settings.DEBUG = True  # what else is wrong changes nothing
    found = examined()
    assert next(iter(found)) == "version"
    assert only(found, "version").startswith("ok: 7.8.9, with Python 3.13.")


def test_an_error_is_the_exit_status(healthy: None) -> None:
    Schedule.objects.update(next=timezone.now() - timedelta(hours=1))
    with pytest.raises(CommandError, match="1 errors"):
        call_command("doctor", stdout=StringIO())
    assert only(examined(), "worker") == "error: None has run for 1 hour."


def test_no_check_stops_the_others(healthy: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def hangs() -> list[doctor.Finding]:
        time.sleep(30)
        return []

    def fails() -> list[doctor.Finding]:
        raise ZeroDivisionError("no\nstack")

    monkeypatch.setattr(doctor, "_checks", {"hangs": hangs, "fails": fails, **doctor._checks})
    begun = time.monotonic()
    found = examined("--limit", "2")
    assert time.monotonic() - begun < 20
    assert only(found, "hangs") == "error: No answer within 2 seconds."
    assert only(found, "fails") == "error: The check failed: ZeroDivisionError: no"
    assert levels(found, "migrations") == {"ok"}


def test_an_empty_database_is_an_answer_not_a_crash(tmp_path: Path) -> None:
    with elsewhere(tmp_path):
        found = examined()
    assert only(found, "database") == "error: It has no tables."
    assert levels(found, "migrations") == {"error"}
    assert levels(found, "files") == {"ok"}


def test_the_settings_are_those_of_check_deploy(settings: Settings) -> None:
    texts = [row["text"] for row in examined()["settings"]]
    assert any("(mail.E001)" in text for text in texts)
    settings.DEBUG = True
    assert "DEBUG is on" in str(examined()["settings"])


def test_tasks_that_wait_and_failed(healthy: None) -> None:
    assert only(examined(), "tasks") == "ok: None waits."
    send_password_link("nobody@accuhive.test", "iru.test")
    DBTaskResult.objects.update(enqueued_at=timezone.now() - timedelta(hours=2))
    assert only(examined(), "tasks").startswith("error: 1 wait, the oldest for 2 hours")
    DBTaskResult.objects.update(
        status=TaskResultStatus.FAILED, finished_at=timezone.now(), exception_class_path="builtins.OSError"
    )
    assert examined()["tasks"][1]["text"].startswith("1 failed within a week")


def test_the_age_of_the_last_backup(healthy: None) -> None:
    assert levels(examined(), "backup") == {"warning"}
    now = timezone.now()
    row = Backup.objects.create(started_at=now, finished_at=now, path="/srv/it.tar", size=1)
    assert levels(examined(), "backup") == {"ok"}
    row.finished_at = now - timedelta(days=3)
    row.save()
    assert only(examined(), "backup") == "warning: The last one was made 3 days ago: /srv/it.tar."


def test_keys_that_rows_are_under(healthy: None, issue_token: IssueToken, settings: Settings) -> None:
    issue_token()
    found = [row for row in examined()["keys"] if "IRU_TOKEN_KEYS" in row["text"]]
    assert [row["level"] for row in found] == ["note", "ok"]  # key 1 is unused
    settings.IRU_TOKEN_KEYS = ["3:" + "3" * 64, settings.IRU_TOKEN_KEYS[0]]
    assert "1 values are still under key 2" in str(examined()["keys"])
    settings.IRU_TOKEN_KEYS = ["3:" + "3" * 64]
    assert "lacks key 2, which 1 values are under" in str(examined()["keys"])
    settings.IRU_TOKEN_KEYS = ["3:short"]
    assert levels(examined(), "keys") == {"error", "ok"}


def test_server_tokens_that_expire(healthy: None, tenant: Tenant) -> None:
    integration = AdeTokenFactory.create(tenant=tenant, server_name="Main")
    AdeIntegration.objects.update(ciphertext=b"sealed", key_number=1)
    for days, level in ((90, "ok"), (10, "warning"), (-1, "error")):
        AdeIntegration.objects.update(access_token_expiry=timezone.now() + timedelta(days=days))
        assert levels(examined(), "expiries") == {level}
    assert "Main of accuhive expired" in str(examined()["expiries"])
    assert integration.pk


def test_a_directory_that_takes_no_files(healthy: None, settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    options = {"location": str(tmp_path / "file")}
    settings.STORAGES = {**settings.STORAGES, "files": {**settings.STORAGES["files"], "OPTIONS": options}}
    assert levels(examined(), "files") == {"error"}
    options["location"] = str(tmp_path / "new")
    settings.STORAGES = {**settings.STORAGES, "files": {**settings.STORAGES["files"], "OPTIONS": options}}
    assert levels(examined(), "files") == {"ok"}
    assert [path for path in (tmp_path / "new").rglob("*") if path.is_file()] == []


@pytest.fixture
def mail_server() -> Iterator[tuple[int, list[bytes]]]:
    """The port of a server that greets, and the commands that it got."""
    said: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            client, _ = listening.accept()
            with client, client.makefile("rwb") as lines:
                lines.write(b"220 here\r\n")
                lines.flush()
                for line in lines:
                    said.append(line.split()[0].upper())
                    lines.write(b"250 fine\r\n")
                    lines.flush()
                    if said[-1] == b"QUIT":
                        return

        thread = threading.Thread(target=serve)
        thread.start()
        yield listening.getsockname()[1], said
        thread.join(5)


def smtp(port: int) -> dict[str, Any]:
    options = {"host": "127.0.0.1", "port": port, "timeout": 2}
    return {"default": {"BACKEND": "django.core.mail.backends.smtp.EmailBackend", "OPTIONS": options}}


def test_mail_is_connected_to_and_nothing_is_sent(
    healthy: None, settings: Settings, mail_server: tuple[int, list[bytes]]
) -> None:
    port, said = mail_server
    settings.MAILERS = smtp(port)
    assert levels(examined(), "mail") == {"ok"}
    assert b"MAIL" not in said


def test_a_mail_server_that_is_away(healthy: None, settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    settings.MAILERS = smtp(port)
    assert levels(examined(), "mail") == {"error"}


def test_what_the_database_would_lose() -> None:
    found = examined()
    if connection.vendor == "postgresql":  # the server of the tests has fsync off
        assert {row["text"].split()[0] for row in found["database settings"]} >= {"fsync", "full_page_writes"}
        assert only(found, "pooler").startswith("ok")
        assert only(found, "replication").startswith("note: A single node")
    else:
        assert levels(found, "database settings") == {"ok"}


@pytest.mark.parametrize(
    ("states", "names", "level"),
    [
        ([], "", "note"),
        (["async"], "", "error"),
        (["async", "sync"], "*", "OK"),
        (["quorum", "quorum"], "ANY 1 (a, b)", "OK"),
        ([None, None], "", "error"),  # a user who may not see the states
        ([None, None], "*", "OK"),
        (["async"], "*", "error"),
    ],
)
def test_standbys_need_a_synchronous_one(states: list[str | None], names: str, level: str) -> None:
    assert judge_standbys(states, names).level == level


NOW = datetime(2026, 11, 27, tzinfo=UTC)


@pytest.mark.parametrize(
    ("theirs", "newest", "level"),
    [(0, None, "OK"), (5, None, "warning"), (-90, None, "error"), (0, 3600, "error"), (0, -3600, "OK")],
)
def test_clocks(theirs: int, newest: int | None, level: str) -> None:
    event = None if newest is None else NOW + timedelta(seconds=newest)
    assert judge_clock(NOW, NOW + timedelta(seconds=theirs), NOW, event).level == level
    assert judge_clock(NOW.replace(year=1970), None, NOW, None).level == "error"
