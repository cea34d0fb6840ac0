"""A local copy of Apple's device enrollment service, as its documentation describes it, and the files of its portal."""

import base64
import hashlib
import hmac
import json
import re
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, unquote, urlsplit
from uuid import UUID, uuid4

from cryptography import x509
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.hazmat.primitives.serialization.pkcs7 import PKCS7EnvelopeBuilder, PKCS7Options

from access.models import Tenant
from access.sealing import seal
from devices.enrollment.ade_keys import public_key
from devices.models import AdeKeyPair

CREDENTIALS = {
    "consumer_key": "CK_48dd68d198350f51258e885ce9a5c37ab7f98543c4a697323d75682a6c10a32501cb247e3db08105db868f",
    "consumer_secret": "CS_34c7b2b531a600d99a0e4edcf4a78ded79b86ef318118c2f5bcfee1b011108c32d5302df801adbe2",
    "access_token": "AT_927696831c59ba510cfe4ec1a69e5267c19881257d4bca2906a99d0785b785a6f6fdeb09774954",
    "access_secret": "AS_c31afd7a09691d83548489336e8ff1cb11b82b6bca13f793344496a556b1f4972eaff4dde6deb5ac",
}
SERVER_UUID = UUID("a7c2f0de-5b1d-4c3e-9a40-6f2f8e1d7b90")
FILES = Path(__file__).parent / "devices" / "enrollment" / "files"
# The token in the files of FILES. They are encrypted for the certificate in that directory.
KNOWN_CREDENTIALS = {
    "consumer_key": "CK_known",
    "consumer_secret": "CS_known",
    "access_token": "AT_known",
    "access_secret": "AS_known",
}
SIGNED = re.compile(r'(\w+)="([^"]*)"')


def server_token(tenant: Tenant, *, expires: timedelta = timedelta(days=365), **changes: Any) -> bytes:
    """The file that Apple's portal makes for the tenant: S/MIME with a text that has JSON between two marks."""
    expiry = (datetime.now(UTC) + expires).strftime("%Y-%m-%dT%H:%M:%SZ")
    return enveloped(tenant, json.dumps(CREDENTIALS | {"access_token_expiry": expiry} | changes))


def enveloped(tenant: Tenant, text: str) -> bytes:
    message = (
        'Content-Type: text/plain;charset="UTF-8"\r\nContent-Transfer-Encoding: 7bit\r\n\r\n'
        f"-----BEGIN MESSAGE-----\n{text}\n-----END MESSAGE-----\n"
    )
    certificate = x509.load_pem_x509_certificate(public_key(tenant=tenant).encode())
    builder = PKCS7EnvelopeBuilder().set_data(message.encode()).add_recipient(certificate)
    builder = builder.set_content_encryption_algorithm(AES256)
    return builder.encrypt(Encoding.SMIME, [PKCS7Options.Binary])


def known_key_pair(tenant: Tenant) -> AdeKeyPair:
    """Give the tenant the key pair of FILES."""
    key = load_pem_private_key((FILES / "private_key.pem").read_bytes(), None)
    plain = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    number, sealed = seal(plain, "devices_adekeypair", "ciphertext", tenant.pk)
    certificate = (FILES / "certificate.pem").read_text()
    values = {"certificate": certificate, "key_number": number, "ciphertext": sealed}
    return AdeKeyPair.objects.update_or_create(tenant=tenant, defaults=values)[0]


def device(serial_number: str, **facts: Any) -> dict[str, Any]:
    """A row of Apple's list."""
    return {
        "serial_number": serial_number,
        "model": "MacBook Air",
        "description": "MBA 13.6 SLV/8C GPU/8GB/256GB-USA",
        "color": "SILVER",
        "device_family": "Mac",
        "os": "OSX",
        "device_assigned_by": "purchasing@accuhive.test",
        "device_assigned_date": "2026-01-20T20:07:48Z",
        "profile_status": "empty",
        **facts,
    }


class Apple:
    """The service, for one server. `url` is its address; a test can change its behavior at any time."""

    def __init__(self) -> None:
        self.account: dict[str, Any] = {
            "server_name": "Accuhive MDM",
            "server_uuid": SERVER_UUID.hex.upper(),
            "admin_id": "admin@accuhive.test",
            "facilitator_id": "admin@accuhive.test",
            "org_name": "Accuhive",
            "org_email": "it@accuhive.test",
            "org_phone": "5555551234",
            "org_address": "1 Infinite Loop, Cupertino",
            "org_type": "org",
            "urls": [],
        }
        self.devices: list[dict[str, Any]] = []
        self.changes: list[dict[str, Any]] = []
        self.failures: list[tuple[int, str, dict[str, str]]] = []  # the next answers: status, body, headers
        self.refused: str | None = None  # the body of the 403 that every request gets
        self.credentials: dict[str, str] = CREDENTIALS
        self.expired: set[str] = set()  # cursors
        self.page = 1000
        self.calls: list[tuple[str, Any]] = []
        self.profiles: list[dict[str, Any]] = []
        self.assignments: dict[str, str] = {}  # Apple's result for a serial number; SUCCESS for all others
        self.session = ""
        self.nonces: set[str] = set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {"apple": self}))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def paths(self) -> list[str]:
        """The paths that were called, except those of sessions."""
        return [path for path, _ in self.calls if path != "/session"]

    def change(self, op_type: str, row: dict[str, Any], moment: str = "2026-02-01T00:00:00Z") -> None:
        """Make the next sync list a device as added, modified or deleted."""
        self.changes.append({**row, "op_type": op_type, "op_date": moment})

    def answer(self, method: str, path: str, headers: Any, body: Any) -> tuple[int, Any, dict[str, str]]:
        if self.failures:
            return self.failures.pop(0)
        if not headers.get("User-Agent"):
            return 400, "USER_AGENT_MISSING", {}
        if self.refused is not None:
            return 403, self.refused, {}
        if (method, path) == ("GET", "/session"):
            return self._begin_session(headers.get("Authorization", ""))
        if not self.session or headers.get("X-ADM-Auth-Session") != self.session:
            return 401, "UNAUTHORIZED", {}
        self.session = uuid4().hex  # each answer may have a new one
        known = {
            ("GET", "/account"): lambda: (200, self.account),
            ("POST", "/server/devices"): lambda: self._fetch(**body),
            ("POST", "/devices/sync"): lambda: self._sync(**body),
            ("POST", "/profile"): lambda: self._define(body),
            ("POST", "/profile/devices"): lambda: self._assign(**body),
        }
        status, answer = known[method, path]() if (method, path) in known else (404, "NOT_FOUND")
        return status, answer, {"X-ADM-Auth-Session": self.session}

    def _begin_session(self, authorization: str) -> tuple[int, Any, dict[str, str]]:
        scheme, _, rest = authorization.partition(" ")
        signed = {name: unquote(value) for name, value in SIGNED.findall(rest)}
        known = self.credentials
        accepted = (
            scheme == "OAuth"
            and signed.get("realm") == "ADM"
            and signed.get("oauth_consumer_key") == known["consumer_key"]
            and signed.get("oauth_token") == known["access_token"]
            and signed.get("oauth_signature_method") == "HMAC-SHA1"
            and signed.get("oauth_version", "1.0") == "1.0"
            and abs(time.time() - int(signed.get("oauth_timestamp", 0))) < 300
            and signed.get("oauth_nonce")
            and signed["oauth_nonce"] not in self.nonces
            and hmac.compare_digest(
                signature("GET", f"{self.url}/session", signed, known["consumer_secret"], known["access_secret"]),
                signed.get("oauth_signature", ""),
            )
        )
        if not accepted:
            return 401, "UNAUTHORIZED", {}
        self.nonces.add(signed["oauth_nonce"])
        self.session = uuid4().hex
        return 200, {"auth_session_token": self.session}, {}

    def _fetch(self, limit: int = 100, cursor: str = "0:0") -> tuple[int, Any]:
        offset, seen = map(int, cursor.split(":"))
        if cursor in self.expired:
            return 400, "EXPIRED_CURSOR"
        if not 1 <= limit <= 1000 or offset > len(self.devices):
            return 400, "INVALID_CURSOR"
        if offset == len(self.devices) and offset:
            return 400, "EXHAUSTED_CURSOR"
        rows = self.devices[offset : offset + min(limit, self.page)]
        return self._page(
            rows, offset + len(rows), seen or len(self.changes), more=offset + len(rows) < len(self.devices)
        )

    def _sync(self, limit: int = 100, cursor: str | None = None) -> tuple[int, Any]:
        if cursor is None:
            return 400, "CURSOR_REQUIRED"
        if cursor in self.expired:
            return 400, "EXPIRED_CURSOR"
        offset, seen = map(int, cursor.split(":"))
        rows = self.changes[seen : seen + min(limit, self.page)]
        return self._page(rows, offset, seen + len(rows), more=seen + len(rows) < len(self.changes))

    def _page(self, rows: list[dict[str, Any]], offset: int, seen: int, *, more: bool) -> tuple[int, Any]:
        fetched_until = "2026-01-01T00:00:00Z"
        cursor = f"{offset}:{seen}"
        return 200, {"devices": rows, "cursor": cursor, "fetched_until": fetched_until, "more_to_follow": more}

    def _define(self, profile: dict[str, Any]) -> tuple[int, Any]:
        self.profiles.append(profile)
        return 200, {"profile_uuid": f"{len(self.profiles):032X}", "devices": {}}

    def _assign(self, profile_uuid: str, devices: list[str]) -> tuple[int, Any]:
        answers = {serial: self.assignments.get(serial, "SUCCESS") for serial in devices}
        return 200, {"profile_uuid": profile_uuid, "devices": answers}


class Handler(BaseHTTPRequestHandler):
    apple: Apple
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None: ...

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path, parsed = urlsplit(self.path).path, json.loads(body) if body else None
        self.apple.calls.append((path, parsed))
        status, answer, headers = self.apple.answer(self.command, path, self.headers, parsed)
        content = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


def signature(method: str, url: str, signed: dict[str, str], consumer_secret: str, token_secret: str) -> str:
    """The HMAC-SHA1 signature of RFC 5849, section 3.4, for a request with no parameters except those of OAuth."""

    def escaped(text: str) -> str:
        return quote(text, safe="-._~")

    parameters = {name: value for name, value in signed.items() if name not in {"realm", "oauth_signature"}}
    pairs = sorted((escaped(name), escaped(value)) for name, value in parameters.items())
    base = "&".join(map(escaped, (method, url, "&".join("=".join(pair) for pair in pairs))))
    key = f"{escaped(consumer_secret)}&{escaped(token_secret)}"
    return base64.b64encode(hmac.digest(key.encode(), base.encode(), hashlib.sha1)).decode()
