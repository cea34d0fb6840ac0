"""SCEP for the client: what a simulated device and the tests send, and what they read."""

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AttributeOID

from devices.wire import ber, cms, der, scep
from devices.wire.envelopes import Recipient, open_envelope, seal_envelope
from devices.wire.errors import Malformed


@dataclass(frozen=True)
class Pending:
    """A request that was made, and waits for its answer."""

    message: bytes
    signer: Recipient  # with a certificate of its own for this request
    transaction: str
    nonce: bytes


@dataclass(frozen=True)
class Reply:
    """The certificate, or the reason why there is none."""

    certificate: x509.Certificate | None
    failure: scep.Failure | None


def make_csr(key: rsa.RSAPrivateKey, subject: x509.Name, challenge: str) -> bytes:
    """Return a certificate request with the challenge, in DER."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    builder = builder.add_attribute(AttributeOID.CHALLENGE_PASSWORD, challenge.encode())
    return builder.sign(key, SHA256()).public_bytes(Encoding.DER)


def make_request(
    csr: bytes,
    signer: Recipient,
    authority: x509.Certificate,
    *,
    message_type: str = scep.REQUEST,
    digest: str = "sha256",
    cipher: str = "aes256",
) -> Pending:
    """Return a PKIOperation that asks the authority for a certificate."""
    transaction, nonce = os.urandom(16).hex().upper(), os.urandom(16)
    attributes = {
        scep.MESSAGE_TYPE: der.printable(message_type),
        scep.TRANSACTION: der.printable(transaction),
        scep.SENDER_NONCE: der.octets(nonce),
    }
    content = seal_envelope(csr, authority, cipher=cipher)
    message = cms.sign(content, signer.certificate, signer.key, attributes=attributes, digest=digest)
    return Pending(message, signer, transaction, nonce)


def self_signed(key: rsa.RSAPrivateKey, subject: x509.Name) -> Recipient:
    """Return the certificate that a client signs its request with."""
    now = datetime.now(UTC).replace(microsecond=0)
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


def read_reply(message: bytes, pending: Pending, authority: x509.Certificate) -> Reply:
    """Return the answer to the request.

    Raises Malformed, cms.BadSignature or envelopes.Unopened if it is not an answer of the authority to this request.
    """
    signature = cms.parse_attached(message)
    signature.verify(signature.content or b"", authority.public_key())
    attributes = signature.attributes or {}
    expected = {
        scep.MESSAGE_TYPE: der.printable(scep.REPLY),
        scep.TRANSACTION: der.printable(pending.transaction),
        scep.RECIPIENT_NONCE: der.octets(pending.nonce),
    }
    if any(attributes.get(name) != value for name, value in expected.items()):
        raise Malformed("The answer is to another request.")
    if attributes.get(scep.STATUS) != der.printable("0"):
        reason = ber.read(attributes.get(scep.FAILURE, b"")).expect(der.PRINTABLE_STRING).contents
        return Reply(None, next((each for each in scep.Failure if str(each.value).encode() == reason), None))
    opened = open_envelope(signature.content or b"", [pending.signer])
    [certificate] = cms.certificates(opened.content)
    return Reply(x509.load_der_x509_certificate(certificate), None)
