"""A push certificate by mdmcert.download, against a double of the service."""

import json
import plistlib
import shutil
import subprocess
import threading
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from access.models import Tenant
from devices.enrollment import mdmcert
from devices.models import PushCertificate
from devices.wire.envelopes import seal_envelope
from tests.proxies import ConnectProxy

pytestmark = pytest.mark.django_db
OPENSSL = shutil.which("openssl")

type Call = Callable[..., tuple[str, str]]


class Service(BaseHTTPRequestHandler):
    """Signs requests. `asked` are the bodies that came."""

    asked: list[dict[str, str]] = []
    answer: tuple[int, bytes] = (200, b'{"result": "success"}')

    def do_POST(self) -> None:
        assert self.path == "/api/v1/signrequest"
        assert self.headers["Content-Type"] == "application/json"
        self.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        status, body = self.answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Service]]:
    monkeypatch.setattr(Service, "asked", [])
    monkeypatch.setattr(Service, "answer", Service.answer)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setattr(mdmcert, "URL", f"http://127.0.0.1:{server.server_port}/api/v1/signrequest")
    yield Service
    server.shutdown()
    thread.join(10)
    server.server_close()


@pytest.fixture
def call(tenant: Tenant) -> Call:
    def call(*words: object) -> tuple[str, str]:
        out, err = StringIO(), StringIO()
        call_command("push_certificate", "request", *map(str, words), stdout=out, stderr=err)
        return out.getvalue(), err.getvalue()

    return call


def signed(asked: dict[str, str]) -> tuple[bytes, x509.Certificate]:
    """What the service makes of a request, and the certificate that it encrypts that for."""
    request = x509.load_pem_x509_csr(b64decode(asked["csr"]))
    fields = {"PushCertRequestCSR": b64encode(request.public_bytes(Encoding.DER)).decode(), "PushCertSignature": "s"}
    return b64encode(plistlib.dumps(fields)), x509.load_pem_x509_certificate(b64decode(asked["encrypt"]))


def refused(call: Call, *words: object) -> str:
    with pytest.raises(CommandError) as caught:
        call(*words)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("cipher", ["des", "3des", "aes128", "aes256"])
def test_from_the_request_to_what_apple_takes(service: type[Service], call: Call, tmp_path: Path, cipher: str) -> None:
    out, err = call("--mdmcert", "f00d", "it@accuhive.test")
    assert (out, "it@accuhive.test" in err) == ("", True)
    [asked] = service.asked
    assert asked.keys() == {"csr", "email", "key", "encrypt"}
    assert (asked["email"], asked["key"]) == ("it@accuhive.test", "f00d")
    assert b64decode(asked["csr"]).decode() == PushCertificate.objects.get().pending_request
    content, certificate = signed(asked)
    (file := tmp_path / "mail.p7").write_text(seal_envelope(content, certificate, cipher=cipher).hex() + "\n")
    out, err = call("--mdmcert-mail", file)
    assert plistlib.loads(b64decode(out))["PushCertSignature"] == "s"
    assert "identity.apple.com" in err


@pytest.mark.skipif(OPENSSL is None, reason="There is no openssl.")
def test_openssl_encrypts_for_the_request(service: type[Service], call: Call, tmp_path: Path) -> None:
    call("--mdmcert", "f00d", "it@accuhive.test")
    content, certificate = signed(service.asked[0])
    (pem := tmp_path / "certificate.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    command = [OPENSSL or "", "smime", "-encrypt", "-binary", "-des3", "-outform", "DER", str(pem)]
    sealed = subprocess.run(command, input=content, capture_output=True, check=True).stdout
    (file := tmp_path / "mail.p7").write_text(sealed.hex().upper())
    assert call("--mdmcert-mail", file)[0].strip() == content.decode()


def test_asking_again_asks_for_the_same(service: type[Service], call: Call, tmp_path: Path) -> None:
    """A mail that is late can still be opened."""
    for _ in range(2):
        call("--mdmcert", "f00d", "it@accuhive.test")
    first, second = service.asked
    assert first["csr"] == second["csr"]
    content, certificate = signed(first)
    (file := tmp_path / "mail.p7").write_text(seal_envelope(content, certificate).hex())
    assert call("--mdmcert-mail", file)[0]
    call()  # a new request
    assert refused(call, "--mdmcert-mail", file) == mdmcert.OTHER_REQUEST


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((200, b'{"result": "failure", "reason": "Invalid key"}'), "Invalid key"),
        ((403, b"no"), "HTTP 403"),
        ((302, b""), "HTTP 302"),
        ((500, b'{"result": "success"}'), "HTTP 500"),
        ((200, b"[]"), "HTTP 200"),
        ((200, b'{"result": "failure", "reason": "\\u001b[2J"}'), "HTTP 200"),
        ((200, b" " * 200_000), "HTTP 200"),
    ],
)
def test_a_service_that_refuses(service: type[Service], call: Call, answer: tuple[int, bytes], reason: str) -> None:
    service.answer = answer
    told = refused(call, "--mdmcert", "f00d", "it@accuhive.test")
    assert told == f"mdmcert.download refuses the request: {reason}"
    assert "f00d" not in told


def test_a_service_that_is_away(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mdmcert, "URL", "http://127.0.0.1:9/api/v1/signrequest")
    assert refused(call, "--mdmcert", "f00d", "a@b.test").startswith("mdmcert.download cannot be reached: ")


def test_the_way_leads_through_the_proxy(call: Call, settings: Settings) -> None:
    with ConnectProxy(to=9, answer=b"HTTP/1.1 407 Who are you\r\n\r\n") as proxy:
        settings.IRU_HTTPS_PROXY = proxy.url
        assert "407" in refused(call, "--mdmcert", "f00d", "a@b.test")
        assert proxy.asked == ["mdmcert.download:443"]


@pytest.mark.parametrize("content", [b"", b"abc", b"MIIB", "é".encode(), b"0x00"])
def test_a_file_that_is_not_the_mail(call: Call, tmp_path: Path, content: bytes) -> None:
    call()
    (file := tmp_path / "mail.p7").write_bytes(content)
    assert refused(call, "--mdmcert-mail", file) == mdmcert.NOT_THE_MAIL


def test_an_envelope_with_another_content(service: type[Service], call: Call, tmp_path: Path) -> None:
    call("--mdmcert", "f00d", "it@accuhive.test")
    _, certificate = signed(service.asked[0])
    file = tmp_path / "mail.p7"
    for sealed in (seal_envelope(b"hello", certificate), seal_envelope(b64encode(b"hello"), certificate), b"\x30\x00"):
        file.write_text(sealed.hex())
        assert refused(call, "--mdmcert-mail", file) == mdmcert.OTHER_REQUEST


def test_without_a_request_no_mail_is_opened(call: Call, tmp_path: Path) -> None:
    (file := tmp_path / "mail.p7").write_bytes(b"00")
    assert "Make a request first" in refused(call, "--mdmcert-mail", file)
    assert "No such file" in refused(call, "--mdmcert-mail", tmp_path / "none")


def test_one_way_at_a_time(call: Call, tmp_path: Path) -> None:
    assert refused(call, "--mdmcert", "a", "b", "--mdmcert-mail", tmp_path / "x") == "Choose one who signs the request."
