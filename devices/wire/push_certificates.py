"""Push certificates: the request for one, and the checks of the certificate that Apple makes of it.

Functions of bytes and keys alone. Whoever calls them stores the keys, encrypted.
"""

import plistlib
import re
from base64 import b64encode
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_der_private_key, load_pem_private_key, pkcs12
from cryptography.x509.oid import NameOID
from django.core.exceptions import ValidationError

KEY_BITS = 2048  # Apple accepts no other size
LARGEST_FILE = 64 * 1024  # bytes
TOPIC = re.compile(r"com\.apple\.mgmt\.[A-Za-z0-9.-]{1,200}")  # it is sent as a header
P12_VERSION = b"\x02\x01\x03\x30"  # the first value in each .p12 file, and the start of the second

TOO_LARGE = f"A certificate file has no more than {LARGEST_FILE // 1024} KB."
NO_CERTIFICATE = "This file has no certificate in it that can be read."
IS_REQUEST = "This is the request. Upload the certificate that Apple makes of it at identity.apple.com/pushcert."
IS_KEY = "This is a private key. Upload the certificate."
IS_P12 = "This is a .p12 file. Import it with its password."
OTHER_KEY = "This certificate was made from another request than the last one."
OTHER_PURPOSE = "This is no certificate of Apple for device management: its topic does not begin with com.apple.mgmt."
NOT_YET = "This certificate is valid from {:%Y-%m-%d %H:%M} UTC on. Check the clock of this server."
EXPIRED = "This certificate expired on {:%Y-%m-%d}. Renew it at identity.apple.com/pushcert."
WRONG_PASSWORD = "The password is wrong, or this is not a .p12 file."  # noqa: S105 - a message
NO_KEY = "This file has no private key in it. Export the certificate together with its private key."
NOT_RSA = "The private key is not an RSA key."
KEY_UNREADABLE = "The private key cannot be read: it has to be in PEM or DER, and a password, if it has one, be right."
VENDOR_KEY = "The private key is not that of the vendor certificate."
VENDOR_EXPIRED = "The vendor certificate expired on {:%Y-%m-%d}."
VENDOR_CHAIN = (
    "The vendor certificate needs those above it in the same file, in PEM: Apple's intermediate certificate and "
    "Apple's root certificate."
)


@dataclass(frozen=True, slots=True)
class PushIdentity:
    """A push certificate with its key. Its topic is that of all devices that are enrolled with it."""

    certificate: x509.Certificate
    key: RSAPrivateKey = field(repr=False)
    topic: str
    not_after: datetime


def make_request(name: str) -> tuple[RSAPrivateKey, x509.CertificateSigningRequest]:
    """Make a key and the request for its certificate. Apple puts a name of its own into the certificate."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    # X.509 ends a common name after 64 characters.
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64] or "Iru Endpoint")])
    return key, x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, SHA256())


def certificate_for_answers(
    request: x509.CertificateSigningRequest, key: RSAPrivateKey, *, now: datetime
) -> x509.Certificate:
    """Return a certificate of its own for the key of a request. Its number follows from the request."""
    digest = sha256(request.public_bytes(Encoding.DER)).digest()
    builder = (
        x509.CertificateBuilder()
        .subject_name(request.subject)
        .issuer_name(request.subject)
        .public_key(key.public_key())
        .serial_number(int.from_bytes(digest[:15]) | 1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=365))
    )
    return builder.sign(key, SHA256())


def wrap_request(
    request: x509.CertificateSigningRequest,
    *,
    vendor: bytes,
    vendor_key: bytes,
    now: datetime,
    password: bytes | None = None,
) -> bytes:
    """Return the request in the form that identity.apple.com takes: signed by a vendor of device management.

    `vendor` has the vendor's certificate and those above it. Raises a ValidationError of `vendor` or `vendor_key`.
    """
    try:
        chain = _ordered(_certificates(vendor))
        if len(chain) < 2 or chain[-1].issuer != chain[-1].subject:
            raise ValueError(VENDOR_CHAIN)
        if now > chain[0].not_valid_after_utc:
            raise ValueError(VENDOR_EXPIRED.format(chain[0].not_valid_after_utc))
    except ValueError as error:
        raise _refused("vendor", str(error)) from None
    key = _private_key(vendor_key, password)
    if chain[0].public_key() != key.public_key():
        raise _refused("vendor_key", VENDOR_KEY)
    content = request.public_bytes(Encoding.DER)
    fields = {
        "PushCertRequestCSR": b64encode(content).decode(),
        "PushCertCertificateChain": "".join(each.public_bytes(Encoding.PEM).decode() for each in chain),
        "PushCertSignature": b64encode(key.sign(content, padding.PKCS1v15(), SHA256())).decode(),
    }
    return b64encode(plistlib.dumps(fields))


def check_certificate(content: bytes, key: RSAPrivateKey, *, now: datetime) -> PushIdentity:
    """Return the push certificate in an uploaded file, PEM or DER, for the key of its request.

    Raises a ValidationError of `file` that says what is wrong with it.
    """
    try:
        certificates = _certificates(content)
    except ValueError as error:
        raise _refused("file", str(error)) from None
    # Others in the file may be those of Apple that signed it.
    own = next((each for each in certificates if each.public_key() == key.public_key()), None)
    if own is None:
        wrong = certificates[0]
        raise _refused("file", OTHER_KEY if _topic(wrong) else OTHER_PURPOSE)
    return _identity(own, key, now)


def read_p12(content: bytes, password: str, *, now: datetime) -> PushIdentity:
    """Return the push certificate and key in a .p12 file.

    Raises a ValidationError of `file` or `password`.
    """
    if len(content) > LARGEST_FILE:
        raise _refused("file", TOO_LARGE)
    try:
        # A file without a password may have been encrypted with an empty one.
        key, certificate, _ = pkcs12.load_key_and_certificates(content, password.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise _refused("password", WRONG_PASSWORD) from None
    if key is None:
        raise _refused("file", NO_KEY)
    if not isinstance(key, RSAPrivateKey):
        raise _refused("file", NOT_RSA)
    if certificate is None:
        raise _refused("file", NO_CERTIFICATE)
    return _identity(certificate, key, now)


def _identity(certificate: x509.Certificate, key: RSAPrivateKey, now: datetime) -> PushIdentity:
    topic = _topic(certificate)
    if not topic:
        raise _refused("file", OTHER_PURPOSE)
    if now < certificate.not_valid_before_utc:
        raise _refused("file", NOT_YET.format(certificate.not_valid_before_utc))
    if now > certificate.not_valid_after_utc:
        raise _refused("file", EXPIRED.format(certificate.not_valid_after_utc))
    return PushIdentity(certificate, key, topic, certificate.not_valid_after_utc)


def _certificates(content: bytes) -> list[x509.Certificate]:
    """The certificates of a file, in its order. Raises a ValueError whose text is for people."""
    if len(content) > LARGEST_FILE:
        raise ValueError(TOO_LARGE)
    try:
        if b"-----BEGIN CERTIFICATE-----" in content:
            return x509.load_pem_x509_certificates(content)
        return [x509.load_der_x509_certificate(content)]
    except ValueError:
        raise ValueError(_kind_of(content)) from None


def _kind_of(content: bytes) -> str:
    """Why a file is no certificate."""
    # The start of a request in the form of `wrap_request`: "<?xml versio" in base64.
    if b"BEGIN CERTIFICATE REQUEST" in content or content.lstrip().startswith((b"PD94bWwgdmVyc2lv", b"<?xml")):
        return IS_REQUEST
    if b"PRIVATE KEY-----" in content:
        return IS_KEY
    return IS_P12 if P12_VERSION in content[:12] else NO_CERTIFICATE


def _ordered(certificates: list[x509.Certificate]) -> list[x509.Certificate]:
    """The chain that begins with the first certificate, each followed by its issuer."""
    chain, subjects = certificates[:1], {each.subject: each for each in certificates}
    while (above := subjects.get(chain[-1].issuer)) and above not in chain:
        chain.append(above)
    return chain


def _topic(certificate: x509.Certificate) -> str:
    """The topic of a push certificate; empty for other certificates."""
    names = certificate.subject.get_attributes_for_oid(NameOID.USER_ID)
    topic = names[0].value if len(names) == 1 else ""
    return topic if isinstance(topic, str) and TOPIC.fullmatch(topic) else ""


def _private_key(content: bytes, password: bytes | None) -> RSAPrivateKey:
    load = load_pem_private_key if b"-----BEGIN" in content else load_der_private_key
    try:
        key = load(content, password)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise _refused("vendor_key", KEY_UNREADABLE) from None
    if not isinstance(key, RSAPrivateKey):
        raise _refused("vendor_key", NOT_RSA)
    return key


def _refused(field: str, message: str) -> ValidationError:
    return ValidationError({field: [message]})
