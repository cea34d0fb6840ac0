"""Settings: the push certificate, from the request to the certificate in use, and the certificate authority."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from playwright.sync_api import Page, expect

from devices.mdm.simulator.authority import Authority
from tests.browser.keyboard import press
from tests.browser.servers import Server
from tests.browser.test_accessibility import Looks, once

pytestmark = pytest.mark.browser

PAGE = "/settings/push-certificate/"
TOPIC = "com.apple.mgmt.External.1b3f2c7e-52f9-4f1d-9d06-6a4f27f1f8a4"
CANNOT_REACH = "This server cannot reach devices yet."
FORGET = "from devices.models import PushCertificate; PushCertificate.objects.all().delete()"
MAKE_AUTHORITY = """
from access.models import Tenant
from devices.enrollment.authorities import Purpose, authority
authority(Tenant.objects.get(subdomain="accuhive"), Purpose.DEVICES)
"""

Visit = Callable[..., Page]


@pytest.fixture
def without(server: Server) -> Iterator[None]:
    """Other tests look at a server without a push certificate."""
    yield
    server.manage("shell", "-c", FORGET)


def upload(page: Page, file: Path) -> None:
    page.get_by_label("Certificate", exact=True).set_input_files(file)
    page.get_by_role("button", name="Upload").click()


@once
@pytest.mark.complaints("422 /settings/push-certificate/upload/")
def test_from_the_request_to_the_certificate_in_use(signed_in: Visit, without: None, tmp_path: Path) -> None:
    page = signed_in()
    look = Looks(page)
    page.goto("/devices/")
    page.locator("tbody .row-name a").first.click()
    page.get_by_role("link", name="Commands", exact=True).click()
    expect(page.get_by_text(CANNOT_REACH)).to_be_visible()
    commands = page.url
    page.get_by_role("link", name="Push certificate").click()
    expect(page).to_have_url(re.compile(f"{PAGE}$"))
    with page.expect_download() as started:
        page.get_by_role("button", name="Download request").click()
    assert started.value.suggested_filename == "accuhive-push-certificate.csr"
    request = Path(started.value.path()).read_bytes()
    page.reload()
    expect(page.get_by_role("button", name="Download it again")).to_be_visible()
    look("a request that waits")
    page.get_by_role("link", name="Upload certificate").click()
    (wrong := tmp_path / "request.pem").write_bytes(request)
    upload(page, wrong)
    expect(page.locator(".field .field-error")).to_contain_text("This is the request.")
    look("an upload that is refused")
    page.get_by_label("Apple account").fill("mdm@accuhive.example")
    public = x509.load_pem_x509_csr(request).public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    (file := tmp_path / "MDM_Certificate.pem").write_bytes(Authority().issue(public, TOPIC).public_bytes(Encoding.PEM))
    upload(page, file)
    expect(page.get_by_text("In use", exact=True)).to_be_visible()
    expect(page.get_by_text("364 days left")).to_be_visible()
    expect(page.get_by_text("mdm@accuhive.example", exact=True)).to_be_visible()
    expect(page.locator("code", has_text=TOPIC)).to_be_visible()
    expect(page.get_by_text("The push certificate is in use, until")).to_be_visible()
    page.get_by_role("link", name="Renew").click()
    expect(page.get_by_role("heading", name="Renew the certificate")).to_be_visible()
    look("a certificate in use, and its renewal")
    page.goto(commands)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.get_by_text(CANNOT_REACH)).to_have_count(0)
    assert not look.found, "\n".join(look.found)


@once
def test_the_certificate_authority_is_replaced_by_the_keyboard(signed_in: Visit, server: Server) -> None:
    server.manage("shell", "-c", MAKE_AUTHORITY)
    page = signed_in()
    page.goto(PAGE)
    card = page.get_by_role("region", name="Certificate authority")
    expect(card).to_contain_text("Valid until")
    replace = card.get_by_role("link", name="Replace the certificate authority")
    before = replace.get_attribute("href")
    press(page, f"a[href='{before}']")
    expect(page.locator("dialog[open]")).to_contain_text("Devices that are enrolled stay enrolled")
    look = Looks(page)
    look("the dialog")
    press(page, "dialog button[type=submit]")
    expect(page.get_by_role("status").filter(has_text="A new certificate authority")).to_be_visible()
    expect(replace).not_to_have_attribute("href", str(before))
    assert not look.found, "\n".join(look.found)
