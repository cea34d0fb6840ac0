"""The authorities that issue the certificates with which new devices sign: Apple's, and that of simulated devices."""

import hashlib
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from access.keyrings import derived_keyring
from devices.wire.issuers import Issuer, check_chain

# Apple iPhone Device CA, Apple iPhone Certification Authority and Apple Root CA, as Apple has published them. Only the
# first issues certificates of devices. The others are there to prove it: Apple Root CA also stands above the
# certificates of every developer, so a chain to it alone would say nothing.
APPLE = Path(__file__).with_name("apple_certificates") / "devices.pem"
ROOT = "b0b1730ecbc7ff4505142c49f1295e6eda6bcaed7e2c68c5be91b5a11001f024"  # SHA-256 of Apple Root CA

# SHA-256 of the public keys (SubjectPublicKeyInfo) of certificates of this authority whose private keys are published:
# anybody could sign with them. This one signs requests for activation, and is in the source of programs that send them.
PUBLISHED = {"37bb311314dc1c1e58b3e3fd6ea09781495f24710b9643bb678e0e93bf304750"}

_SIMULATED = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Simulated device authority")])
_CURVE = ec.SECP256R1()


@lru_cache
def apple_issuer() -> Issuer:
    """Apple's authority for devices, which the pinned root stands for."""
    chain = x509.load_pem_x509_certificates(APPLE.read_bytes())
    check_chain(chain)
    if chain[-1].fingerprint(SHA256()).hex() != ROOT:
        raise ValueError("The last of Apple's certificates is not the pinned root.")
    return Issuer.of(chain[0])


def real_issuers() -> list[Issuer]:
    """The authorities of real devices: Apple's, and those in the file that IRU_ADE_AUTHORITIES names."""
    return [apple_issuer(), *_others(settings.IRU_ADE_AUTHORITIES)]


@lru_cache(maxsize=4)
def _others(path: str) -> tuple[Issuer, ...]:
    if not path:
        return ()
    try:
        return tuple(map(Issuer.of, x509.load_pem_x509_certificates(Path(path).read_bytes())))
    except (OSError, ValueError) as error:
        raise ImproperlyConfigured(f"IRU_ADE_AUTHORITIES names no file with certificates in PEM: {error}") from None


def is_published(key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey) -> bool:
    """Whether the private key of a certificate can be read by anybody, so that its signatures show nothing."""
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).hexdigest() in PUBLISHED


def simulated_issuers() -> list[Issuer]:
    """The authority of simulated devices. Its key follows from IRU_SECRET_KEYS, so that nobody else can use it."""
    return [Issuer(_SIMULATED, key.public_key()) for key in _simulated_keys()]


def issue_simulated(key: rsa.RSAPublicKey, name: str) -> x509.Certificate:
    """A certificate for a simulated device, as Apple issues one to a device that is activated."""
    now = datetime.now(UTC).replace(microsecond=0)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(_SIMULATED)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now - timedelta(days=1))  # as Apple's are often: nothing may depend on it
    )
    return builder.sign(_simulated_keys()[0], SHA256())


def _simulated_keys() -> list[ec.EllipticCurvePrivateKey]:
    derived = derived_keyring("IRU_SECRET_KEYS", "ade-simulated-devices")
    order = _CURVE.group_order
    return [ec.derive_private_key(int.from_bytes(key) % (order - 1) + 1, _CURVE) for _, key in derived]
