"""SCEP (RFC 8894) for the server: read a request for a certificate, and answer it.

`read_request` raises Malformed for a message that cannot be answered, and Refused for one that is answered with
`failure`. The caller compares the challenge, issues a certificate and answers with `success`.
"""

import base64
import binascii
import hmac
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA384, SHA512
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import AttributeOID

from devices.wire import ber, cms, der
from devices.wire.der import oid
from devices.wire.envelopes import Recipient, Unopened, open_envelope, seal_envelope
from devices.wire.errors import Malformed

# The answer to GetCACaps. iOS refuses a server that does not name a digest of the SHA family.
CAPABILITIES = b"POSTPKIOperation\nSHA-1\nSHA-256\nSHA-512\nAES\nDES3\nSCEPStandard\nRenewal"
SMALLEST_KEY, LARGEST_KEY = 2048, 4096  # bits of a client's RSA key
LARGEST_EXPONENT = 2**32
LONGEST_CHALLENGE = 1_000  # characters

_NUMBERS = "2.16.840.1.113733.1.9"
MESSAGE_TYPE, STATUS, FAILURE = oid(f"{_NUMBERS}.2"), oid(f"{_NUMBERS}.3"), oid(f"{_NUMBERS}.4")
SENDER_NONCE, RECIPIENT_NONCE, TRANSACTION = oid(f"{_NUMBERS}.5"), oid(f"{_NUMBERS}.6"), oid(f"{_NUMBERS}.7")
REPLY, RENEWAL, REQUEST = "3", "17", "19"  # message types
_LONGEST_TRANSACTION, _LONGEST_NONCE = 255, 64  # characters, bytes
_UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion, x509.DuplicateExtension)


class Failure(IntEnum):
    """Why a request is refused, as the protocol counts it."""

    BAD_ALGORITHM = 0
    BAD_MESSAGE_CHECK = 1
    BAD_REQUEST = 2


@dataclass(frozen=True)
class Envelope:
    """The part of a request that an answer needs."""

    transaction: str
    sender_nonce: bytes
    signer: x509.Certificate


@dataclass(frozen=True)
class Request:
    """A request whose signatures were verified. Its challenge was not: that is the caller's part."""

    envelope: Envelope
    csr: x509.CertificateSigningRequest  # its key is the signer's, and an RSA one of a good size
    challenge: str = field(repr=False)
    authority: Recipient = field(repr=False)  # the one that the client encrypted for
    cipher: str


class Refused(Exception):
    """The request is answered with `failure(refused.envelope, refused.failure, authority)`."""

    def __init__(self, envelope: Envelope, failure: Failure) -> None:
        super().__init__(failure.name)
        self.envelope = envelope
        self.failure = failure


def message_of(query: str) -> bytes:
    """Return the message in the `message` parameter of a GET. Raises Malformed. A plus may have become a space."""
    if len(query) > 2 * ber.LARGEST:
        raise Malformed("The message is too large.")
    try:
        return base64.b64decode(query.replace(" ", "+"), validate=True)
    except (binascii.Error, ValueError):
        raise Malformed("The message is not in base64.") from None


def read_request(message: bytes, authorities: Sequence[Recipient], *, single_des: bool = False) -> Request:
    """Return the request in a PKIOperation that is encrypted for one of the authorities.

    Raises Malformed or Refused. A message that cannot be decrypted, or has no request inside, is always refused in the
    same way. `single_des` is for tests: some clients know no other cipher.
    """
    signature = cms.parse_attached(message)
    attributes = signature.attributes or {}
    envelope = Envelope(
        _text(attributes, TRANSACTION, _LONGEST_TRANSACTION),
        _nonce(attributes, SENDER_NONCE),
        _certificate(signature.certificate),
    )
    message_type = _text(attributes, MESSAGE_TYPE, 2)
    key = _key(envelope, envelope.signer)
    if not _is_self_signed(envelope.signer, key):
        raise Refused(envelope, Failure.BAD_MESSAGE_CHECK)
    try:
        signature.verify(signature.content or b"", key)
    except cms.UnknownAlgorithm:
        raise Refused(envelope, Failure.BAD_ALGORITHM) from None
    except cms.BadSignature:
        raise Refused(envelope, Failure.BAD_MESSAGE_CHECK) from None
    if message_type not in {REQUEST, RENEWAL}:
        raise Refused(envelope, Failure.BAD_REQUEST)
    try:
        opened = open_envelope(signature.content or b"", authorities, single_des=single_des)
        csr = x509.load_der_x509_csr(opened.content)
        valid = csr.is_signature_valid
    except (Unopened, *_UNREADABLE):
        valid = False
    if not valid:
        raise Refused(envelope, Failure.BAD_MESSAGE_CHECK)
    if not isinstance(_digest(csr), SHA256 | SHA384 | SHA512):
        raise Refused(envelope, Failure.BAD_ALGORITHM)
    if not hmac.compare_digest(_spki(_key(envelope, csr)), _spki(key)):
        raise Refused(envelope, Failure.BAD_REQUEST)
    return Request(envelope, csr, _challenge(envelope, csr), opened.recipient, opened.cipher)


def success(request: Request, certificate: x509.Certificate) -> bytes:
    """Return the answer with the certificate, encrypted for the client in the way of its request."""
    cipher = "3des" if request.cipher == "des" else request.cipher
    content = seal_envelope(cms.bundle(certificate), request.envelope.signer, cipher=cipher)
    return _reply(request.envelope, request.authority, content, {STATUS: der.printable("0")})


def failure(envelope: Envelope, failure: Failure, authority: Recipient) -> bytes:
    """Return the answer that refuses a request. It has HTTP status 200, as the other one has."""
    status = {STATUS: der.printable("2"), FAILURE: der.printable(str(failure.value))}
    return _reply(envelope, authority, None, status)


def _reply(envelope: Envelope, authority: Recipient, content: bytes | None, status: dict[bytes, bytes]) -> bytes:
    attributes = {
        MESSAGE_TYPE: der.printable(REPLY),
        TRANSACTION: der.printable(envelope.transaction),
        RECIPIENT_NONCE: der.octets(envelope.sender_nonce),
        SENDER_NONCE: der.octets(os.urandom(16)),
        **status,
    }
    return cms.sign(content, authority.certificate, authority.key, attributes=attributes)


def _text(attributes: cms.Attributes, name: bytes, longest: int) -> str:
    element = ber.read(attributes.get(name, b"")).expect(der.PRINTABLE_STRING)
    if not element.contents.isascii() or not 0 < len(element.contents) <= longest:
        raise Malformed("An attribute of the request is malformed.")
    return element.contents.decode("ascii")


def _nonce(attributes: cms.Attributes, name: bytes) -> bytes:
    nonce = ber.read(attributes.get(name, b"")).expect(der.OCTET_STRING).contents
    if not 0 < len(nonce) <= _LONGEST_NONCE:
        raise Malformed("The nonce of the request is malformed.")
    return nonce


def _certificate(encoded: bytes) -> x509.Certificate:
    try:
        return x509.load_der_x509_certificate(encoded)
    except _UNREADABLE:
        raise Malformed("The signer's certificate is malformed.") from None


def _key(envelope: Envelope, owner: x509.Certificate | x509.CertificateSigningRequest) -> rsa.RSAPublicKey:
    """Return the public key. Refuses one that is not RSA, too small, or so large that its use takes long."""
    try:
        key = owner.public_key()
    except _UNREADABLE:
        raise Refused(envelope, Failure.BAD_ALGORITHM) from None
    if not isinstance(key, rsa.RSAPublicKey) or not SMALLEST_KEY <= key.key_size <= LARGEST_KEY:
        raise Refused(envelope, Failure.BAD_ALGORITHM)
    if key.public_numbers().e > LARGEST_EXPONENT:
        raise Refused(envelope, Failure.BAD_ALGORITHM)
    return key


def _spki(key: rsa.RSAPublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _is_self_signed(certificate: x509.Certificate, key: rsa.RSAPublicKey) -> bool:
    """Whether its own key signed the certificate. Its dates and extensions do not matter: it lives for one request."""
    try:
        digest = _digest(certificate)
        if not isinstance(digest, SHA1 | SHA256 | SHA384 | SHA512) or certificate.issuer != certificate.subject:
            return False
        key.verify(certificate.signature, certificate.tbs_certificate_bytes, padding.PKCS1v15(), digest)
    except (InvalidSignature, *_UNREADABLE):
        return False
    return True


def _digest(signed: x509.Certificate | x509.CertificateSigningRequest) -> object:
    try:
        return signed.signature_hash_algorithm
    except _UNREADABLE:
        return None


def _challenge(envelope: Envelope, csr: x509.CertificateSigningRequest) -> str:
    try:
        challenge = csr.attributes.get_attribute_for_oid(AttributeOID.CHALLENGE_PASSWORD).value.decode()
    except (x509.AttributeNotFound, *_UNREADABLE):
        challenge = ""
    if not 0 < len(challenge) <= LONGEST_CHALLENGE:
        raise Refused(envelope, Failure.BAD_REQUEST)
    return challenge
