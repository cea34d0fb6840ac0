"""What a device does with an enrollment profile: it reads the payloads, and gets its certificate over SCEP."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from devices.mdm.simulator.transports import Answer
from devices.wire import cms, plists, scep_client
from devices.wire.envelopes import Recipient

MDM, SCEP = "com.apple.mdm", "com.apple.security.scep"
_NAMES = {"CN": NameOID.COMMON_NAME, "O": NameOID.ORGANIZATION_NAME}

type Ask = Callable[[str, str, bytes], Answer]  # method, URL and body


class NotEnrolled(Exception):
    """The device could not enroll. The message is what it would show."""


@dataclass(frozen=True)
class Identity:
    """The certificate of the device, with its key."""

    certificate: x509.Certificate
    key: RSAPrivateKey


@dataclass(frozen=True)
class EnrollmentProfile:
    """The payloads of an enrollment profile, after its signature was verified."""

    content: dict[str, Any]
    mdm: dict[str, Any]
    scep: dict[str, Any]

    @property
    def identifier(self) -> str:
        return str(self.content["PayloadIdentifier"])


def read_signed(data: bytes) -> dict[str, Any]:
    """The content of a profile that is signed or not. Raises NotEnrolled for a signature that is wrong."""
    if data.lstrip().startswith(b"<"):
        return plists.loads(data)
    signature = cms.parse_attached(data, most=1024 * 1024)
    content = signature.content or b""
    try:
        signature.verify(content, x509.load_der_x509_certificate(signature.certificate).public_key())
    except cms.BadSignature:
        raise NotEnrolled("The signature of the profile is wrong.") from None
    return plists.loads(content)


def enrollment_profile(content: dict[str, Any]) -> EnrollmentProfile | None:
    """The enrollment in a profile; None if it has no MDM payload."""
    payloads = {payload["PayloadType"]: payload for payload in content.get("PayloadContent", [])}
    if MDM not in payloads:
        return None
    mdm, scep = payloads[MDM], payloads.get(SCEP)
    if scep is None or mdm["IdentityCertificateUUID"] != scep["PayloadUUID"]:
        raise NotEnrolled("The profile names no identity.")
    return EnrollmentProfile(content, mdm, scep["PayloadContent"])


def get_identity(
    ask: Ask, payload: dict[str, Any], key: RSAPrivateKey, *, now: datetime, get: bool = False
) -> Identity:
    """A certificate for the key, by SCEP. `get` sends the request in the address. Raises NotEnrolled."""
    url = payload["URL"]
    capabilities = _asked(ask("GET", f"{url}?operation=GetCACaps", b"")).decode().split()
    if not {"SHA-1", "SHA-256", "SHA-512"} & set(capabilities):
        raise NotEnrolled("The authority knows no SHA.")
    authority = x509.load_der_x509_certificate(_asked(ask("GET", f"{url}?operation=GetCACert", b"")))
    subject = _subject(payload["Subject"])
    pending = scep_client.make_request(
        scep_client.make_csr(key, subject, payload["Challenge"]),
        _self_signed(key, subject, now),
        authority,
        digest="sha256" if "SHA-256" in capabilities else "sha1",
        cipher="aes128",
    )
    if get or "POSTPKIOperation" not in capabilities:
        message = quote(base64.b64encode(pending.message).decode())
        answer = ask("GET", f"{url}?operation=PKIOperation&message={message}", b"")
    else:
        answer = ask("POST", f"{url}?operation=PKIOperation", pending.message)
    reply = scep_client.read_reply(_asked(answer), pending, authority)
    if reply.certificate is None:
        raise NotEnrolled(f"The SCEP server refused: {reply.failure.name if reply.failure else 'without a reason'}.")
    if reply.certificate.public_key() != key.public_key():
        raise NotEnrolled("The certificate is for another key.")
    return Identity(reply.certificate, key)


def path_of(url: str) -> tuple[str, str]:
    """Host and path, with the query, of a URL."""
    parts = urlsplit(url)
    return parts.netloc, parts.path + (f"?{parts.query}" if parts.query else "")


def _asked(answer: Answer) -> bytes:
    if answer.status != 200:
        raise NotEnrolled(f"The SCEP server answered {answer.status}.")
    return answer.body


def _subject(parts: list[list[list[str]]]) -> x509.Name:
    return x509.Name([x509.NameAttribute(_NAMES[name], value[:64]) for [[name, value]] in parts])


def _self_signed(key: RSAPrivateKey, subject: x509.Name, now: datetime) -> Recipient:
    """The certificate that signs the request. Its times are by the clock of the device."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
    )
    return Recipient(builder.sign(key, SHA256()), key)
