"""Decrypt the server token file of Apple Business Manager with the tenant's private key, and check it.

The file is S/MIME: CMS enveloped data around a text that contains JSON. Apple writes the CMS in BER, with indefinite
lengths, and has used AES as well as Triple DES. The CMS functions of `cryptography` support only DER and AES, so
pyasn1 reads the structure here, and `cryptography` decrypts.
"""

import email
from datetime import datetime
from typing import Annotated, Any

import orjson
from cryptography import x509
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, CipherAlgorithm
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.padding import PKCS7
from django.core.exceptions import ValidationError
from django.utils import timezone
from pyasn1.codec.ber.decoder import decode as decode_ber
from pyasn1.codec.der.encoder import encode as encode_der
from pyasn1.error import PyAsn1Error
from pyasn1.type.namedtype import NamedType, NamedTypes
from pyasn1.type.tag import Tag, tagClassContext, tagFormatConstructed
from pyasn1.type.univ import OctetString, Sequence
from pyasn1_modules import rfc5652
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, SecretStr
from pydantic import ValidationError as Invalid

LARGEST_FILE = 32 * 1024  # bytes; Apple's files have about 3,000

PADDINGS: dict[str, padding.AsymmetricPadding] = {
    "1.2.840.113549.1.1.1": padding.PKCS1v15(),
    "1.2.840.113549.1.1.7": padding.OAEP(padding.MGF1(SHA1()), SHA1(), None),  # noqa: S303 - the standard's default
}
CIPHERS: dict[str, type[AES | TripleDES]] = {
    "2.16.840.1.101.3.4.1.2": AES,  # 128 bits; all of these are in CBC mode
    "2.16.840.1.101.3.4.1.22": AES,  # 192 bits
    "2.16.840.1.101.3.4.1.42": AES,  # 256 bits
    "1.2.840.113549.3.7": TripleDES,
}

TOO_LARGE = f"A server token file has no more than {LARGEST_FILE // 1024} KB."
OTHER_FILE = "This is not a server token file. Download it from Apple Business Manager or Apple School Manager."
OTHER_KEY = (
    "This server token was made for another public key. Upload the public key of this organization to Apple, and "
    "download a new server token."
)

type Credential = Annotated[SecretStr, Field(min_length=1, max_length=1000)]


class ServerToken(BaseModel):
    """The credentials of a server at Apple. The printed object does not show them."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    consumer_key: Credential
    consumer_secret: Credential
    access_token: Credential
    access_secret: Credential
    access_token_expiry: AwareDatetime

    def to_json(self) -> bytes:
        """The token with its credentials in plain text. The caller encrypts it."""
        return orjson.dumps(dict(self), default=SecretStr.get_secret_value)


class _EnvelopedInfo(Sequence):
    """The standard's ContentInfo, limited to enveloped data: pyasn1 loses the end of the general type in BER."""

    componentType = NamedTypes(  # noqa: N815 - pyasn1 reads this name
        NamedType("contentType", rfc5652.ContentType()),
        NamedType(
            "content", rfc5652.EnvelopedData().subtype(explicitTag=Tag(tagClassContext, tagFormatConstructed, 0))
        ),
    )


class _NotAToken(Exception):
    """The file is something else, or damaged."""


class _OtherKey(Exception):
    """No part of the file is encrypted for the certificate."""


def read_server_token(content: bytes, certificate: x509.Certificate, private_key: RSAPrivateKey) -> ServerToken:
    """Return the token in the file. Raises a ValidationError of the field `file` with the reason."""
    check_form(content)
    try:
        token = _token(_decrypt(_enveloped(content), certificate, private_key))
    except _OtherKey:
        raise refused(OTHER_KEY) from None
    except _NotAToken:
        raise refused(OTHER_FILE) from None
    if token.access_token_expiry <= timezone.now():
        raise refused(f"This server token expired on {_day(token.access_token_expiry)}. Download a new one from Apple.")
    return token


def check_form(content: bytes) -> None:
    """Raise a ValidationError for a file that is too large or not encrypted."""
    if len(content) > LARGEST_FILE:
        raise refused(TOO_LARGE)
    try:
        _enveloped(content)
    except _NotAToken:
        raise refused(OTHER_FILE) from None


def refused(message: str) -> ValidationError:
    return ValidationError({"file": message})


def _enveloped(content: bytes) -> Any:
    """Return the EnvelopedData of an S/MIME message, or of CMS without the message around it."""
    if not content.startswith(b"\x30"):
        content = bytes(email.message_from_bytes(content).get_payload(decode=True) or b"")
    try:
        info, _ = decode_ber(content, asn1Spec=_EnvelopedInfo())
    except (PyAsn1Error, RecursionError):
        raise _NotAToken from None
    return info["content"]


def _decrypt(enveloped: Any, certificate: x509.Certificate, private_key: RSAPrivateKey) -> bytes:
    recipients = [each["ktri"] for each in enveloped["recipientInfos"] if each.getName() == "ktri"]
    recipient = next((each for each in recipients if _is_for(each["rid"], certificate)), None)
    if recipient is None:
        raise _OtherKey
    encrypted = enveloped["encryptedContentInfo"]
    algorithm = encrypted["contentEncryptionAlgorithm"]
    try:
        key = private_key.decrypt(
            bytes(recipient["encryptedKey"]), PADDINGS[str(recipient["keyEncryptionAlgorithm"]["algorithm"])]
        )
        nonce, _ = decode_ber(algorithm["parameters"], asn1Spec=OctetString())
        cipher: CipherAlgorithm = CIPHERS[str(algorithm["algorithm"])](key)
        decryptor = Cipher(cipher, CBC(bytes(nonce))).decryptor()
        padded = decryptor.update(bytes(encrypted["encryptedContent"])) + decryptor.finalize()
        unpadder = PKCS7(8 * len(bytes(nonce))).unpadder()
        return unpadder.update(padded) + unpadder.finalize()
    except (KeyError, ValueError, PyAsn1Error):
        # A wrong key with the right name, an algorithm that Apple does not use, or a damaged file.
        raise _NotAToken from None


def _is_for(recipient: Any, certificate: x509.Certificate) -> bool:
    if recipient.getName() != "issuerAndSerialNumber":
        return False
    named = recipient["issuerAndSerialNumber"]
    same_number = int(named["serialNumber"]) == certificate.serial_number
    return same_number and encode_der(named["issuer"]) == certificate.issuer.public_bytes()


def _token(text: bytes) -> ServerToken:
    """Return the token in the text. Its JSON is between two marks, and may have line breaks."""
    start, end = text.find(b"{"), text.rfind(b"}")
    if start < 0:
        raise _NotAToken
    json = text[start : end + 1].replace(b"\r", b"").replace(b"\n", b"")
    try:
        return ServerToken.model_validate_json(json)
    except Invalid:
        raise _NotAToken from None


def _day(moment: datetime) -> str:
    return f"{timezone.localtime(moment):%B %-d, %Y}"
