"""A receiver of webhooks at `https://hooks.test`: a TLS server of this machine that can be hostile."""

import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

NAME = "hooks.test"

type Behavior = Callable[[ssl.SSLSocket], None]


def answers(status: int = 200, body: bytes = b"thanks", **headers: str) -> Behavior:
    def answer(connection: ssl.SSLSocket) -> None:
        lines = [f"HTTP/1.1 {status} Some reason", f"Content-Length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)

    return answer


def drips(connection: ssl.SSLSocket) -> None:
    """Send a byte of the head every tenth of a second, for ever."""
    for _ in range(600):
        connection.sendall(b"H")
        time.sleep(0.1)


def drips_body(connection: ssl.SSLSocket) -> None:
    """Accept at once, then send a byte of the body every tenth of a second."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 600\r\n\r\n")
    for _ in range(600):
        connection.sendall(b".")
        time.sleep(0.1)


def never_ends(connection: ssl.SSLSocket) -> None:
    """Send a body without an end, as fast as it is read."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:  # chunks of which no number makes 64 KiB
        connection.sendall(b"3333\r\n" + b"x" * 0x3333 + b"\r\n")


def never_ends_its_head(connection: ssl.SSLSocket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"X-Filler: " + b"x" * 4000 + b"\r\n")


def says_nothing(connection: ssl.SSLSocket) -> None:
    time.sleep(60)


def hangs_up(connection: ssl.SSLSocket) -> None:
    """Close the connection instead of an answer."""


@dataclass
class Request:
    line: str
    headers: dict[str, str]
    body: str


@dataclass
class Receiver:
    """Answers each request by `behavior`. `names` are those of its certificate, `requests` those that arrived."""

    certificate: Path
    behavior: Behavior = field(default_factory=answers)
    host: str = "127.0.0.1"
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    server_names: list[str | None] = field(default_factory=list)

    def __enter__(self) -> Self:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        self._server = socket.create_server((self.host, 0), family=family)
        self.port = self._server.getsockname()[1]
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(self.certificate)
        self._tls.sni_callback = lambda _socket, name, _context: self.server_names.append(name)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()

    @property
    def url(self) -> str:
        return f"https://{NAME}:{self.port}/iru?x=1"

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        try:
            with plain, self._tls.wrap_socket(plain, server_side=True) as connection:
                self.requests.append(_request(connection))
                self.behavior(connection)
        except OSError:
            return  # the client went away, which most of these tests are about


def _request(connection: ssl.SSLSocket) -> Request:
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536) or b"\r\n\r\n"
    head, _, body = data.partition(b"\r\n\r\n")
    line, *fields = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (each.partition(": ") for each in fields)}
    while len(body) < int(headers.get("content-length", 0)):
        body += connection.recv(65536)
    return Request(line, headers, body.decode())


def make_certificate(path: Path, *names: str) -> Path:
    """Write a certificate for these names, with its key, that proves itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(pem + certificate.public_bytes(Encoding.PEM))
    return path


def trusting(*certificates: Path) -> ssl.SSLContext:
    """The context of a client that trusts these certificates."""
    context = ssl.create_default_context()
    for certificate in certificates:
        context.load_verify_locations(certificate)
    return context


class Resolver:
    """Answers for every name, in place of the machine's resolver: one answer after the other, the last for ever."""

    def __init__(self, *answers: list[str]) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, host: str, port: int, *args: Any, **options: Any) -> list[Any]:
        self.asked.append(host)
        addresses = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return [(0, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]
