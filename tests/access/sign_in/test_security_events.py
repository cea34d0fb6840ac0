"""What did not work, in the log and in the counts: every way to it, through the pages."""

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from django.core import mail
from django.test import Client

from access.audit import security
from access.audit.security import REPEATED, SecurityEvent, counts, report
from access.logs import JsonFormatter
from access.models import Administrator, Role, Tenant
from access.sign_in import hashing
from access.sign_in.hashing import OneAtATimeArgon2
from access.sign_in.sessions import AUTHENTICATED_AT
from tests.factories.access import AdministratorFactory
from tests.types import RunTasks

pytestmark = [pytest.mark.slow, pytest.mark.django_db]
PASSWORD = "four unrelated words suffice"
WRONG = "a secret that was typed"
EMAIL = "person@accuhive.test"

type Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture(autouse=True)
def none_before() -> None:
    security._counts.clear()
    security._unlogged.clear()


@pytest.fixture
def person(tenant: Tenant) -> Administrator:
    return AdministratorFactory.create(tenant=tenant, email=EMAIL, password=PASSWORD, role=Role.OWNER)


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Lines:
    """`lines()`: the lines of security events so far, as an operator's log collector reads them."""
    caplog.set_level(logging.INFO, logger="access.security")

    def lines() -> list[dict[str, Any]]:
        texts = [JsonFormatter().format(record) for record in caplog.records if record.name == "access.security"]
        assert not any(secret in text for text in texts for secret in (WRONG, PASSWORD))
        read = [json.loads(text) for text in texts]
        for line in read:
            assert line["message"] == f"Security event: {line['security_event']}"
            assert line["levelname"] == "WARNING"
        names = ("security_event", "address", "account", "limit", "times")
        return [{name: line[name] for name in names if name in line} for line in read]

    return lines


def sign_in(login: str = EMAIL, address: str = "192.0.2.7", password: str = WRONG) -> int:
    data = {"login": login, "password": password}
    return Client(REMOTE_ADDR=address).post("/sign-in/", data).status_code


@pytest.mark.parametrize(
    ("login", "account"),
    [(EMAIL, EMAIL), (" Person@Accuhive.TEST ", EMAIL), ("nobody@accuhive.test", "unknown")],
)
def test_a_failed_sign_in(person: Administrator, lines: Lines, login: str, account: str) -> None:
    assert sign_in(login) == 422
    expected = {"security_event": "sign_in_failed", "address": "192.0.2.7", "account": account, "times": 1}
    assert lines() == [expected]
    assert counts()[SecurityEvent.SIGN_IN_FAILED] == 1


def test_a_sign_in_that_works_is_none(person: Administrator, lines: Lines) -> None:
    assert sign_in(password=PASSWORD) == 302
    assert lines() == []
    assert set(counts().values()) == {0}


def test_sign_ins_beyond_the_limit_of_an_account_and_of_an_address(person: Administrator, lines: Lines) -> None:
    for n in range(10):
        sign_in(address=f"198.51.100.{n}")
        sign_in(login=f"{n}@accuhive.test", address="203.0.113.1")
    before = len(lines())
    assert sign_in() == 429
    assert sign_in(login="else@accuhive.test", address="203.0.113.1") == 429
    refused = {"security_event": "sign_in_refused", "times": 1}
    assert lines()[before:] == [
        {**refused, "address": "192.0.2.7", "limit": "account", "account": EMAIL},
        {**refused, "address": "203.0.113.1", "limit": "address"},
    ]
    assert counts()[SecurityEvent.SIGN_IN_REFUSED] == 2


def test_reset_links_beyond_the_limit(person: Administrator, lines: Lines, client: Client) -> None:
    statuses = [client.post("/password/reset/", {"email": EMAIL}).status_code for _ in range(12)]
    assert statuses == [302] * 10 + [429] * 2
    expected = {"security_event": "reset_refused", "limit": "account", "account": EMAIL, "address": "127.0.0.1"}
    assert lines() == [{**expected, "times": 1}]  # a second line within the minute is not written, and counted
    assert counts()[SecurityEvent.RESET_REFUSED] == 2


def test_a_reset_link_that_was_used(person: Administrator, lines: Lines, client: Client, run_tasks: RunTasks) -> None:
    client.post("/password/reset/", {"email": EMAIL})
    run_tasks()
    link = next(line for line in str(mail.outbox[0].body).splitlines() if line.startswith("http"))
    form = client.get(link, follow=True).request["PATH_INFO"]
    new = "quite another long passphrase"
    assert client.post(form, {"password1": new, "password2": new}).status_code == 302
    assert lines() == []
    client.get(link)
    assert lines() == [{"security_event": "reset_link_refused", "address": "127.0.0.1", "times": 1}]
    assert counts()[SecurityEvent.RESET_LINK_REFUSED] == 1


def test_a_password_that_is_not_confirmed(person: Administrator, lines: Lines, client: Client) -> None:
    client.force_login(person)
    session = client.session
    session[AUTHENTICATED_AT] = 0
    session.save()
    statuses = [client.post("/access/tokens/new/", {"password": WRONG}).status_code for _ in range(11)]
    assert statuses == [422] * 10 + [429]
    facts = {"address": "127.0.0.1", "account": EMAIL, "times": 1}
    *failed, refused = lines()
    assert failed == [{"security_event": "confirmation_failed", **facts}] * 10
    assert refused == {"security_event": "confirmation_refused", "limit": "account", **facts}


def test_a_new_password_that_meets_a_busy_hasher(
    tenant: Tenant, operator: Administrator, lines: Lines, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashing, "HASH_WAIT", 0.01)
    client.force_login(operator)
    fields = {"tenant": tenant.subdomain, "email": "new@accuhive.test", "role": Role.ADMIN, "password": PASSWORD}
    with OneAtATimeArgon2._turn:
        assert client.post("/admin/access/administrator/add/", fields).status_code == 429
    expected = {"security_event": "new_password_refused", "address": "127.0.0.1", "limit": "busy", "times": 1}
    assert lines() == [expected]


def test_a_network_that_is_refused_again_and_again_is_one_line_a_minute(
    lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("access.audit.security.time.monotonic", lambda: now)
    for address in ("2001:db8::1", "2001:db8::2", "192.0.2.1", "2001:db8::3"):
        report(SecurityEvent.SIGN_IN_REFUSED, address)
    now += REPEATED
    report(SecurityEvent.SIGN_IN_REFUSED, "2001:db8::4")
    assert [(line["address"], line["times"]) for line in lines()] == [
        ("2001:db8::1", 1),
        ("192.0.2.1", 1),
        ("2001:db8::4", 3),
    ]
    assert counts()[SecurityEvent.SIGN_IN_REFUSED] == 5
