"""`manage.py push_certificate`: request, upload, import and status, and what each refuses in one line."""

import plistlib
from base64 import b64decode
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from django.core.management import CommandError, call_command

from access.models import Tenant
from devices.mdm.simulator.authority import Authority
from devices.models import PushCertificate

pytestmark = pytest.mark.django_db
TOPIC = "com.apple.mgmt.External.1"

type Call = Callable[..., str]


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def call(tenant: Tenant) -> Call:
    """`call("status")`: what the command prints."""

    def call(*words: object) -> str:
        out = StringIO()
        call_command("push_certificate", *map(str, words), stdout=out, stderr=StringIO())
        return out.getvalue()

    return call


def refused(call: Call, *words: object) -> str:
    with pytest.raises(CommandError) as caught:
        call(*words)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def issued(authority: Authority, request: str) -> bytes:
    public = x509.load_pem_x509_csr(request.encode()).public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    return authority.issue(public, TOPIC).public_bytes(Encoding.PEM)


def test_from_the_request_to_the_certificate_in_use(call: Call, authority: Authority, tmp_path: Path) -> None:
    assert "There is no push certificate." in call("status")
    request = call("request")
    assert "waits for Apple's certificate" in call("status")
    (file := tmp_path / "MDM_Certificate.pem").write_bytes(issued(authority, request))
    told = call("upload", file, "--apple-account", "mdm@accuhive.test")
    assert f"Topic: {TOPIC}" in told
    assert "364 days from now" in told
    status = call("status")
    assert "Apple account: mdm@accuhive.test" in status
    assert "Devices enrolled with it: 0" in status
    assert "waits" not in status
    PushCertificate.objects.update(error="BadCertificate")
    assert refused(call, "status") == "Apple refused it: BadCertificate"


def test_a_request_that_a_vendor_signs(
    call: Call, authority: Authority, key: rsa.RSAPrivateKey, tmp_path: Path
) -> None:
    chain = authority.issue(key.public_key(), "vendor").public_bytes(Encoding.PEM) + authority.pem
    (vendor := tmp_path / "vendor.pem").write_bytes(chain)
    (wrong := tmp_path / "wrong.key").write_bytes(b"x")
    (secret := tmp_path / "vendor.key").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    first = call("request")
    assert refused(call, "request", "--vendor-cert", vendor) == "Give --vendor-cert and --vendor-key together."
    assert "The private key cannot be read" in refused(call, "request", "--vendor-cert", vendor, "--vendor-key", wrong)
    assert PushCertificate.objects.get().pending_request == first  # the request that waits is not lost by it
    signed = plistlib.loads(b64decode(call("request", "--vendor-cert", vendor, "--vendor-key", secret)))
    assert x509.load_der_x509_csr(b64decode(signed["PushCertRequestCSR"])).is_signature_valid


def test_a_certificate_is_imported_with_its_key(
    call: Call, authority: Authority, key: rsa.RSAPrivateKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = authority.issue(key.public_key(), TOPIC)
    content = pkcs12.serialize_key_and_certificates(b"", key, certificate, None, BestAvailableEncryption(b"opens it"))
    (file := tmp_path / "old.p12").write_bytes(content)
    module = "devices.management.commands.push_certificate.getpass"
    monkeypatch.setattr(module, lambda prompt: "another")
    assert "The password is wrong" in refused(call, "import", file)
    monkeypatch.setattr(module, lambda prompt: "opens it")
    assert f"Topic: {TOPIC}" in call("import", file)


def test_a_wrong_file_is_refused_in_one_line(call: Call, authority: Authority, tmp_path: Path) -> None:
    file = tmp_path / "file.pem"
    assert refused(call, "upload", file) == f"{file}: No such file or directory."
    file.write_bytes(b"x")
    assert "Make a request first" in refused(call, "upload", file)
    file.write_text(call("request"))
    assert "This is the request." in refused(call, "upload", file)
    other = Authority().issue(rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key(), TOPIC)
    file.write_bytes(other.public_bytes(Encoding.PEM))
    assert "made from another request" in refused(call, "upload", file)
    assert not PushCertificate.objects.exclude(certificate="").exists()


def test_the_tenant_is_named_where_there_are_several(call: Call, other_tenant: Tenant) -> None:
    assert refused(call, "status") == "Say which tenant: --tenant SUBDOMAIN."
    assert refused(call, "status", "--tenant", "nowhere") == "There is no tenant nowhere."
    call("request", "--tenant", other_tenant.subdomain)
    assert PushCertificate.objects.get().tenant == other_tenant
