"""Whether an authority issued a certificate. The clock is not asked: Apple's authorities for devices have expired."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA384, SHA512


@dataclass(frozen=True)
class Issuer:
    """An authority that issues certificates: its name, and its key."""

    name: x509.Name
    key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey

    @classmethod
    def of(cls, certificate: x509.Certificate) -> Self:
        """The owner of a certificate. Raises ValueError for a key that is neither RSA nor ECDSA."""
        key = certificate.public_key()
        if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
            raise ValueError("The key of an authority is RSA or ECDSA.")  # noqa: TRY004 - of a value in a file
        return cls(certificate.subject, key)

    def has_issued(self, certificate: x509.Certificate) -> bool:
        """Whether the certificate names this authority, and has its signature: with SHA-1 or SHA-256, 384 or 512."""
        try:
            digest = certificate.signature_hash_algorithm
            if certificate.issuer != self.name or not isinstance(digest, SHA1 | SHA256 | SHA384 | SHA512):
                return False
            signature, signed = certificate.signature, certificate.tbs_certificate_bytes
            if isinstance(self.key, rsa.RSAPublicKey):
                self.key.verify(signature, signed, padding.PKCS1v15(), digest)
            else:
                self.key.verify(signature, signed, ec.ECDSA(digest))
        except (InvalidSignature, UnsupportedAlgorithm, ValueError):
            return False
        return True


def check_chain(chain: Iterable[x509.Certificate]) -> None:
    """Raise ValueError unless each certificate was issued by the next one, and the last one by itself."""
    certificates = list(chain)
    for certificate, issuer in zip(certificates, [*certificates[1:], *certificates[-1:]], strict=True):
        if not Issuer.of(issuer).has_issued(certificate):
            raise ValueError(f"{certificate.subject.rfc4514_string()} was issued by another authority.")
