"""Push certificates: requests, and each way in which an uploaded file can be wrong."""

import plistlib
from base64 import b64decode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from django.core.exceptions import ValidationError

from devices.mdm.simulator.authority import Authority
from devices.wire import push_certificates as certificates
from devices.wire.push_certificates import check_certificate, make_request, read_p12, wrap_request
from tests.devices.mdm.push import TOPIC

pytestmark = pytest.mark.sqlite_only  # no database is in it

NOW = datetime.now(UTC)
PEM, DER = Encoding.PEM, Encoding.DER


@pytest.fixture(scope="module")
def certificate(authority: Authority, key: rsa.RSAPrivateKey) -> x509.Certificate:
    return authority.issue(key.public_key(), TOPIC)


@pytest.fixture(scope="module")
def other_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def key_pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, password: bytes = b"") -> bytes:
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(PEM, PrivateFormat.PKCS8, encryption)


def refusal(act: Callable[[], object]) -> dict[str, list[str]]:
    with pytest.raises(ValidationError) as caught:
        act()
    return caught.value.message_dict


def test_a_request_is_one_that_apple_accepts() -> None:
    key, request = make_request("Accuhive " * 20)
    public = request.public_key()
    assert public == key.public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    assert public.key_size == 2048
    assert request.is_signature_valid
    assert isinstance(request.signature_hash_algorithm, SHA256)


def vendor_file(authority: Authority, key: rsa.RSAPrivateKey, **options: timedelta) -> bytes:
    return authority.issue(key.public_key(), "vendor", **options).public_bytes(PEM)


@pytest.mark.parametrize("password", [b"", b"secret"])
@pytest.mark.parametrize("turned", [False, True])
def test_a_wrapped_request(authority: Authority, other_key: rsa.RSAPrivateKey, password: bytes, turned: bool) -> None:
    _, request = make_request("Accuhive")
    vendor = vendor_file(authority, other_key)
    unrelated = Authority("Unrelated").pem
    file = vendor + unrelated + authority.pem if turned else vendor + authority.pem
    wrapped = wrap_request(
        request, vendor=file, vendor_key=key_pem(other_key, password), password=password or None, now=NOW
    )
    content = plistlib.loads(b64decode(wrapped, validate=True))
    assert content.keys() == {"PushCertRequestCSR", "PushCertCertificateChain", "PushCertSignature"}
    assert content["PushCertCertificateChain"].encode() == vendor + authority.pem
    der = b64decode(content["PushCertRequestCSR"])
    assert der == request.public_bytes(DER)
    other_key.public_key().verify(b64decode(content["PushCertSignature"]), der, padding.PKCS1v15(), SHA256())


def test_a_vendor_certificate_that_is_wrong(
    authority: Authority, key: rsa.RSAPrivateKey, other_key: rsa.RSAPrivateKey
) -> None:
    _, request = make_request("Accuhive")
    good, good_key = vendor_file(authority, other_key) + authority.pem, key_pem(other_key)
    old = vendor_file(authority, other_key, age=timedelta(days=400)) + authority.pem

    def wrong(
        vendor: bytes = good, vendor_key: bytes = good_key, password: bytes | None = None
    ) -> dict[str, list[str]]:
        return refusal(lambda: wrap_request(request, vendor=vendor, vendor_key=vendor_key, password=password, now=NOW))

    assert wrong(vendor=b"x") == {"vendor": [certificates.NO_CERTIFICATE]}
    assert wrong(vendor=vendor_file(authority, other_key)) == {"vendor": [certificates.VENDOR_CHAIN]}
    assert wrong(vendor=vendor_file(authority, other_key) + Authority("Other").pem) == {
        "vendor": [certificates.VENDOR_CHAIN]
    }
    assert "The vendor certificate expired on " in wrong(vendor=old)["vendor"][0]
    assert wrong(vendor_key=key_pem(key)) == {"vendor_key": [certificates.VENDOR_KEY]}
    assert wrong(vendor_key=b"x") == {"vendor_key": [certificates.KEY_UNREADABLE]}
    assert wrong(vendor_key=key_pem(other_key, b"secret")) == {"vendor_key": [certificates.KEY_UNREADABLE]}
    assert wrong(vendor_key=key_pem(other_key, b"secret"), password=b"other") == {
        "vendor_key": [certificates.KEY_UNREADABLE]
    }
    assert wrong(vendor_key=key_pem(ec.generate_private_key(ec.SECP256R1()))) == {"vendor_key": [certificates.NOT_RSA]}


def test_an_uploaded_certificate(authority: Authority, key: rsa.RSAPrivateKey, certificate: x509.Certificate) -> None:
    pem = certificate.public_bytes(PEM)
    for content in (pem, certificate.public_bytes(DER), pem.replace(b"\n", b"\r\n"), authority.pem + pem):
        identity = check_certificate(content, key, now=NOW)
        assert (identity.certificate, identity.key, identity.topic) == (certificate, key, TOPIC)
        assert identity.not_after == certificate.not_valid_after_utc
        assert "PrivateKey" not in repr(identity)


def test_an_upload_that_is_no_certificate(
    authority: Authority, key: rsa.RSAPrivateKey, other_key: rsa.RSAPrivateKey, certificate: x509.Certificate
) -> None:
    def wrong(content: bytes) -> list[str]:
        return refusal(lambda: check_certificate(content, key, now=NOW))["file"]

    _, request = make_request("Accuhive")
    wrapped = wrap_request(
        request, vendor=vendor_file(authority, other_key) + authority.pem, vendor_key=key_pem(other_key), now=NOW
    )
    assert wrong(b"") == [certificates.NO_CERTIFICATE]
    assert wrong(b"x" * 65537) == [certificates.TOO_LARGE]
    assert wrong(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n") == [certificates.NO_CERTIFICATE]
    assert wrong(certificate.public_bytes(DER)[:-1]) == [certificates.NO_CERTIFICATE]
    assert wrong(request.public_bytes(PEM)) == [certificates.IS_REQUEST]
    assert wrong(wrapped) == [certificates.IS_REQUEST]
    assert wrong(key_pem(key)) == [certificates.IS_KEY]
    assert wrong(p12(key, certificate)) == [certificates.IS_P12]


def test_a_certificate_that_is_not_the_one(
    authority: Authority, key: rsa.RSAPrivateKey, other_key: rsa.RSAPrivateKey
) -> None:
    def wrong(issued: x509.Certificate) -> list[str]:
        return refusal(lambda: check_certificate(issued.public_bytes(PEM), key, now=NOW))["file"]

    public = key.public_key()
    assert wrong(authority.issue(other_key.public_key(), TOPIC)) == [certificates.OTHER_KEY]
    assert wrong(authority.certificate) == [certificates.OTHER_PURPOSE]
    for topic in ("com.example.app", "com.apple.mgmtX", "com.apple.mgmt.", "com.apple.mgmt.a\r\nb"):
        assert wrong(authority.issue(public, topic)) == [certificates.OTHER_PURPOSE]
    expired = authority.issue(public, TOPIC, age=timedelta(days=366))
    assert wrong(expired) == [certificates.EXPIRED.format(expired.not_valid_after_utc)]
    assert "This certificate is valid from " in wrong(authority.issue(public, TOPIC, age=-timedelta(days=1)))[0]


def p12(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | None,
    certificate: x509.Certificate | None,
    password: bytes = b"secret",
) -> bytes:
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    return pkcs12.serialize_key_and_certificates(b"push", key, certificate, None, encryption)


@pytest.mark.parametrize("password", ["secret", "", "pässwörd"])
def test_a_p12_file(key: rsa.RSAPrivateKey, certificate: x509.Certificate, password: str) -> None:
    identity = read_p12(p12(key, certificate, password.encode()), password, now=NOW)
    assert (identity.certificate, identity.topic) == (certificate, TOPIC)
    assert identity.key.private_numbers() == key.private_numbers()


def test_a_p12_file_that_is_wrong(authority: Authority, key: rsa.RSAPrivateKey, certificate: x509.Certificate) -> None:
    def wrong(content: bytes, password: str = "secret") -> dict[str, list[str]]:
        return refusal(lambda: read_p12(content, password, now=NOW))

    assert wrong(p12(key, certificate), "other") == {"password": [certificates.WRONG_PASSWORD]}
    assert wrong(p12(key, certificate), "") == {"password": [certificates.WRONG_PASSWORD]}
    assert wrong(b"x") == {"password": [certificates.WRONG_PASSWORD]}
    assert wrong(b"x" * 65537) == {"file": [certificates.TOO_LARGE]}
    assert wrong(p12(None, certificate)) == {"file": [certificates.NO_KEY]}
    assert wrong(p12(key, None)) == {"file": [certificates.NO_CERTIFICATE]}
    assert wrong(p12(ec.generate_private_key(ec.SECP256R1()), None)) == {"file": [certificates.NOT_RSA]}
    assert wrong(p12(key, authority.issue(key.public_key(), "com.example"))) == {"file": [certificates.OTHER_PURPOSE]}
    old = authority.issue(key.public_key(), TOPIC, age=timedelta(days=366))
    assert "This certificate expired on " in wrong(p12(key, old))["file"][0]
