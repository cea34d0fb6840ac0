"""Envelopes: OpenSSL opens ours and we open its own, and all failures look the same."""

import contextlib
import shutil
import subprocess
from pathlib import Path
from random import Random

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.wire import ber, cms, der
from devices.wire.envelopes import CIPHERS, ENVELOPED_DATA, Recipient, Unopened, open_envelope, seal_envelope
from tests.deploy import NO_PROGRAM
from tests.devices.wire.identities import rsa_identity

pytestmark = pytest.mark.sqlite_only  # no database

CONTENT = b"a certificate request" * 20


def recipient(label: str = "authority") -> Recipient:
    identity = rsa_identity(label)
    return Recipient(identity.certificate, identity.key)


@pytest.mark.parametrize("cipher", CIPHERS)
@pytest.mark.parametrize("content", [b"", b"1234567", CONTENT], ids=len)
def test_the_recipient_opens_the_envelope(cipher: str, content: bytes) -> None:
    ours = recipient()
    sealed = seal_envelope(content, ours.certificate, cipher=cipher)
    opened = open_envelope(sealed, [recipient("older"), ours], single_des=True)
    assert opened == (content, ours, cipher)
    with pytest.raises(Unopened):
        open_envelope(sealed, [recipient("older")], single_des=True)


def test_single_des_is_not_opened_without_its_switch() -> None:
    ours = recipient()
    with pytest.raises(Unopened):
        open_envelope(seal_envelope(CONTENT, ours.certificate, cipher="des"), [ours])


def test_content_in_pieces_and_indefinite_lengths() -> None:
    ours = recipient()
    version, infos, body = cms.opened(ber.read(seal_envelope(CONTENT, ours.certificate)), ENVELOPED_DATA).children
    data, algorithm, encrypted = body.children
    pieces = [der.octets(encrypted.octets[at : at + 33]) for at in range(0, len(encrypted.octets), 33)]
    content = der.indefinite(0x30, data.encoded, algorithm.encoded, der.indefinite(0xA0, *pieces))
    enveloped = der.indefinite(0x30, version.encoded, infos.encoded, content)
    message = der.indefinite(0x30, der.object_identifier(ENVELOPED_DATA), der.indefinite(0xA0, enveloped))
    assert open_envelope(message, [ours]).content == CONTENT


def test_all_failures_are_the_same_error() -> None:
    ours = recipient()
    message = seal_envelope(CONTENT, ours.certificate)
    random, failures = Random(4711), set()
    for _ in range(300):
        damaged = bytearray(message)
        damaged[random.randrange(len(damaged))] ^= 1 << random.randrange(8)
        try:
            open_envelope(bytes(damaged), [ours])
        except Unopened as error:
            failures.add((str(error), repr(error), error.__cause__))
    for end in range(0, len(message), 11):
        with pytest.raises(Unopened):
            open_envelope(message[:end], [ours])
    assert failures == {("", "Unopened()", None)}


def test_a_key_with_a_wrong_padding_or_length_is_an_unopened_envelope() -> None:
    ours = recipient()
    message = seal_envelope(CONTENT, ours.certificate)
    shorter = seal_envelope(CONTENT, ours.certificate, cipher="aes128")
    key, other = (
        cms.opened(ber.read(each), ENVELOPED_DATA).children[1].children[0].children[3].contents
        for each in (message, shorter)
    )
    for instead in (b"\1" * len(key), b"\0" * len(key), b"\xff" * len(key), other):
        # One random key in 256 gives a padding that fits, and content without a meaning.
        with contextlib.suppress(Unopened):
            assert open_envelope(message.replace(key, instead), [ours]).content != CONTENT


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_an_unopened_envelope(data: bytes) -> None:
    head = der.object_identifier(ENVELOPED_DATA)
    for whole in (
        data,
        der.sequence(head, der.explicit(0, data)),
        der.sequence(head, der.explicit(0, der.sequence(data))),
    ):
        with pytest.raises(Unopened):
            open_envelope(whole, [recipient()])


@pytest.mark.parametrize(("option", "cipher"), [("-aes-128-cbc", "aes128"), ("-aes256", "aes256"), ("-des3", "3des")])
def test_openssl_opens_ours_and_we_open_its_own(tmp_path: Path, option: str, cipher: str) -> None:
    if (openssl := shutil.which("openssl")) is None:
        pytest.skip(NO_PROGRAM)
    ours = recipient()
    (tmp_path / "certificate.pem").write_bytes(ours.certificate.public_bytes(Encoding.PEM))
    (tmp_path / "key.pem").write_bytes(ours.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (tmp_path / "content").write_bytes(CONTENT)
    (tmp_path / "sealed").write_bytes(seal_envelope(CONTENT, ours.certificate, cipher=cipher))
    decrypt = [openssl, "cms", "-decrypt", "-in", "sealed", "-inform", "DER", "-inkey", "key.pem", "-recip"]
    ended = subprocess.run([*decrypt, "certificate.pem", "-binary"], cwd=tmp_path, capture_output=True, check=False)
    assert (ended.stdout, ended.returncode) == (CONTENT, 0), ended.stderr
    encrypt = [openssl, "cms", "-encrypt", "-binary", "-in", "content", "-outform", "DER", "-stream", option]
    theirs = subprocess.run([*encrypt, "certificate.pem"], cwd=tmp_path, capture_output=True, check=True).stdout
    assert open_envelope(theirs, [ours]) == (CONTENT, ours, cipher)
