"""The client of Apple's service, against a server that behaves as Apple documents it."""

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import pytest
import stamina
from pydantic import SecretStr

from devices.enrollment.apple import (
    REQUEST,
    WORKER,
    AppleDevices,
    AppleRefused,
    AppleUnavailable,
    CursorExhausted,
    CursorExpired,
)
from devices.enrollment.server_tokens import ServerToken
from devices.models import AdeIntegration
from tests.apple import CREDENTIALS, Apple, device, signature

Reason = AdeIntegration.Reason
EXPIRY = datetime(2126, 1, 1, tzinfo=UTC)


def token(**changes: str) -> ServerToken:
    values: Any = {name: SecretStr(value) for name, value in (CREDENTIALS | changes).items()}
    return ServerToken(**values, access_token_expiry=EXPIRY)


type Connect = Callable[..., AppleDevices]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """`connect(REQUEST, consumer_key="…")`: a client, by default with the right token and a worker's time limit."""
    with ExitStack() as stack:
        yield lambda patience=WORKER, **changes: stack.enter_context(AppleDevices(token(**changes), patience))


@pytest.fixture
def client(apple: Apple, connect: Connect) -> AppleDevices:
    return connect()


def test_the_tests_own_signature_is_that_of_the_standard() -> None:
    """RFC 5849, section 1.2: the request for an access token."""
    signed = {
        "realm": "Photos",
        "oauth_consumer_key": "dpf43f3p2l4k3l03",
        "oauth_token": "hh5s93j4hdidpola",
        "oauth_signature_method": "HMAC-SHA1",
        "oauth_timestamp": "137131201",
        "oauth_nonce": "walatlh",
        "oauth_verifier": "hfdp7dh39dks9884",
    }
    made = signature("POST", "https://photos.example.net/token", signed, "kd94hf93k423kf44", "hdhd0244k9j7ao03")
    assert made == "gKgrFCywp7rO0OXSjdot/IHF7IU="


def test_the_account_of_a_token(apple: Apple, client: AppleDevices) -> None:
    account = client.account()
    assert account.server_uuid.hex.upper() == apple.account["server_uuid"]
    assert account.server_name == "Accuhive MDM"
    assert client.account() == account  # in the same session; each answer replaces its token
    assert [path for path, _ in apple.calls] == ["/session", "/account", "/account"]


def test_a_session_that_ended_is_begun_again(apple: Apple, client: AppleDevices) -> None:
    client.account()
    apple.session = "another"
    client.account()
    assert [path for path, _ in apple.calls] == ["/session", "/account", "/account", "/session", "/account"]


@pytest.mark.parametrize("wrong", CREDENTIALS)
def test_a_wrong_credential_is_refused(apple: Apple, connect: Connect, wrong: str) -> None:
    with pytest.raises(AppleRefused) as caught:
        connect(**{wrong: "another"}).account()
    assert caught.value.reason == Reason.UNAUTHORIZED
    assert apple.paths() == []


@pytest.mark.parametrize(
    ("body", "reason"),
    [('"T_C_NOT_SIGNED"', Reason.TERMS), ("ACCESS_DENIED", Reason.FORBIDDEN), ('"FORBIDDEN"', Reason.FORBIDDEN)],
)
def test_the_reason_of_a_refusal(apple: Apple, client: AppleDevices, body: str, reason: AdeIntegration.Reason) -> None:
    client.account()
    apple.refused = body
    with pytest.raises(AppleRefused) as caught:
        client.account()
    assert caught.value.reason == reason


def test_pages_of_devices(apple: Apple, client: AppleDevices) -> None:
    apple.devices, apple.page = [device(f"C02{number}") for number in range(5)], 2
    cursor, serials = "", list[str]()
    for more in (True, True, False):
        page = client.fetch(cursor)
        assert page.more_to_follow is more
        cursor, serials = page.cursor, serials + [row.serial_number for row in page.devices]
    assert serials == [row["serial_number"] for row in apple.devices]
    with pytest.raises(CursorExhausted):
        client.fetch(cursor)
    apple.change("deleted", apple.devices[0])
    (change,) = client.sync(cursor).devices
    assert (change.op_type, change.serial_number) == ("deleted", "C020")
    apple.expired.add(cursor)
    for call in (client.fetch, client.sync):
        with pytest.raises(CursorExpired):
            call(cursor)


def test_a_row_with_less_or_more_than_the_documentation_says(apple: Apple, client: AppleDevices) -> None:
    odd: dict[str, Any] = {"model": None, "device_assigned_date": "", "color": "X" * 500, "new_in_2027": {}}
    apple.devices = [{"serial_number": "C02A", **odd}]
    (row,) = client.fetch("").devices
    assert (row.model, row.device_assigned_date, len(row.color)) == ("", None, 60)


def test_profiles(apple: Apple, client: AppleDevices) -> None:
    profile_uuid = client.define_profile({"profile_name": "Accuhive", "url": "https://mdm.accuhive.test/"})
    apple.assignments = {"C02B": "NOT_ACCESSIBLE"}
    answers = client.assign_profile(profile_uuid, ["C02A", "C02B"])
    assert answers == {"C02A": "SUCCESS", "C02B": "NOT_ACCESSIBLE"}


def test_a_request_that_failed_is_tried_again(apple: Apple, client: AppleDevices) -> None:
    apple.failures = [(503, "", {}), (429, "", {"Retry-After": "1"}), (500, "", {})]
    assert client.account().org_name == "Accuhive"


def test_it_waits_as_long_as_it_is_asked_to(
    apple: Apple, client: AppleDevices, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("tenacity.nap.time.sleep", waits.append)
    with stamina.set_testing(False):
        apple.failures = [(429, "", {"Retry-After": "7"}), (503, "", {})]
        client.account()
        assert waits[0] == 7
        assert 1 <= waits[1] <= 5
        apple.failures = [(503, "", {"Retry-After": "3600"})]  # longer than a task may wait: the next sync continues
        with pytest.raises(AppleUnavailable, match="503"):
            client.account()
    assert len(waits) == 2


def test_it_gives_up_in_time(apple: Apple, client: AppleDevices, connect: Connect) -> None:
    apple.failures = [(503, "", {})] * 100
    with pytest.raises(AppleUnavailable, match="answered 503"):
        client.account()
    assert len(apple.calls) == WORKER.attempts
    before = len(apple.calls)
    with pytest.raises(AppleUnavailable):
        connect(REQUEST).account()
    assert len(apple.calls) == before + REQUEST.attempts


@pytest.mark.parametrize(
    "answer", [(200, "<html>", {}), (200, "[]", {}), (404, "", {}), (302, "", {"Location": "http://evil.test/"})]
)
def test_an_answer_that_is_not_documented(apple: Apple, client: AppleDevices, answer: Any) -> None:
    client.account()
    apple.failures = [answer]
    with pytest.raises(AppleUnavailable):
        client.account()


def test_a_service_that_is_away(connect: Connect) -> None:
    with stamina.set_testing(True, attempts=2), pytest.raises(AppleUnavailable, match="cannot be reached"):
        connect(REQUEST).account()


def test_no_credential_is_logged(
    apple: Apple, client: AppleDevices, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    apple.failures = [(503, "", {})]
    with caplog.at_level(logging.DEBUG):
        client.account()
        with pytest.raises(AppleRefused) as caught:
            connect(consumer_secret="CS_another").account()
    text = f"{caplog.text} {caught.value!r} {caught.value.__cause__!r}"
    assert not [value for value in (*CREDENTIALS.values(), "CS_another", apple.session) if value in text]
