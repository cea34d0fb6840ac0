"""Read CMS enveloped data (RFC 5652) in BER, with indefinite lengths.

A server process seldom reads a server token, so it loads this module, and pyasn1 with its megabytes, at the first one.
"""

from dataclasses import dataclass
from typing import Any

from pyasn1.codec.ber.decoder import decode as decode_ber
from pyasn1.codec.der.encoder import encode as encode_der
from pyasn1.error import PyAsn1Error
from pyasn1.type.namedtype import NamedType, NamedTypes
from pyasn1.type.tag import Tag, tagClassContext, tagFormatConstructed
from pyasn1.type.univ import OctetString, Sequence
from pyasn1_modules import rfc5652


@dataclass(frozen=True, slots=True)
class Recipient:
    """The key of the content, encrypted for one certificate, which issuer (in DER) and serial number name."""

    issuer: bytes
    serial_number: int
    algorithm: str
    encrypted_key: bytes


@dataclass(frozen=True, slots=True)
class Enveloped:
    """Algorithms are object identifiers with dots."""

    recipients: list[Recipient]
    algorithm: str
    nonce: bytes
    content: bytes


class _EnvelopedInfo(Sequence):
    """The standard's ContentInfo, limited to enveloped data: pyasn1 loses the end of the general type in BER."""

    componentType = NamedTypes(  # noqa: N815 - pyasn1 reads this name
        NamedType("contentType", rfc5652.ContentType()),
        NamedType(
            "content", rfc5652.EnvelopedData().subtype(explicitTag=Tag(tagClassContext, tagFormatConstructed, 0))
        ),
    )


def read_enveloped(content: bytes) -> Enveloped:
    """Raises ValueError for anything else, and for damaged data."""
    try:
        info, _ = decode_ber(content, asn1Spec=_EnvelopedInfo())
        encrypted = info["content"]["encryptedContentInfo"]
        algorithm = encrypted["contentEncryptionAlgorithm"]
        nonce, _ = decode_ber(algorithm["parameters"], asn1Spec=OctetString())
        recipients = [_recipient(each["ktri"]) for each in info["content"]["recipientInfos"] if _has_name(each)]
        return Enveloped(recipients, str(algorithm["algorithm"]), bytes(nonce), bytes(encrypted["encryptedContent"]))
    except (PyAsn1Error, RecursionError) as error:
        raise ValueError(str(error)) from None


def _has_name(recipient: Any) -> bool:
    return bool(recipient.getName() == "ktri" and recipient["ktri"]["rid"].getName() == "issuerAndSerialNumber")


def _recipient(ktri: Any) -> Recipient:
    named = ktri["rid"]["issuerAndSerialNumber"]
    return Recipient(
        encode_der(named["issuer"]),
        int(named["serialNumber"]),
        str(ktri["keyEncryptionAlgorithm"]["algorithm"]),
        bytes(ktri["encryptedKey"]),
    )
