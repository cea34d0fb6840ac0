"""CMS envelopes: content that is encrypted for the owner of a certificate."""

import os
from collections.abc import Sequence
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from devices.wire import ber, cms, der
from devices.wire.der import oid
from devices.wire.errors import Malformed

ENVELOPED_DATA = oid("1.2.840.113549.1.7.3")
MOST_RECIPIENTS = 10


class _Algorithm(NamedTuple):
    cipher: type[AES | TripleDES]
    key: int  # bytes
    block: int  # bytes


CIPHERS = {
    "aes128": oid("2.16.840.1.101.3.4.1.2"),
    "aes256": oid("2.16.840.1.101.3.4.1.42"),
    "3des": oid("1.2.840.113549.3.7"),
    "des": oid("1.3.14.3.2.7"),
}
_ALGORITHMS = {
    "aes128": _Algorithm(AES, 16, 16),
    "aes256": _Algorithm(AES, 32, 16),
    "3des": _Algorithm(TripleDES, 24, 8),
    "des": _Algorithm(TripleDES, 8, 8),  # one key three times
}
_NAMES = {identifier: name for name, identifier in CIPHERS.items()}


class Unopened(Exception):
    """The envelope cannot be opened. There is one such error for all causes, so that it helps no attacker."""


class Recipient(NamedTuple):
    certificate: x509.Certificate
    key: rsa.RSAPrivateKey


class Opened(NamedTuple):
    content: bytes
    recipient: Recipient
    cipher: str  # a name in CIPHERS


def open_envelope(message: bytes, recipients: Sequence[Recipient], *, single_des: bool = False) -> Opened:
    """Return the content of an envelope for one of the recipients, in BER or DER.

    The key is encrypted with RSA and PKCS #1 v1.5, the content with AES or Triple DES in CBC mode. Raises Unopened, and
    nothing else, for all other messages. Where the padding of the key is wrong, the content is decrypted with a random
    key: the time is the same, and the result is Unopened or, rarely, content without a meaning.
    """
    try:
        return _open(message, recipients, single_des)
    except (Malformed, ValueError, KeyError):
        raise Unopened from None


def seal_envelope(content: bytes, certificate: x509.Certificate, *, cipher: str = "aes256") -> bytes:
    """Return the content encrypted for the owner of the certificate, which has an RSA key."""
    algorithm = _ALGORITHMS[cipher]
    public_key = certificate.public_key()
    assert isinstance(public_key, rsa.RSAPublicKey)  # noqa: S101 - the caller's promise
    key, nonce = os.urandom(algorithm.key), os.urandom(algorithm.block)
    encryptor = _cipher(algorithm, key, nonce).encryptor()
    padder = PKCS7(8 * algorithm.block).padder()
    encrypted = encryptor.update(padder.update(content) + padder.finalize()) + encryptor.finalize()
    recipient = der.sequence(
        der.integer(0),
        cms.issuer_and_number(certificate),
        der.algorithm(cms.RSA, der.null()),
        der.octets(public_key.encrypt(key, padding.PKCS1v15())),
    )
    body = der.sequence(
        der.object_identifier(cms.DATA),
        der.algorithm(CIPHERS[cipher], der.octets(nonce)),
        der.element(0x80, encrypted),
    )
    enveloped = der.sequence(der.integer(0), der.set_of(recipient), body)
    return der.sequence(der.object_identifier(ENVELOPED_DATA), der.explicit(0, enveloped))


def _open(message: bytes, recipients: Sequence[Recipient], single_des: bool) -> Opened:
    infos, encrypted = _enveloped(cms.opened(ber.read(message), ENVELOPED_DATA))
    _, algorithm_element, body = encrypted.expect(der.SEQUENCE).children
    identifier, parameters = algorithm_element.expect(der.SEQUENCE).children
    name = _NAMES[identifier.expect(der.OBJECT_IDENTIFIER).contents]
    if body.tag & ~ber.CONSTRUCTED != 0x80 or (name == "des" and not single_des):
        raise Malformed("The content is not encrypted as it should be.")
    algorithm, nonce, ciphertext = _ALGORITHMS[name], parameters.expect(der.OCTET_STRING).contents, body.octets
    if len(nonce) != algorithm.block or not ciphertext or len(ciphertext) % algorithm.block:
        raise Malformed("The encrypted content has an impossible length.")
    recipient, encrypted_key = _ours(infos, recipients)
    # OpenSSL answers a wrong padding with random bytes, whose number is random too.
    key, instead = recipient.key.decrypt(encrypted_key, padding.PKCS1v15()), os.urandom(algorithm.key)
    decryptor = _cipher(algorithm, key if len(key) == algorithm.key else instead, nonce).decryptor()
    padded = decryptor.update(ciphertext) + decryptor.finalize()
    unpadder = PKCS7(8 * algorithm.block).unpadder()
    return Opened(unpadder.update(padded) + unpadder.finalize(), recipient, name)


def _enveloped(element: ber.Element) -> tuple[list[ber.Element], ber.Element]:
    """Return the recipients and the encrypted content."""
    parts = [child for child in element.children if child.tag not in {0xA0, 0xA1}]  # without the optional ones
    version, infos, encrypted = parts
    version.expect(der.INTEGER)
    if len(infos.expect(der.SET).children) > MOST_RECIPIENTS:
        raise Malformed("There are too many recipients.")
    return infos.children, encrypted


def _ours(infos: list[ber.Element], recipients: Sequence[Recipient]) -> tuple[Recipient, bytes]:
    """Return the recipient that the envelope names, with the encrypted key."""
    names = {cms.issuer_and_number(recipient.certificate): recipient for recipient in recipients}
    for info in infos:
        if info.tag != der.SEQUENCE:  # another kind of recipient
            continue
        _, named, algorithm, key = info.children
        if (recipient := names.get(named.to_der())) and cms.identifier(algorithm) == cms.RSA:
            return recipient, key.expect(der.OCTET_STRING).contents
    raise Malformed("The envelope is for others.")


def _cipher(algorithm: _Algorithm, key: bytes, nonce: bytes) -> Cipher[CBC]:
    return Cipher(algorithm.cipher(key * 3 if algorithm.key == 8 else key), CBC(nonce))
