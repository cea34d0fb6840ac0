"""What a receiver of webhooks can do to this server, and which addresses it may have. The receivers are real ones."""

import os
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from access.addresses import parse
from access.webhooks import client, destinations
from access.webhooks.client import Undelivered, post
from access.webhooks.destinations import Refused, allowed, checked_url
from tests import receivers
from tests.receivers import Receiver, Resolver, make_certificate, trusting

pytestmark = pytest.mark.sqlite_only  # no database is in it

LIMIT = 1.0  # seconds, in place of five
PATIENCE = 30.0  # where an answer comes: this machine may be busy


def send(receiver: Receiver, seconds: float = PATIENCE) -> client.Answer:
    return post(receiver.url, b'{"a":1}', {"webhook-id": "msg_1"}, seconds=seconds)


def test_the_request_names_the_host_and_goes_to_the_checked_address(receiver: Receiver, resolver: Resolver) -> None:
    answer = send(receiver)
    assert (answer.status, answer.text) == (200, "thanks")
    (request,) = receiver.requests
    assert request.line == "POST /iru?x=1 HTTP/1.1"
    assert request.headers["host"] == f"hooks.test:{receiver.port}"
    assert (request.headers["webhook-id"], request.body) == ("msg_1", '{"a":1}')
    assert receiver.server_names == ["hooks.test"]
    assert resolver.asked == ["hooks.test"]


def test_a_second_answer_of_the_name_server_changes_nothing(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    """DNS rebinding: an allowed address for the check, and this machine for the connection."""
    settings.IRU_WEBHOOK_NETWORKS = ["127.0.0.2"]
    resolver = Resolver(["127.0.0.2"], ["127.0.0.1"])
    monkeypatch.setattr(destinations, "_look_up", resolver)
    look_up = socket.getaddrinfo

    def second_answer(host: str, *rest: Any, **named: Any) -> Any:  # for a connection that is made by the name
        return look_up("127.0.0.1" if host == "hooks.test" else host, *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", second_answer)
    with pytest.raises(Undelivered, match="connection failed"):
        send(receiver)
    assert receiver.connections == 0
    assert len(resolver.asked) == 1


def test_an_address_that_does_not_answer_is_followed_by_the_next(receiver: Receiver, resolver: Resolver) -> None:
    resolver._answers = [["::1", "127.0.0.1"]]
    assert send(receiver).status == 200


def test_of_two_addresses_the_forbidden_one_is_not_connected_to(
    receiver: Receiver, resolver: Resolver, settings: Any
) -> None:
    settings.IRU_WEBHOOK_NETWORKS = ["127.0.0.2"]
    resolver._answers = [["127.0.0.1", "127.0.0.2"]]
    with pytest.raises(Undelivered, match="connection failed"):
        send(receiver)
    assert receiver.connections == 0


def test_ipv6(certificate: Path, receiver: Receiver, resolver: Resolver) -> None:
    resolver._answers = [["::1"]]
    with Receiver(certificate, host="::1") as other:
        assert send(other).status == 200
    assert len(other.requests) == 1


@pytest.mark.parametrize("behavior", [receivers.drips, receivers.says_nothing])
def test_a_slow_receiver_ends_at_the_deadline(receiver: Receiver, behavior: receivers.Behavior) -> None:
    receiver.behavior = behavior
    start = time.monotonic()
    with pytest.raises(Undelivered, match="No answer within 1 seconds"):
        send(receiver, LIMIT)
    assert time.monotonic() - start < 30  # its sixty seconds are not waited for


@pytest.mark.slow
def test_without_another_limit_the_deadline_is_after_five_seconds(receiver: Receiver) -> None:
    receiver.behavior = receivers.says_nothing
    start = time.monotonic()
    with pytest.raises(Undelivered, match=r"^No answer within 5 seconds\.$"):
        post(receiver.url, b"{}", {})
    assert 5 <= time.monotonic() - start < 30


def test_a_body_that_drips_ends_at_the_deadline_and_the_status_counts(receiver: Receiver) -> None:
    receiver.behavior = receivers.drips_body
    start = time.monotonic()
    answer = send(receiver, seconds=5)
    assert answer.status == 200
    assert 0 < len(answer.text) < 600
    assert time.monotonic() - start < 30


def test_of_an_endless_answer_64_kib_are_kept(receiver: Receiver) -> None:
    receiver.behavior = receivers.never_ends
    start = time.monotonic()
    answer = send(receiver, seconds=20)
    assert (answer.status, len(answer.text)) == (200, 64 * 1024)
    assert time.monotonic() - start < 15  # the rest is not read until the deadline


def test_an_endless_head_is_no_answer(receiver: Receiver) -> None:
    receiver.behavior = receivers.never_ends_its_head
    with pytest.raises(Undelivered, match="not HTTP"):
        send(receiver)


def test_a_connection_that_breaks_off_is_no_answer(receiver: Receiver) -> None:
    receiver.behavior = receivers.hangs_up
    with pytest.raises(Undelivered):
        send(receiver)


def test_a_redirect_is_an_answer_and_is_not_followed(receiver: Receiver) -> None:
    receiver.behavior = receivers.answers(307, Location=receiver.url)
    assert send(receiver).status == 307
    assert receiver.connections == 1


def test_the_certificate_of_another_name_is_refused(
    receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make_certificate(tmp_path / "other.pem", "other.test")
    monkeypatch.setattr(client, "_tls", lambda: trusting(other))
    with Receiver(other) as impostor, pytest.raises(Undelivered, match=r"(?i)certificate"):
        send(impostor)
    assert not impostor.requests


def test_a_certificate_that_nobody_vouches_for_is_refused(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(destinations, "_look_up", Resolver(["127.0.0.1"]))
    with pytest.raises(Undelivered, match=r"(?i)certificate"):
        send(receiver)
    assert not receiver.requests


def test_proxies_of_the_environment_are_not_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setitem(os.environ, name, "http://127.0.0.1:9")
    assert send(receiver).status == 200


def test_a_resolver_that_hangs_ends_at_the_deadline(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()

    def hang(*_: Any, **__: Any) -> list[Any]:
        ended.wait(20)
        return []  # an error in its thread would be one of the test that runs then

    monkeypatch.setattr(destinations, "_look_up", hang)
    start = time.monotonic()
    with pytest.raises(Undelivered, match="No answer within 1 seconds"):
        send(receiver, LIMIT)
    assert time.monotonic() - start < 15
    ended.set()


def test_the_text_of_an_answer_can_be_stored(receiver: Receiver) -> None:
    receiver.behavior = receivers.answers(500, b"a\0b\xff")
    assert send(receiver).text == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1",
        "169.254.169.254", "169.254.170.2", "100.64.0.1", "100.100.100.200", "192.0.0.192", "168.63.129.16",
        "192.0.2.1", "198.18.0.1", "198.51.100.7", "203.0.113.7", "192.88.99.1", "224.0.0.1", "239.255.255.250",
        "240.0.0.1", "255.255.255.255",
        "::", "::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:10.0.0.1", "::127.0.0.1", "fe80::1",
        "fe80::1%eth0", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1", "2002:7f00:1::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:db8::1", "100::1",
    ],
)  # fmt: skip
def test_addresses_that_no_webhook_is_sent_to(resolver: Resolver, address: str) -> None:
    resolver._answers = [[address]]
    with pytest.raises(Refused, match="does not connect to"):
        destinations.resolve("hooks.test", 443, 5)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "93.184.216.34", "::ffff:8.8.8.8", "64:ff9b::808:808", "2606:4700::1111"]
)
def test_addresses_of_the_internet(resolver: Resolver, address: str) -> None:
    resolver._answers = [[address]]
    assert destinations.resolve("hooks.test", 443, 5)


@pytest.mark.parametrize(
    ("network", "address", "answer"),
    [
        ("10.20.0.0/16", "10.20.1.1", True),
        ("10.20.0.0/16", "::ffff:10.20.1.1", True),
        ("10.20.0.0/16", "64:ff9b::a14:101", True),
        ("10.20.0.0/16", "10.21.1.1", False),
        ("fd12::/16", "fd12::1", True),
        ("fd12::/16", "fd13::1", False),
    ],
)
def test_the_setting_allows_networks(settings: Any, network: str, address: str, answer: bool) -> None:
    settings.IRU_WEBHOOK_NETWORKS = [network]
    assert (parsed := parse(address))
    assert allowed(parsed) == answer


@pytest.mark.parametrize(
    "host", ["127.1", "2130706433", "0x7f.1", "017700000001", "localhost", "127.0.0.1.", "[::1]", "[::ffff:127.0.0.1]"]
)
def test_other_spellings_of_this_machine_are_refused(
    receiver: Receiver, host: str, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the check of the URL, or by that of the address. The machine's own resolver reads them."""
    settings.IRU_WEBHOOK_NETWORKS = []
    monkeypatch.setattr(destinations, "_look_up", socket.getaddrinfo)
    with pytest.raises((Refused, Undelivered)):
        post(checked_url(f"https://{host}:{receiver.port}/"), b"{}", {}, seconds=LIMIT)
    assert receiver.connections == 0


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.test/", "ftp://hooks.test/", "//hooks.test/", "hooks.test", "https://", "https:///path", "",
        "https://user@hooks.test/", "https://user:password@hooks.test/", "https://@hooks.test/",
        "https://hooks.test:99999/", "https://hooks.test:0/", "https://hooks.test:/", "https://hooks.test:x/",
        "https://hooks.test/a b", "https://hooks.test/\r\nX: y", "https://hooks.test/\0", "https://[::1/",
        "https://127.0.0.1/", "https://[fd00::1]/", "https://10.0.0.1:8443/", "https://hooks..tést/",
        "https://hooks.test/" + "a" * 1000, "javascript:alert(1)", "file:///etc/passwd", "gopher://hooks.test/",
    ],
)  # fmt: skip
def test_urls_that_are_refused(url: str) -> None:
    with pytest.raises(Refused):
        checked_url(url)


@pytest.mark.parametrize(
    ("url", "stored"),
    [
        (" https://Hooks.TEST ", "https://hooks.test/"),
        ("https://hooks.test:443/x?a=b#part", "https://hooks.test/x?a=b"),
        ("https://hooks.test:8443", "https://hooks.test:8443/"),
        ("https://bücher.test/ö?ü", "https://xn--bcher-kva.test/%C3%B6?%C3%BC"),
        ("https://[2606:4700::1111]/", "https://[2606:4700::1111]/"),
    ],
)
def test_urls_as_they_are_stored(url: str, stored: str) -> None:
    assert checked_url(url) == stored
    assert checked_url(stored) == stored
