"""Signatures: the forms that are accepted, those that are not, and that OpenSSL verifies ours."""

import hashlib
import shutil
import subprocess
from contextlib import suppress
from itertools import product
from pathlib import Path
from random import Random

import pytest
from asn1crypto import cms as asn1_cms
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs7
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.wire import ber, cms, der
from devices.wire.errors import Malformed
from tests.deploy import NO_PROGRAM
from tests.devices.wire.identities import ec_identity, rsa_identity

pytestmark = pytest.mark.sqlite_only  # no database

BODY = b"<?xml version='1.0'?><plist><dict/></plist>"
FORMS = list(product(["sha1", "sha256", "sha384", "sha512"], [False, True], [False, True]))


def signed(body: bytes = BODY, **form: object) -> bytes:
    identity = rsa_identity("device")
    return cms.sign_detached(body, identity.certificate, identity.key, **form)  # type: ignore[arg-type]


def verify(message: bytes, body: bytes = BODY) -> cms.Signature:
    signature = cms.parse_detached(message)
    signature.verify(body, rsa_identity("device").certificate.public_key())
    return signature


@pytest.mark.parametrize("kind", ["rsa", "ec"])
@pytest.mark.parametrize(("digest", "attributes", "indefinite"), FORMS)
def test_every_form_is_verified(kind: str, digest: str, attributes: bool, indefinite: bool) -> None:
    identity = rsa_identity("device") if kind == "rsa" else ec_identity("device")
    message = cms.sign_detached(
        BODY, identity.certificate, identity.key, digest=digest, attributes=attributes, indefinite=indefinite
    )
    signature = cms.parse_detached(message)
    assert signature.certificate == identity.certificate.public_bytes(Encoding.DER)
    assert signature.fingerprint == identity.certificate.fingerprint(hashes.SHA256())
    signature.verify(BODY, identity.certificate.public_key())
    for other in (BODY + b" ", b""):
        with pytest.raises(cms.BadSignature):
            signature.verify(other, identity.certificate.public_key())
    stranger = rsa_identity("stranger") if kind == "rsa" else ec_identity("stranger")
    with pytest.raises(cms.BadSignature):
        signature.verify(BODY, stranger.certificate.public_key())
    wrong_type = ec_identity("device") if kind == "rsa" else rsa_identity("device")
    with pytest.raises(cms.UnknownAlgorithm):
        signature.verify(BODY, wrong_type.certificate.public_key())


def test_the_form_of_many_macs_begins_as_theirs_does() -> None:
    message = signed()
    assert message.startswith(bytes.fromhex("3080 06092a864886f70d010702 a080 3080 020101"))
    assert message.endswith(b"\0\0" * 3)
    assert verify(message).attributes is None


def test_signatures_of_cryptography_are_verified() -> None:
    identity = rsa_identity("device")
    builder = pkcs7.PKCS7SignatureBuilder().set_data(BODY)
    builder = builder.add_signer(identity.certificate, identity.key, hashes.SHA384())
    detached = [pkcs7.PKCS7Options.Binary, pkcs7.PKCS7Options.DetachedSignature]
    verify(builder.sign(Encoding.DER, detached))
    attached = cms.parse_attached(builder.sign(Encoding.DER, [pkcs7.PKCS7Options.Binary]))
    assert attached.content == BODY
    attached.verify(BODY, identity.certificate.public_key())


@pytest.mark.parametrize(("digest", "attributes", "indefinite"), FORMS)
def test_parts_are_those_that_asn1crypto_finds(digest: str, attributes: bool, indefinite: bool) -> None:
    message = signed(digest=digest, attributes=attributes, indefinite=indefinite)
    theirs = asn1_cms.ContentInfo.load(message)["content"]
    signature = cms.parse_detached(message)
    signer = theirs["signer_infos"][0]
    assert signature.certificate == theirs["certificates"][0].chosen.dump()
    assert signature._value == signer["signature"].native
    assert signature._digest == signer["digest_algorithm"]["algorithm"].contents
    if attributes:
        assert signature._to_sign == signer["signed_attrs"].untag().dump()


def test_an_attached_signature_is_no_detached_one() -> None:
    identity = rsa_identity("device")
    message = cms.sign(BODY, identity.certificate, identity.key)
    cms.parse_attached(message).verify(BODY, identity.certificate.public_key())
    assert message == cms.sign(BODY, identity.certificate, identity.key)
    with pytest.raises(Malformed):
        cms.parse_detached(message)


def rebuilt(*, certificates: int = 1, signers: int = 1, content_type: bytes = cms.DATA) -> bytes:
    """A detached signature with another number of certificates or signers."""
    _, digests, _, embedded, infos = cms.opened(ber.read(signed(indefinite=False)), cms.SIGNED_DATA).children
    content = der.sequence(
        der.integer(1),
        digests.encoded,
        der.sequence(der.object_identifier(content_type)),
        der.element(0xA0, embedded.contents * certificates),
        der.element(der.SET, infos.contents * signers),
    )
    return der.sequence(der.object_identifier(cms.SIGNED_DATA), der.explicit(0, content))


@pytest.mark.parametrize(
    "change",
    [{"certificates": 0}, {"certificates": 11}, {"signers": 0}, {"signers": 2}, {"content_type": cms.SIGNED_DATA}],
    ids=str,
)
def test_a_message_without_exactly_one_signature_and_its_certificate_is_malformed(change: dict[str, int]) -> None:
    verify(rebuilt())
    verify(rebuilt(certificates=10))
    with pytest.raises(Malformed):
        cms.parse_detached(rebuilt(**change))  # type: ignore[arg-type]


def test_the_certificate_of_another_signer_is_not_taken() -> None:
    identity, other = rsa_identity("device"), rsa_identity("stranger")
    message = signed(indefinite=False)
    mine = identity.certificate.public_bytes(Encoding.DER)
    theirs = other.certificate.public_bytes(Encoding.DER)
    _, digests, content, _, infos = cms.opened(ber.read(message), cms.SIGNED_DATA).children
    for embedded, accepted in ((theirs, False), (theirs + mine, True)):
        body = (der.integer(1), digests.encoded, content.encoded, der.element(0xA0, embedded), infos.encoded)
        changed = der.sequence(der.object_identifier(cms.SIGNED_DATA), der.explicit(0, der.sequence(*body)))
        if accepted:
            assert cms.parse_detached(changed).certificate == mine
        else:
            with pytest.raises(Malformed):
                cms.parse_detached(changed)


def test_unknown_and_contradicting_algorithms_are_not_accepted() -> None:
    message = signed(digest="sha256", indefinite=False)
    sha256 = cms.DIGESTS["sha256"][0]
    with pytest.raises(cms.UnknownAlgorithm):
        verify(message.replace(sha256, sha256[:-1] + b"\x07"))
    at = message.rindex(der.object_identifier(cms.RSA))
    for last in (2, 4, 5, 10, 13):  # other algorithms of the same family: MD2, MD5, SHA-1, PSS and SHA-512
        changed = bytearray(message)
        changed[at + 10] = last
        with pytest.raises(cms.UnknownAlgorithm):
            verify(bytes(changed))


def test_a_signature_over_the_attributes_is_none_over_a_body_like_them() -> None:
    message = signed(digest="sha256", attributes=True, indefinite=False)
    attributes = cms.parse_detached(message)._to_sign
    assert attributes is not None
    with pytest.raises(cms.BadSignature):
        verify(message, attributes)


def test_the_order_of_attributes_does_not_matter_but_each_is_there_once() -> None:
    message = signed(digest="sha256", attributes=True, indefinite=False)
    [info] = cms.opened(ber.read(message), cms.SIGNED_DATA).children[-1].children
    attributes = info.children[3]
    one, two = (child.encoded for child in attributes.children)
    verify(message.replace(one + two, two + one))
    assert len(one) != len(two)
    doubled = message.replace(attributes.encoded, der.explicit(0, one, two, one))
    with pytest.raises(Malformed):
        verify(doubled)


@pytest.mark.parametrize("form", [(False, True), (True, False)])
def test_a_damaged_signature_is_never_one_of_the_device(form: tuple[bool, bool]) -> None:
    """Each bit that is turned is noticed, or does not matter: then certificate, key and body are still the same."""
    message = signed(digest="sha256", attributes=form[0], indefinite=form[1])
    random = Random(4711)
    for _ in range(400):
        damaged = bytearray(message)
        damaged[random.randrange(len(damaged))] ^= 1 << random.randrange(8)
        with suppress(Malformed, cms.BadSignature):
            verify(bytes(damaged))
        with pytest.raises((Malformed, cms.BadSignature)):
            verify(bytes(damaged), b"another body")
    for end in range(0, len(message), 7):
        with pytest.raises(Malformed):
            cms.parse_detached(message[:end])


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_malformed(data: bytes) -> None:
    head = bytes.fromhex("3080 06092a864886f70d010702 a080 3080 020101")
    for whole in (data, head + data, head + data + b"\0\0" * 3):
        for read in (cms.parse_detached, cms.parse_attached, cms.certificates):
            with suppress(Malformed):
                read(whole)


@pytest.mark.parametrize("kind", ["rsa", "ec"])
@pytest.mark.parametrize("attached", [True, False])
def test_openssl_verifies_our_signatures(tmp_path: Path, kind: str, attached: bool) -> None:
    if (openssl := shutil.which("openssl")) is None:
        pytest.skip(NO_PROGRAM)
    identity = rsa_identity("signer") if kind == "rsa" else ec_identity("signer")
    (tmp_path / "root.pem").write_bytes(identity.certificate.public_bytes(Encoding.PEM))
    (tmp_path / "body").write_bytes(BODY)
    if attached:
        message = cms.sign(BODY, identity.certificate, identity.key, chain=(rsa_identity("other").certificate,))
    else:
        message = cms.sign_detached(BODY, identity.certificate, identity.key, digest="sha256", attributes=True)
    (tmp_path / "message").write_bytes(message)
    for program in ("cms", "smime"):
        content = [] if attached else ["-content", "body"]
        command = [openssl, program, "-verify", "-in", "message", "-inform", "DER", "-CAfile", "root.pem", *content]
        command += ["-purpose", "any", "-binary"]
        ended = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
        assert ended.returncode == 0, ended.stderr
        assert ended.stdout == BODY


@pytest.mark.parametrize("options", [[], ["-noattr"], ["-md", "sha1"], ["-stream", "-indef"], ["-keyid"]], ids=str)
def test_signatures_of_openssl_are_verified(tmp_path: Path, options: list[str]) -> None:
    if (openssl := shutil.which("openssl")) is None:
        pytest.skip(NO_PROGRAM)
    identity = rsa_identity("device")
    pem = identity.certificate.public_bytes(Encoding.PEM)
    pem += identity.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "identity.pem").write_bytes(pem)
    (tmp_path / "body").write_bytes(BODY)
    command = [openssl, "cms", "-sign", "-binary", "-in", "body", "-signer", "identity.pem", "-outform", "DER"]
    message = subprocess.run([*command, *options], cwd=tmp_path, capture_output=True, check=True).stdout
    # A stream has its content inside, in pieces.
    attached = "-stream" in options
    signature = cms.parse_attached(message) if attached else cms.parse_detached(message)
    assert signature.content == (BODY if attached else None)
    signature.verify(BODY, identity.certificate.public_key())
    assert signature.fingerprint == hashlib.sha256(identity.certificate.public_bytes(Encoding.DER)).digest()


def test_a_bundle_has_its_certificates() -> None:
    members = (rsa_identity("device").certificate, ec_identity("device").certificate)
    assert cms.certificates(cms.bundle(*members)) == [member.public_bytes(Encoding.DER) for member in members]
