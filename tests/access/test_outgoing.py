"""Connections to other servers: by the proxy, to allowed addresses, and to servers that our authorities prove."""

import contextlib
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import storages

from access import outgoing
from access.maintenance.checks.services import check_outgoing
from access.outgoing import check_settings, configured_proxy, proxy_for
from access.sign_in.providers import SocialAdapter
from access.smtp import SmtpBackend
from access.webhooks import destinations
from access.webhooks.client import Undelivered, post
from devices.enrollment.apple import AppleDevices, AppleRefused, AppleUnavailable, Patience
from devices.enrollment.server_tokens import ServerToken
from devices.imports.tenant.client import SourceTenant
from devices.storage.backends import StorageAway
from tests.iru.test_mail import MailServer
from tests.proxies import ConnectProxy
from tests.receivers import Receiver, Resolver, answers, make_certificate

pytestmark = pytest.mark.sqlite_only  # no database is in it

PUBLIC = "93.184.216.34"
NAMES = ("hooks.test", "apple.test", "s3.test", "mail.test", "tenant.test")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of all servers of these tests, and of their authority."""
    return make_certificate(tmp_path_factory.mktemp("outgoing") / "ours.pem", *NAMES)


@pytest.fixture(scope="module")
def other_certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("outgoing") / "other.pem", *NAMES)


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Resolver:
    resolver = Resolver([PUBLIC])
    monkeypatch.setattr(destinations, "_look_up", resolver)
    return resolver


@pytest.fixture
def receiver(certificate: Path) -> Iterator[Receiver]:
    with Receiver(certificate) as receiver:
        yield receiver


@pytest.fixture
def proxy(receiver: Receiver, certificate: Path, settings: Any) -> Iterator[ConnectProxy]:
    """The proxy in force, whose tunnels lead to the receiver. Our authority proves the receiver."""
    settings.IRU_CA_FILE = str(certificate)
    with ConnectProxy(receiver.port) as proxy:
        settings.IRU_HTTPS_PROXY = proxy.url
        yield proxy


# --- Webhooks and identity providers ----------------------------------------------------------------------------------


def send(receiver: Receiver, seconds: float = 5.0) -> int:
    return post(receiver.url, b"{}", {}, seconds=seconds).status


def test_a_webhook_asks_the_proxy_for_the_address_that_was_checked(
    proxy: ConnectProxy, receiver: Receiver, resolver: Resolver
) -> None:
    assert send(receiver) == 200
    assert proxy.asked == [f"{PUBLIC}:{receiver.port}"]
    assert resolver.asked == ["hooks.test"], "once, and by us"
    assert receiver.server_names == ["hooks.test"]
    (request,) = receiver.requests
    assert request.headers["host"] == f"hooks.test:{receiver.port}"


def test_an_ipv6_address_is_asked_for_in_brackets(proxy: ConnectProxy, receiver: Receiver, resolver: Resolver) -> None:
    resolver._answers = [["2606:2800:220:1::1"]]
    assert send(receiver) == 200
    assert proxy.asked == [f"[2606:2800:220:1::1]:{receiver.port}"]


@pytest.mark.parametrize("address", ["10.0.0.7", "127.0.0.1", "169.254.169.254", "192.168.1.1", "fd00::1"])
def test_the_proxy_is_not_asked_for_an_address_of_an_inner_network(
    proxy: ConnectProxy, receiver: Receiver, resolver: Resolver, address: str
) -> None:
    resolver._answers = [[address]]
    with pytest.raises(Undelivered, match="not an address of the public Internet"):
        send(receiver)
    assert proxy.asked == []


def test_a_second_answer_of_the_name_server_reaches_nobody_through_the_proxy(
    proxy: ConnectProxy, receiver: Receiver, resolver: Resolver
) -> None:
    """DNS rebinding. A proxy that is given the name would look it up again."""
    resolver._answers = [[PUBLIC], ["10.0.0.7"]]
    assert send(receiver) == 200
    assert len(resolver.asked) == 1
    assert proxy.asked == [f"{PUBLIC}:{receiver.port}"]
    assert "hooks.test" not in proxy.heads[0]


def test_the_password_is_for_the_proxy_alone(
    proxy: ConnectProxy, receiver: Receiver, resolver: Resolver, settings: Any
) -> None:
    settings.IRU_HTTPS_PROXY = proxy.url.replace("//", "//iru:p%40ss@")
    assert send(receiver) == 200
    assert "Proxy-Authorization: Basic aXJ1OnBAc3M=\r\n" in proxy.heads[0]
    assert "proxy-authorization" not in receiver.requests[0].headers
    configured = configured_proxy()
    assert configured is not None
    assert configured.name == f"127.0.0.1:{proxy.port}"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 403 Forbidden\r\n\r\n",
        b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X-Filler: " + b"x" * 20_000,
        b"HTTP/1.1 200 OK\r\n",
    ],
)
def test_a_proxy_that_opens_no_tunnel_is_an_attempt_that_failed(
    proxy: ConnectProxy, receiver: Receiver, resolver: Resolver, answer: bytes
) -> None:
    proxy.answer = answer
    with pytest.raises(Undelivered, match="The connection failed: The proxy"):
        send(receiver)
    assert receiver.connections == 0


def test_a_proxy_that_says_nothing_ends_at_the_deadline(
    proxy: ConnectProxy, receiver: Receiver, resolver: Resolver
) -> None:
    proxy.silent = True
    with pytest.raises(Undelivered, match="No answer within 1 seconds"):
        send(receiver, 1.0)


def test_another_authority_refuses_the_receiver(
    proxy: ConnectProxy, receiver: Receiver, resolver: Resolver, settings: Any, other_certificate: Path
) -> None:
    settings.IRU_CA_FILE = str(other_certificate)
    with pytest.raises(Undelivered, match="certificate verify failed"):
        send(receiver)
    assert receiver.requests == []
    settings.IRU_CA_FILE = ""
    with pytest.raises(Undelivered, match="certificate verify failed"):
        send(receiver)


def test_an_identity_provider_is_reached_in_the_same_way(
    proxy: ConnectProxy, receiver: Receiver, resolver: Resolver
) -> None:
    receiver.behavior = answers(200, b"{}", Content_Type="application/json")
    assert SocialAdapter(None).get_requests_session().get(receiver.url).json() == {}
    assert proxy.asked == [f"{PUBLIC}:{receiver.port}"]
    resolver._answers = [["10.0.0.7"]]
    with pytest.raises(requests.ConnectionError):
        SocialAdapter(None).get_requests_session().get(receiver.url)
    assert len(proxy.asked) == 1


# --- The other clients ------------------------------------------------------------------------------------------------


def call_apple(receiver: Receiver, settings: Any) -> None:
    settings.IRU_ADE_URL = f"https://apple.test:{receiver.port}"
    fields = dict.fromkeys(("consumer_key", "consumer_secret", "access_token", "access_secret"), "k")
    token = ServerToken.model_validate({**fields, "access_token_expiry": "2099-01-01T00:00:00Z"})
    patience = Patience(attempts=1, seconds=5, answer=5)
    with AppleDevices(token, patience) as apple, contextlib.suppress(AppleUnavailable, AppleRefused):
        apple.account()


def call_tenant(receiver: Receiver, settings: Any) -> None:
    client = SourceTenant(api_url=f"https://tenant.test:{receiver.port}/api/v1", token="t", sleep=lambda _: None)
    with contextlib.suppress(Exception):
        client.get("/devices")
    client.close()


def call_bucket(receiver: Receiver, settings: Any) -> None:
    options = {
        "bucket_name": "apps",
        "endpoint_url": f"https://s3.test:{receiver.port}",
        "access_key": "a",
        "secret_key": "b",
        "region_name": "us-east-1",
    }
    storage: Any = storages.create_storage({"BACKEND": "devices.storage.s3.BucketStorage", "OPTIONS": options})
    with contextlib.suppress(StorageAway):
        storage.check()


CALLS = {"apple": call_apple, "tenant": call_tenant, "s3": call_bucket}


@pytest.mark.parametrize("name", CALLS)
def test_a_client_goes_through_the_proxy_and_trusts_our_authority_alone(
    proxy: ConnectProxy, receiver: Receiver, settings: Any, other_certificate: Path, name: str
) -> None:
    CALLS[name](receiver, settings)
    assert set(proxy.asked) == {f"{name}.test:{receiver.port}"}
    assert receiver.requests
    receiver.requests.clear()
    settings.IRU_CA_FILE = str(other_certificate)
    CALLS[name](receiver, settings)
    assert receiver.requests == []


@pytest.mark.parametrize("name", CALLS)
def test_a_client_goes_around_the_proxy_where_the_setting_says_so(
    proxy: ConnectProxy, receiver: Receiver, settings: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)  # it is not in force beside ours
    settings.IRU_NO_PROXY = ["test"]
    CALLS[name](receiver, settings)
    assert proxy.asked == []


class TlsMailServer(MailServer):
    def __init__(self, certificate: Path) -> None:
        super().__init__()
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(certificate)

    def get_request(self) -> Any:
        connection, address = super().get_request()
        return self._tls.wrap_socket(connection, server_side=True), address


@contextlib.contextmanager
def serving(server: MailServer) -> Iterator[int]:
    with server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def mailer(port: int, **options: Any) -> SmtpBackend:
    return SmtpBackend(alias="default", host="mail.test", port=port, timeout=5, **options)


def test_mail_goes_through_the_proxy(settings: Any) -> None:
    with serving(MailServer()) as port, ConnectProxy(port) as proxy:
        settings.IRU_HTTPS_PROXY = proxy.url
        backend = mailer(port)
        backend.open()
        backend.close()
        assert proxy.asked == [f"mail.test:{port}"]
        settings.IRU_NO_PROXY = ["mail.test"]
        with pytest.raises(OSError, match=r"Name or service not known|name resolution"):
            mailer(port).open()
        assert len(proxy.asked) == 1


def test_mail_trusts_our_authority_alone(settings: Any, certificate: Path, other_certificate: Path) -> None:
    server = TlsMailServer(certificate)
    server.handle_error = lambda *_: None  # type: ignore[method-assign] # the client that does not trust it
    with serving(server) as port, ConnectProxy(port) as proxy:
        settings.IRU_HTTPS_PROXY, settings.IRU_CA_FILE = proxy.url, str(certificate)
        backend = mailer(port, use_ssl=True)
        backend.open()
        backend.close()
        assert proxy.asked == [f"mail.test:{port}"]
        for file in (str(other_certificate), ""):
            settings.IRU_CA_FILE = file
            with pytest.raises(ssl.SSLCertVerificationError):
                mailer(port, use_ssl=True).open()


# --- The settings -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "direct"),
    [
        ("mail.example.com", True),
        ("a.mail.example.com", True),
        ("MAIL.example.com.", True),
        ("notmail.example.com", False),
        ("example.com", False),
        ("10.9.8.7", True),
        ("11.9.8.7", False),
        ("[fd00::5]", True),
        ("localhost", True),
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost.example.com", False),
    ],
)
def test_what_is_connected_to_directly(settings: Any, host: str, direct: bool) -> None:
    settings.IRU_HTTPS_PROXY = "http://proxy.test"
    settings.IRU_NO_PROXY = [".mail.example.com", "10.0.0.0/8", "fd00::/8"]
    assert (proxy_for(host) is None) == direct


@pytest.mark.parametrize(
    "changes",
    [
        {"IRU_HTTPS_PROXY": "proxy.test:3128"},
        {"IRU_HTTPS_PROXY": "socks5://proxy.test:1080"},
        {"IRU_HTTPS_PROXY": "http://"},
        {"IRU_HTTPS_PROXY": "http://proxy.test:x"},
        {"IRU_HTTPS_PROXY": "http://proxy.test/path"},
        {"IRU_NO_PROXY": ["10.0.0.0/99"]},
        {"IRU_CA_FILE": "/nowhere/ca.pem"},
        {"IRU_CA_FILE": "/dev/null"},
    ],
)
def test_a_malformed_setting_stops_the_start(settings: Any, changes: dict[str, Any]) -> None:
    check_settings()
    for name, value in changes.items():
        setattr(settings, name, value)
    with pytest.raises(ImproperlyConfigured, match=next(iter(changes))):
        check_settings()


def test_doctor_says_what_is_in_force(
    proxy: ConnectProxy, settings: Any, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.IRU_HTTPS_PROXY = proxy.url.replace("//", "//iru:hush@")
    settings.IRU_NO_PROXY = ["mail.test"]
    (found,) = check_outgoing()
    assert found.text == (
        f"Other servers are reached by the proxy 127.0.0.1:{proxy.port}, except mail.test, and proved by the "
        f"authorities in {certificate}."
    )
    settings.IRU_HTTPS_PROXY = "http://127.0.0.1:9"
    (found,) = check_outgoing()
    assert (found.level, "hush" in found.text) == ("error", False)
    settings.IRU_HTTPS_PROXY = settings.IRU_CA_FILE = ""
    monkeypatch.delenv("https_proxy", raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://iru:hush@elsewhere.test:3128")
    warned, found = check_outgoing()
    assert ("elsewhere.test" in warned.text, "hush" in warned.text) == (True, False)
    assert found.text == "Other servers are reached without a proxy, and proved by the public authorities."
    monkeypatch.delenv("HTTPS_PROXY")
    assert len(list(check_outgoing())) == 1
    assert outgoing.proxy_of_environment() == ""
