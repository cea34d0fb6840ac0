"""CMS signatures: read and verify those of devices and of SCEP clients, and make our own.

Reading is in two steps, so that no cryptography is spent on strangers: `parse_detached` finds the signer's certificate
in the message, the caller looks it up by its fingerprint, and `Signature.verify` does the rest.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA384, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from devices.wire import ber, der
from devices.wire.der import oid
from devices.wire.errors import Malformed

MOST_CERTIFICATES = 10  # in a message

DATA, SIGNED_DATA = oid("1.2.840.113549.1.7.1"), oid("1.2.840.113549.1.7.2")
CONTENT_TYPE, MESSAGE_DIGEST = oid("1.2.840.113549.1.9.3"), oid("1.2.840.113549.1.9.4")
RSA, _EC = oid("1.2.840.113549.1.1.1"), oid("1.2.840.10045.2.1")

# SHA-1 is what many devices sign with. A forger would need a second preimage, which SHA-1 still withstands.
DIGESTS: dict[str, tuple[bytes, type[HashAlgorithm]]] = {
    "sha1": (oid("1.3.14.3.2.26"), SHA1),
    "sha256": (oid("2.16.840.1.101.3.4.2.1"), SHA256),
    "sha384": (oid("2.16.840.1.101.3.4.2.2"), SHA384),
    "sha512": (oid("2.16.840.1.101.3.4.2.3"), SHA512),
}
_HASHES = {identifier: (name, hash) for name, (identifier, hash) in DIGESTS.items()}
_ECDSA = {
    "sha1": oid("1.2.840.10045.4.1"),
    "sha256": oid("1.2.840.10045.4.3.2"),
    "sha384": oid("1.2.840.10045.4.3.3"),
    "sha512": oid("1.2.840.10045.4.3.4"),
}
# Algorithm of the signature: the type of key, and the digest, if the identifier names it.
_ALGORITHMS: dict[bytes, tuple[type[rsa.RSAPublicKey] | type[ec.EllipticCurvePublicKey], str | None]] = {
    RSA: (rsa.RSAPublicKey, None),
    oid("1.2.840.113549.1.1.5"): (rsa.RSAPublicKey, "sha1"),
    oid("1.2.840.113549.1.1.11"): (rsa.RSAPublicKey, "sha256"),
    oid("1.2.840.113549.1.1.12"): (rsa.RSAPublicKey, "sha384"),
    oid("1.2.840.113549.1.1.13"): (rsa.RSAPublicKey, "sha512"),
    _EC: (ec.EllipticCurvePublicKey, None),
    **{identifier: (ec.EllipticCurvePublicKey, name) for name, identifier in _ECDSA.items()},
}

type SigningKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
type Attributes = Mapping[bytes, bytes]  # by object identifier, the one value in DER


class BadSignature(Exception):
    """The signature is not one of this key over this content."""


class UnknownAlgorithm(BadSignature):
    """The signature needs an algorithm that is not accepted, or that is not of the key."""


@dataclass(frozen=True)
class Signature:
    """The one signature of a message, read and not verified."""

    certificate: bytes  # of the signer, in DER
    content: bytes | None  # of an attached signature
    attributes: Attributes | None = field(repr=False)  # the signed ones; None where the content itself is signed
    _content_type: bytes = field(repr=False)
    _to_sign: bytes | None = field(repr=False)  # the attributes as they are signed
    _digest: bytes = field(repr=False)
    _algorithm: bytes = field(repr=False)
    _value: bytes = field(repr=False)

    @cached_property
    def fingerprint(self) -> bytes:
        """SHA-256 of the signer's certificate."""
        return hashlib.sha256(self.certificate).digest()

    def verify(self, content: bytes, key: object) -> None:
        """Raise BadSignature if this is not a signature of the key's owner over the content.

        `key` is the public key of the signer's certificate. Accepted are RSA with PKCS #1 v1.5, and ECDSA, with SHA-1
        or SHA-256, 384 or 512.
        """
        if self._digest not in _HASHES or self._algorithm not in _ALGORITHMS:
            raise UnknownAlgorithm
        name, hash = _HASHES[self._digest]
        key_type, named = _ALGORITHMS[self._algorithm]
        if not isinstance(key, key_type) or named not in {None, name}:
            raise UnknownAlgorithm
        signed = content if self._to_sign is None else self._signed_attributes(content, name)
        try:
            if isinstance(key, rsa.RSAPublicKey):
                key.verify(self._value, signed, padding.PKCS1v15(), hash())
            else:
                key.verify(self._value, signed, ec.ECDSA(hash()))
        except InvalidSignature:
            raise BadSignature from None
        except ValueError:  # an element of the key's or of the signature's that OpenSSL does not take
            raise BadSignature from None

    def _signed_attributes(self, content: bytes, digest: str) -> bytes:
        """Return what is signed, after the attributes were compared with the content."""
        attributes = self.attributes or {}
        expected = der.octets(hashlib.new(digest, content, usedforsecurity=False).digest())
        if not hmac.compare_digest(attributes.get(MESSAGE_DIGEST, b""), expected):
            raise BadSignature
        if attributes.get(CONTENT_TYPE) != der.object_identifier(self._content_type):
            raise BadSignature
        assert self._to_sign is not None  # noqa: S101 - the caller has tested it
        return self._to_sign


def parse_detached(message: bytes, *, padded: bool = False) -> Signature:
    """Return the signature in a message without content, in BER or DER. `padded`: zeros may follow it.

    Raises Malformed unless the message has one signature, of data, and its signer's certificate.
    """
    signature = _signature(ber.read(message, padded=padded))
    if signature.content is not None or signature._content_type != DATA:  # noqa: SLF001 - of this module
        raise Malformed("The signature is not a detached one of data.")
    return signature


def parse_attached(message: bytes, *, most: int = ber.LARGEST) -> Signature:
    """Return the signature in a message of at most `most` bytes that may have its content inside, in BER or DER.

    Raises Malformed unless the message has one signature, of data, and its signer's certificate.
    """
    signature = _signature(ber.read(message, most=most))
    if signature._content_type != DATA:  # noqa: SLF001 - of this module
        raise Malformed("The signature is not one of data.")
    return signature


def certificates(message: bytes) -> list[bytes]:
    """Return the certificates of SignedData, in DER, also where nothing is signed. Raises Malformed."""
    _, _, embedded, _ = _signed_data(ber.read(message))
    return [certificate.to_der() for certificate in embedded]


def opened(element: ber.Element, content_type: bytes) -> ber.Element:
    """Return the content of a ContentInfo. Raises Malformed if it is of another type."""
    match element.expect(der.SEQUENCE).children:
        case [name, wrapper] if name.tag == der.OBJECT_IDENTIFIER and name.contents == content_type:
            match wrapper.expect(0xA0).children:
                case [content]:
                    return content.expect(der.SEQUENCE)
    raise Malformed("The message is not CMS of this type.")


def identifier(element: ber.Element) -> bytes:
    """Return the object identifier of an AlgorithmIdentifier. Raises Malformed."""
    match element.expect(der.SEQUENCE).children:
        case [name, *_]:
            return name.expect(der.OBJECT_IDENTIFIER).contents
    raise Malformed("An algorithm has no name.")


def _signed_data(message: ber.Element) -> tuple[bytes, bytes | None, list[ber.Element], list[ber.Element]]:
    """Return content type, content, certificates and signers."""
    match opened(message, SIGNED_DATA).children:
        case [version, digests, encapsulated, *optional, signers]:
            version.expect(der.INTEGER)
            digests.expect(der.SET)
        case _:
            raise Malformed("The signed data is incomplete.")
    content = None
    match encapsulated.expect(der.SEQUENCE).children:
        case [name]:
            pass
        case [name, wrapper]:
            match wrapper.expect(0xA0).children:
                case [octets] if octets.tag & ~ber.CONSTRUCTED == der.OCTET_STRING:
                    content = octets.octets
                case _:
                    raise Malformed("The content is not one string.")
        case _:
            raise Malformed("The content is malformed.")
    embedded = [child for element in optional if element.tag == 0xA0 for child in element.children]
    if any(element.tag not in {0xA0, 0xA1} for element in optional) or len(embedded) > MOST_CERTIFICATES:
        raise Malformed("The certificates are malformed, or too many.")
    return name.expect(der.OBJECT_IDENTIFIER).contents, content, embedded, signers.expect(der.SET).children


def _signature(message: ber.Element) -> Signature:
    content_type, content, embedded, signers = _signed_data(message)
    if len(signers) != 1:
        raise Malformed("The message has not one signature.")
    attributes: ber.Element | None
    match signers[0].expect(der.SEQUENCE).children:
        case [version, signer, digest, attributes, algorithm, value, *unsigned] if attributes.tag == 0xA0:
            pass
        case [version, signer, digest, algorithm, value, *unsigned]:
            attributes = None
        case _:
            raise Malformed("The signature is incomplete.")
    version.expect(der.INTEGER)
    if len(unsigned) > 1 or any(element.tag != 0xA1 for element in unsigned):
        raise Malformed("There is something after the signature.")
    if value.tag & ~ber.CONSTRUCTED != der.OCTET_STRING:
        raise Malformed("The signature is no string.")
    parsed, to_sign = (None, None) if attributes is None else _attributes(attributes)
    return Signature(
        _certificate(embedded, signer),
        content,
        parsed,
        content_type,
        to_sign,
        identifier(digest),
        identifier(algorithm),
        value.octets,
    )


def _attributes(element: ber.Element) -> tuple[dict[bytes, bytes], bytes]:
    """Return the attributes, and their set in DER, over which the signature is."""
    attributes: dict[bytes, bytes] = {}
    for attribute in element.children:
        match attribute.expect(der.SEQUENCE).children:
            case [name, values]:
                match values.expect(der.SET).children:
                    case [value]:
                        key = name.expect(der.OBJECT_IDENTIFIER).contents
                        if key in attributes:
                            raise Malformed("An attribute is there twice.")
                        attributes[key] = value.to_der()
                    case _:
                        # Attributes with several values, such as Apple's own, are signed and of no use here.
                        pass
            case _:
                raise Malformed("An attribute is malformed.")
    return attributes, der.set_of(*[attribute.to_der() for attribute in element.children])


def _certificate(embedded: list[ber.Element], signer: ber.Element) -> bytes:
    """Return the certificate that the signature names by issuer and number."""
    if signer.tag == 0x80 and len(embedded) == 1:  # by the identifier of its key, and no other one is there
        return embedded[0].expect(der.SEQUENCE).to_der()
    match signer.expect(der.SEQUENCE).children:
        case [issuer, number]:
            wanted = (number.expect(der.INTEGER).contents, issuer.expect(der.SEQUENCE).to_der())
        case _:
            raise Malformed("The signer has no name.")
    for certificate in embedded:
        # Where it is in DER, as it must be, these bytes are what was signed and what its fingerprint is of.
        whole = certificate.expect(der.SEQUENCE)
        match whole.children:
            case [signed, _, _]:
                match [child for child in signed.expect(der.SEQUENCE).children if child.tag != 0xA0]:
                    case [serial, _, name, *_] if (serial.contents, name.to_der()) == wanted:
                        return whole.encoded if whole.known is None else whole.to_der()
    raise Malformed("The signer's certificate is missing.")


def issuer_and_number(certificate: x509.Certificate) -> bytes:
    """Return the name of a certificate in CMS."""
    return der.sequence(certificate.issuer.public_bytes(), der.integer(certificate.serial_number))


def sign(
    content: bytes | None,
    certificate: x509.Certificate,
    key: SigningKey,
    *,
    chain: tuple[x509.Certificate, ...] = (),
    attributes: Attributes | None = None,
    digest: str = "sha256",
) -> bytes:
    """Return the content inside a signature of the key, in DER, with the certificate and those of `chain`.

    There is no time among the signed attributes: with an RSA key, the same content has the same signature again.
    """
    named = {**(attributes or {}), CONTENT_TYPE: der.object_identifier(DATA)}
    named[MESSAGE_DIGEST] = der.octets(hashlib.new(digest, content or b"", usedforsecurity=False).digest())
    signer = _signer_info(content or b"", certificate, key, digest, named)
    body = () if content is None else (der.explicit(0, der.octets(content)),)
    return der.sequence(
        der.object_identifier(SIGNED_DATA),
        der.explicit(
            0,
            der.sequence(
                der.integer(1),
                der.set_of(der.algorithm(DIGESTS[digest][0], der.null())),
                der.sequence(der.object_identifier(DATA), *body),
                der.explicit(0, *[each.public_bytes(Encoding.DER) for each in (certificate, *chain)]),
                der.set_of(signer),
            ),
        ),
    )


def sign_detached(
    content: bytes,
    certificate: x509.Certificate,
    key: SigningKey,
    *,
    digest: str = "sha1",
    attributes: bool = False,
    indefinite: bool = True,
) -> bytes:
    """Return a signature without the content, in the form that a device sends: as a simulated device and tests do.

    The defaults are the form of many Macs: indefinite lengths, SHA-1, no signed attributes.
    """
    named = {CONTENT_TYPE: der.object_identifier(DATA)}
    named[MESSAGE_DIGEST] = der.octets(hashlib.new(digest, content, usedforsecurity=False).digest())
    signer = _signer_info(content, certificate, key, digest, named if attributes else None)
    frame = der.indefinite if indefinite else der.element
    return frame(
        der.SEQUENCE,
        der.object_identifier(SIGNED_DATA),
        frame(
            0xA0,
            frame(
                der.SEQUENCE,
                der.integer(1),
                der.set_of(der.algorithm(DIGESTS[digest][0], der.null())),
                frame(der.SEQUENCE, der.object_identifier(DATA)),
                frame(0xA0, certificate.public_bytes(Encoding.DER)),
                der.set_of(signer),
            ),
        ),
    )


def bundle(*members: x509.Certificate) -> bytes:
    """Return SignedData with certificates alone, which SCEP answers with."""
    embedded = der.explicit(0, *[each.public_bytes(Encoding.DER) for each in members])
    content = der.sequence(der.object_identifier(DATA))
    signed = der.sequence(der.integer(1), der.set_of(), content, embedded, der.set_of())
    return der.sequence(der.object_identifier(SIGNED_DATA), der.explicit(0, signed))


def _signer_info(
    content: bytes, certificate: x509.Certificate, key: SigningKey, digest: str, attributes: Attributes | None
) -> bytes:
    identifier, hash = DIGESTS[digest]
    signed, tail = content, b""
    if attributes is not None:
        items = [der.sequence(der.object_identifier(name), der.set_of(value)) for name, value in attributes.items()]
        signed = der.set_of(*items)
        tail = der.explicit(0, *sorted(items))
    if isinstance(key, rsa.RSAPrivateKey):
        algorithm = der.algorithm(RSA, der.null())
        value = key.sign(signed, padding.PKCS1v15(), hash())
    else:
        algorithm = der.algorithm(_ECDSA[digest])
        value = key.sign(signed, ec.ECDSA(hash()))
    return der.sequence(
        der.integer(1),
        issuer_and_number(certificate),
        der.algorithm(identifier, der.null()),
        tail,
        algorithm,
        der.octets(value),
    )
