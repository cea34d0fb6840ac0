"""Server token files: those that another program (OpenSSL) writes, and files that are not a token."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from django.core.exceptions import ValidationError

from access.models import Tenant
from access.sealing import SecretUnreadable
from devices.enrollment.ade_keys import open_server_token, public_key
from devices.enrollment.server_tokens import (
    LARGEST_FILE,
    OTHER_FILE,
    OTHER_KEY,
    TOO_LARGE,
    ServerToken,
    read_server_token,
)
from devices.models import AdeKeyPair
from tests.apple import CREDENTIALS, enveloped, server_token

FILES = Path(__file__).parent / "files"


def known(content: bytes) -> ServerToken:
    key = load_pem_private_key((FILES / "private_key.pem").read_bytes(), None)
    assert isinstance(key, RSAPrivateKey)
    return read_server_token(content, x509.load_pem_x509_certificate((FILES / "certificate.pem").read_bytes()), key)


def refusal(tenant: Tenant, content: bytes) -> str:
    with pytest.raises(ValidationError) as caught:
        open_server_token(tenant=tenant, content=content)
    assert list(caught.value.message_dict) == ["file"]
    return " ".join(caught.value.messages)


@pytest.mark.parametrize("name", ["aes128_der", "aes256_ber", "aes256_oaep", "des3_ber"])
def test_a_file_of_another_program_is_read(name: str) -> None:
    """Apple writes BER. The token has line breaks. The files were made by `openssl cms -encrypt -binary -stream`."""
    content = (FILES / f"{name}.p7m").read_bytes()
    assert (b"MIAG" in content) == name.endswith("_ber")
    for form in (content, content.replace(b"\r\n", b"\n"), content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")):
        token = known(form)
        assert token.access_token.get_secret_value() == "AT_known"
        assert token.access_token_expiry.isoformat() == "2126-11-01T12:00:00+00:00"


def test_a_file_that_is_signed_and_not_encrypted_is_refused() -> None:
    with pytest.raises(ValidationError, match="not a server token file"):
        known((FILES / "signed.p7m").read_bytes())


def test_the_tenants_own_token_is_read(tenant: Tenant) -> None:
    token = open_server_token(tenant=tenant, content=server_token(tenant))
    assert token.consumer_key.get_secret_value() == CREDENTIALS["consumer_key"]
    assert not any(value in f"{token} {token!r}" for value in CREDENTIALS.values())


def test_a_token_for_another_key_is_refused(tenant: Tenant, other_tenant: Tenant) -> None:
    theirs = server_token(other_tenant)
    assert refusal(tenant, theirs) == OTHER_KEY  # this tenant never had a key
    assert not AdeKeyPair.objects.filter(tenant=tenant).exists()
    public_key(tenant=tenant)
    assert refusal(tenant, theirs) == OTHER_KEY


def test_an_expired_token_is_refused(tenant: Tenant) -> None:
    message = refusal(tenant, server_token(tenant, expires=timedelta(seconds=-1)))
    assert message.startswith("This server token expired on ")


@pytest.mark.parametrize(
    "text",
    ["", "hello", "{}", "{", "[]", '{"consumer_key": 1}', '{"consumer_key": "CK", "access_token_expiry": "tomorrow"}'],
)
def test_an_encrypted_text_that_is_no_token_is_refused(tenant: Tenant, text: str) -> None:
    assert refusal(tenant, enveloped(tenant, text)) == OTHER_FILE


@pytest.mark.parametrize("part", [{"access_secret": ""}, {"access_token": None}, {"access_token_expiry": ""}])
def test_a_token_without_a_part_is_refused(tenant: Tenant, part: dict[str, Any]) -> None:
    assert refusal(tenant, server_token(tenant, **part)) == OTHER_FILE


def test_other_files_are_refused(tenant: Tenant) -> None:
    whole = server_token(tenant)
    others = [b"", b"\x00" * 500, b"0", b"\x30\x80" * 8_000, b"\x30\x82\xff\xff", b"Subject: x\r\n\r\nhello"]
    for content in (
        *others,
        whole[: len(whole) // 2],
        whole.replace(b"MII", b"MIJ"),
        public_key(tenant=tenant).encode(),
    ):
        assert refusal(tenant, content) == OTHER_FILE
    assert refusal(tenant, whole.ljust(LARGEST_FILE + 1)) == TOO_LARGE


def test_any_changed_byte_is_refused_and_never_an_error(tenant: Tenant) -> None:
    """CBC does not authenticate: a change in the text itself can be accepted, and gives the changed text."""
    whole, answers = server_token(tenant), set[object]()
    for position in range(0, len(whole), 37):
        damaged = bytearray(whole)
        damaged[position] ^= 1
        try:
            answers.add(type(open_server_token(tenant=tenant, content=bytes(damaged))))
        except ValidationError as error:
            answers.update(error.message_dict)
    assert answers <= {"file", ServerToken}
    assert "file" in answers


def test_the_key_pair_is_made_once_and_bound_to_its_tenant(tenant: Tenant, other_tenant: Tenant) -> None:
    certificate = x509.load_pem_x509_certificate(public_key(tenant=tenant).encode())
    assert public_key(tenant=tenant) == public_key(tenant=tenant)
    assert public_key(tenant=other_tenant) != public_key(tenant=tenant)
    assert certificate.public_key().key_size == 2048  # type: ignore[union-attr]
    assert (
        timedelta(days=3650) < certificate.not_valid_after_utc - certificate.not_valid_before_utc < timedelta(days=3654)
    )
    stolen = AdeKeyPair.objects.get(tenant=other_tenant)
    content = server_token(tenant)
    AdeKeyPair.objects.filter(tenant=tenant).update(ciphertext=stolen.ciphertext)
    with pytest.raises(SecretUnreadable):
        open_server_token(tenant=tenant, content=content)


def test_its_private_key_is_nowhere_in_clear(tenant: Tenant) -> None:
    public_key(tenant=tenant)
    pair = AdeKeyPair.objects.get(tenant=tenant)
    assert b"\x02\x03\x01\x00\x01" not in bytes(pair.ciphertext)  # the public exponent, in every private key
    event = tenant.audit_events.get(target_type="ade_key_pair")
    assert (event.summary, event.actor_type) == ("Key pair created", "system")
