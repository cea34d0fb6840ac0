"""Decrypt the server token file of Apple Business Manager with the tenant's private key, and check it.

The file is S/MIME: CMS enveloped data around a text that contains JSON. Apple writes the CMS in BER, with indefinite
lengths, and has used AES as well as Triple DES. The CMS functions of `cryptography` support only DER and AES, so
`cms` reads the structure, and `cryptography` decrypts.
"""

import email
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

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
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, SecretStr
from pydantic import ValidationError as Invalid

if TYPE_CHECKING:
    from devices.enrollment.cms import Enveloped

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


def _enveloped(content: bytes) -> "Enveloped":
    """The enveloped data of an S/MIME message, or of CMS without the message around it."""
    from devices.enrollment.cms import read_enveloped  # when it is needed: see there

    if not content.startswith(b"\x30"):
        content = bytes(email.message_from_bytes(content).get_payload(decode=True) or b"")
    try:
        return read_enveloped(content)
    except ValueError:
        raise _NotAToken from None


def _decrypt(enveloped: "Enveloped", certificate: x509.Certificate, private_key: RSAPrivateKey) -> bytes:
    named = certificate.issuer.public_bytes(), certificate.serial_number
    ours = [each for each in enveloped.recipients if (each.issuer, each.serial_number) == named]
    if not ours:
        raise _OtherKey
    try:
        key = private_key.decrypt(ours[0].encrypted_key, PADDINGS[ours[0].algorithm])
        cipher: CipherAlgorithm = CIPHERS[enveloped.algorithm](key)
        decryptor = Cipher(cipher, CBC(enveloped.nonce)).decryptor()
        padded = decryptor.update(enveloped.content) + decryptor.finalize()
        unpadder = PKCS7(8 * len(enveloped.nonce)).unpadder()
        return unpadder.update(padded) + unpadder.finalize()
    except (KeyError, ValueError):
        # A wrong key with the right name, an algorithm that Apple does not use, or a damaged file.
        raise _NotAToken from None


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
