"""Machine information: what a new device says of itself, signed, when it asks for its enrollment profile.

The signature shows that a device of Apple's sent it, and not which one: whoever controls a device can have it sign the
serial number of another. docs/mdm.md says what follows from that.
"""

import hashlib
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from devices.enrollment.machine_issuers import is_published, real_issuers, simulated_issuers
from devices.mdm.messages import Message
from devices.mdm.refusals import MdmRefused
from devices.wire import cms
from devices.wire.errors import Malformed

_LONGEST = 100  # characters of a serial number, a UDID or a product name


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A device as it introduces itself. `digest` is the same for the same words of the same device."""

    serial_number: str
    udid: str
    product: str
    digest: str
    simulated: bool


def read_machine(body: bytes) -> Machine:
    """The device that signed the body. Raises MdmRefused for every other body."""
    try:
        signature = cms.parse_attached(body)
        certificate = x509.load_der_x509_certificate(signature.certificate)
        key = certificate.public_key()
    except (Malformed, ValueError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise MdmRefused(f"The machine information cannot be read: {error}") from None
    simulated = any(issuer.has_issued(certificate) for issuer in simulated_issuers())
    if not simulated and not any(issuer.has_issued(certificate) for issuer in real_issuers()):
        raise MdmRefused(f"No authority of devices has issued the signer's certificate: {_issuer(certificate)}")
    if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey) or signature.content is None:
        raise MdmRefused("The machine information has no content, or a key that devices do not have.")
    if is_published(key):
        raise MdmRefused("The private key of the signer's certificate is published.")
    try:
        signature.verify(signature.content, key)
    except cms.BadSignature:
        raise MdmRefused("The signature is of other machine information.") from None
    message = Message.read(signature.content)
    machine = Machine(
        serial_number=message.text("SERIAL", maximum=_LONGEST),
        udid=message.text("UDID", maximum=_LONGEST),
        product=message.text("PRODUCT", maximum=_LONGEST),
        digest=hashlib.sha256(signature.fingerprint + signature.content).hexdigest(),
        simulated=simulated,
    )
    if not machine.serial_number or not machine.udid:
        raise MdmRefused("The device does not say its serial number or its UDID.")
    return machine


def _issuer(certificate: x509.Certificate) -> str:
    try:
        return certificate.issuer.rfc4514_string()[:200]
    except ValueError:
        return "its name cannot be read"
