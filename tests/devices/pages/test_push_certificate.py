"""Settings → Apple push certificate: each of its states, the files that it gives and takes, and what it refuses."""

import plistlib
from base64 import b64decode
from collections.abc import Callable
from datetime import timedelta
from typing import Any

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
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from access.models import Role, Tenant
from devices.mdm.simulator.authority import Authority
from devices.models import Enrollment, PushCertificate
from tests.devices.pages.browsing import HTMX, SignIn, newest, on, text

pytestmark = pytest.mark.django_db
PAGE = "/settings/push-certificate/"
TOPIC = "com.apple.mgmt.External.1b3f2c7e-52f9-4f1d-9d06-6a4f27f1f8a4"

type Issue = Callable[..., bytes]


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def issue(authority: Authority) -> Issue:
    """`issue(request)`: the certificate that Apple makes of a request in PEM."""

    def issue(request: bytes, topic: str = TOPIC, **options: timedelta) -> bytes:
        public = x509.load_pem_x509_csr(request).public_key()
        assert isinstance(public, rsa.RSAPublicKey)
        return authority.issue(public, topic, **options).public_bytes(Encoding.PEM)

    return issue


def request_of(client: Client, **data: str) -> bytes:
    answer = client.post(f"{PAGE}request/", data)
    assert answer["Content-Disposition"] == "attachment;filename=accuhive-push-certificate.csr"
    return answer.content


def upload(client: Client, content: bytes, headers: dict[str, str] | None = None, **changes: Any) -> Any:
    form = {"file": SimpleUploadedFile("MDM_Certificate.pem", content), "apple_account": "mdm@accuhive.test"}
    return client.post(f"{PAGE}upload/", form | changes, headers=headers or HTMX)


def test_a_certificate_comes_in_three_steps(tenant: Tenant, sign_in: SignIn, issue: Issue) -> None:
    client = sign_in(Role.ADMIN)
    shown = text(client.get(PAGE))
    assert "1. Download the request" in shown
    assert "identity.apple.com/pushcert" in shown
    assert "Make a new request" not in shown
    request = request_of(client)
    assert newest(tenant).summary == "Push certificate requested"
    shown = text(client.get(PAGE))
    assert "Request waits" in shown
    assert "Download it again" in shown
    answer = upload(client, issue(request), on(PAGE))
    assert (answer.status_code, answer["HX-Refresh"]) == (204, "true")
    shown = text(client.get(PAGE))
    assert "In use" in shown
    assert TOPIC in shown
    assert "364 days left" in shown
    assert "mdm@accuhive.test" in shown
    assert "1. Download the request" not in shown
    assert "1. Download the request" in text(client.get(f"{PAGE}?renew"))


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_an_upload_leads_back_to_the_page(
    sign_in: SignIn, tenant: Tenant, issue: Issue, headers: dict[str, str]
) -> None:
    client = sign_in()
    answer = upload(client, issue(request_of(client)), headers)
    assert answer.get("Location") == PAGE or answer.get("HX-Redirect") == PAGE
    assert newest(tenant).summary == "Push certificate uploaded"
    assert "The push certificate is in use, until " in text(client.get(PAGE))


def test_a_request_that_waits_is_the_same_until_a_new_one_is_asked_for(sign_in: SignIn, issue: Issue) -> None:
    client = sign_in()
    first = request_of(client)
    assert request_of(client) == first
    second = request_of(client, new="1")
    assert second != first
    answer = upload(client, issue(first))
    assert (answer.status_code, "made from another request than the last one" in text(answer)) == (422, True)
    assert upload(client, issue(second)).status_code == 200


def test_a_wrong_file_is_explained_at_its_field(tenant: Tenant, sign_in: SignIn, issue: Issue) -> None:
    client = sign_in()
    answer = upload(client, b"x")
    assert "Make a request first, and have Apple sign it." in text(answer)
    request = request_of(client)
    for content, refusal in (
        (b"x", "This file has no certificate in it that can be read."),
        (request, "This is the request. Upload the certificate that Apple makes of it"),
        (b"", "This file is empty."),
        (b"x" * 65_537, "A certificate file has no more than 64 KB."),
        (issue(request, age=timedelta(days=400)), "This certificate expired on "),
        (issue(request, "com.apple.push"), "This is no certificate of Apple for device management"),
    ):
        answer = upload(client, content)
        assert (answer.status_code, refusal in text(answer)) == (422, True), refusal
    assert "Choose a file." in text(client.post(f"{PAGE}upload/", {}, headers=HTMX))
    assert "This is no e-mail address." in text(upload(client, issue(request), apple_account="nobody"))
    assert upload(client, b"x" * 200_000).status_code == 413
    assert not PushCertificate.objects.exclude(certificate="").exists()


def test_the_password_is_asked_for_again(tenant: Tenant, sign_in: SignIn, issue: Issue) -> None:
    client = sign_in(recently=False, password="a password of the test")
    content = issue(request_of(client))
    assert "Confirm your password" in text(client.get(f"{PAGE}upload/", headers=HTMX))
    assert "Enter your password to go on." in text(upload(client, content))
    assert "That is not your password." in text(upload(client, content, password="x"))
    assert not PushCertificate.objects.exclude(certificate="").exists()
    upload(client, content, password="a password of the test")
    assert PushCertificate.objects.get().topic == TOPIC


def test_a_certificate_of_another_device_management_is_imported(
    tenant: Tenant, sign_in: SignIn, authority: Authority, key: rsa.RSAPrivateKey
) -> None:
    client = sign_in()
    certificate = authority.issue(key.public_key(), TOPIC)
    content = pkcs12.serialize_key_and_certificates(b"", key, certificate, None, BestAvailableEncryption(b"opens it"))

    def post(password: str) -> Any:
        data = {"file": SimpleUploadedFile("old.p12", content), "file_password": password, "apple_account": ""}
        return client.post(f"{PAGE}import/", data, headers=on(PAGE))

    refused = post("another")
    assert (refused.status_code, "The password is wrong, or this is not a .p12 file." in text(refused)) == (422, True)
    assert 'id="id_file_password_error"' in text(refused)
    assert post("opens it").status_code == 204
    assert PushCertificate.objects.get().topic == TOPIC
    assert "Not noted" in text(client.get(PAGE))


def test_a_request_is_signed_with_a_vendor_certificate(
    tenant: Tenant, sign_in: SignIn, authority: Authority, key: rsa.RSAPrivateKey
) -> None:
    client = sign_in()
    chain = authority.issue(key.public_key(), "vendor").public_bytes(Encoding.PEM) + authority.pem
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def post(vendor: bytes, vendor_key: bytes) -> Any:
        files = {"vendor": SimpleUploadedFile("v.pem", vendor), "vendor_key": SimpleUploadedFile("v.key", vendor_key)}
        return client.post(f"{PAGE}sign/", files)

    for files, field, refusal in (
        ((b"x", secret), "vendor", "This file has no certificate in it that can be read."),
        ((chain, b"x"), "vendor_key", "The private key cannot be read"),
    ):
        refused = post(*files)
        assert (refused.status_code, refusal in text(refused)) == (422, True)
        assert f'id="id_{field}_error"' in text(refused)
    assert not tenant.audit_events.filter(target_type="push_certificate").exists()  # no request was made for it
    signed = post(chain, secret)
    assert signed["Content-Disposition"] == "attachment;filename=accuhive-push-certificate.plist"
    inside = b64decode(plistlib.loads(b64decode(signed.content))["PushCertRequestCSR"])
    assert inside == x509.load_pem_x509_csr(request_of(client)).public_bytes(Encoding.DER)


def test_the_states_of_a_certificate(tenant: Tenant, sign_in: SignIn, issue: Issue) -> None:
    client = sign_in()
    upload(client, issue(request_of(client)))
    Enrollment.objects.create(
        tenant=tenant, udid="1", state=Enrollment.State.ENROLLED, created_at=timezone.now(), simulated=True
    )
    row, now = PushCertificate.objects.filter(tenant=tenant), timezone.now()
    warnings = ("expires in", "expired on", "refuses the push certificate")

    def shown(badge: str, warning: str = "", **changes: Any) -> str:
        row.update(**changes)
        page = text(client.get(PAGE))
        assert badge in page
        assert [each for each in warnings if each in page] == [warning] * bool(warning)
        assert (warning in text(client.get("/overview/"))) is True
        return page

    assert "<dt>Enrolled devices</dt><dd>1</dd>" in shown("In use")
    shown("In use", not_after=now + timedelta(days=61))
    page = shown("Ends soon", "expires in", not_after=now + timedelta(days=59, hours=1))
    assert "59 days left" in page
    assert "Choose <em>Renew</em> beside the certificate" in page
    assert "expires in 1 day." in shown("Ends soon", "expires in", not_after=now + timedelta(days=1, hours=1))
    shown("Refused by Apple", "refuses the push certificate", error="BadCertificate", error_at=now)
    shown("Expired", "expired on", not_after=now - timedelta(days=1))
    page = shown("Simulated", simulated=True)
    assert "Apple does not know it" in page
    assert "expired on" not in text(sign_in(Role.AUDITOR).get("/overview/"))


def test_a_key_that_cannot_be_read_is_said(
    tenant: Tenant, sign_in: SignIn, issue: Issue, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = sign_in()
    content = issue(request_of(client))
    PushCertificate.objects.update(pending_key_number=7)
    answer = upload(client, content)
    assert (answer.status_code, "The private key of the request cannot be read" in text(answer)) == (422, True)


def test_the_page_of_another_tenant_is_its_own(tenant: Tenant, other_tenant: Tenant, sign_in: SignIn) -> None:
    PushCertificate.objects.create(tenant=other_tenant, pending_request="theirs", requested_at=timezone.now())
    client = sign_in()
    assert "Request waits" not in text(client.get(PAGE))
    assert b"theirs" not in request_of(client)
    assert PushCertificate.objects.get(tenant=other_tenant).pending_request == "theirs"


def test_the_navigation_has_the_page_for_those_who_may_open_it(tenant: Tenant, sign_in: SignIn) -> None:
    link = f'href="{PAGE}"'
    assert link in text(sign_in(Role.ADMIN).get("/devices/"))
    assert link not in text(sign_in(Role.STANDARD).get("/devices/"))
