"""Machine information that is forged, copied, or of somebody else: nobody gets an enrollment profile for it."""

import hashlib
import plistlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone
from pytest_django import Settings

from access.attempts import WINDOW
from access.models import CountedAttempt, Tenant
from devices.enrollment import machine_issuers
from devices.enrollment.ade_profiles import own_url
from devices.enrollment.machine_issuers import apple_issuer, issue_simulated, simulated_issuers
from devices.mdm import automatic
from devices.mdm.simulator.device import SimulatedDevice
from devices.mdm.simulator.enrolling import Identity, NotEnrolled
from devices.mdm.simulator.setup_assistant import MACHINE, activate, machine_information, signed
from devices.models import AdeIntegration, Device, Enrollment, PushCertificate, UsedTicket
from devices.wire import cms
from tests.devices.mdm.assigned import assign, enroll
from tests.devices.mdm.conftest import KEYS, NewDevice, stored, transport
from tests.devices.mdm.test_hostile import ticket_in, with_ticket
from tests.factories.devices import AdeTokenFactory, PushCertificateFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def device(new_device: NewDevice, listing: AdeIntegration) -> SimulatedDevice:
    """A device that Apple has assigned, and that was activated."""
    device = new_device(enrolled=False)
    assign(device, listing)
    device.activation = activate(device, issue_simulated)
    return device


def post(device: SimulatedDevice, tenant: Tenant, body: bytes, *, content_type: str = MACHINE) -> int:
    return device.post(own_url(tenant), content_type, body).status


def words(device: SimulatedDevice, **changed: Any) -> bytes:
    """What the device says, signed, with some of it changed before it is signed."""
    assert device.activation is not None
    return signed(machine_information(device) | changed, device.activation)


def issued_by(issuer: x509.Name, key: rsa.RSAPrivateKey, *, signer: rsa.RSAPrivateKey) -> Identity:
    """A certificate that names an issuer, and is signed by a key."""
    now = datetime.now(UTC).replace(microsecond=0)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "device")]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
    )
    return Identity(builder.sign(signer, SHA256()), key)


def test_what_an_honest_device_gets(device: SimulatedDevice, tenant: Tenant) -> None:
    for digest in ("sha1", "sha256"):
        assert device.activation is not None
        body = signed(machine_information(device), device.activation, digest=digest)
        answer = device.post(own_url(tenant), MACHINE, body)
        assert (answer.status, answer.headers["Content-Type"]) == (200, "application/x-apple-aspen-config")
    assert not CountedAttempt.objects.exists()


@pytest.mark.parametrize(
    "body", [b"", b"nothing", plistlib.dumps({"SERIAL": "x"}), bytes(1000)], ids=["empty", "text", "plist", "zeros"]
)
def test_a_body_that_is_no_signature(device: SimulatedDevice, tenant: Tenant, body: bytes) -> None:
    assert post(device, tenant, body) == 400


def test_requests_in_another_form(device: SimulatedDevice, tenant: Tenant) -> None:
    assert post(device, tenant, words(device), content_type="application/xml") == 400
    assert post(device, tenant, b"\x30" * (64 * 1024 + 1)) == 413
    assert transport("GET", "/enroll", {"Host": tenant.mdm_host}, b"").status == 405
    assert transport("POST", "/enroll", {"Host": "nobody.mdm.iru.test", "Content-Type": MACHINE}, b"x").status == 404
    Tenant.objects.filter(pk=tenant.pk).update(active=False)
    assert post(device, tenant, words(device)) == 404


def test_a_signature_over_other_words(device: SimulatedDevice, tenant: Tenant, listing: AdeIntegration) -> None:
    """The serial number of another device that Apple has assigned is put into what a device has signed."""
    other = device.serial_number[:-1] + "9"
    assign(device, listing, serial_number=other)
    body = words(device)
    assert post(device, tenant, body.replace(device.serial_number.encode(), other.encode())) == 400
    assert post(device, tenant, body) == 200


def test_words_outside_the_signature(device: SimulatedDevice, tenant: Tenant) -> None:
    assert device.activation is not None
    plist = plistlib.dumps(machine_information(device))
    detached = cms.sign_detached(plist, device.activation.certificate, device.activation.key, indefinite=False)
    assert post(device, tenant, detached) == 400


def test_a_signature_by_another_key_than_the_certificate_names(device: SimulatedDevice, tenant: Tenant) -> None:
    assert device.activation is not None
    forged = Identity(device.activation.certificate, KEYS(3072))
    assert post(device, tenant, signed(machine_information(device), forged)) == 400


@pytest.mark.parametrize("whose", ["apple", "simulated"])
def test_a_certificate_that_only_names_the_authority(device: SimulatedDevice, tenant: Tenant, whose: str) -> None:
    issuer = apple_issuer() if whose == "apple" else simulated_issuers()[0]
    forged = issued_by(issuer.name, KEYS(2048), signer=KEYS(3072))
    assert post(device, tenant, signed(machine_information(device), forged)) == 400


def test_a_certificate_whose_private_key_is_published(
    device: SimulatedDevice, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert device.activation is not None
    key = device.activation.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    monkeypatch.setattr(machine_issuers, "PUBLISHED", {hashlib.sha256(key).hexdigest()})
    assert post(device, tenant, words(device)) == 400
    monkeypatch.undo()
    assert post(device, tenant, words(device)) == 200


def test_a_chain_that_the_message_brings_itself(device: SimulatedDevice, tenant: Tenant) -> None:
    """An authority in the message is no authority, whatever it is called."""
    key, name = KEYS(3072), apple_issuer().name
    forged, authority = issued_by(name, KEYS(2048), signer=key), issued_by(name, key, signer=key)
    plist = plistlib.dumps(machine_information(device))
    body = cms.sign(plist, forged.certificate, forged.key, chain=(authority.certificate,))
    assert post(device, tenant, body) == 400


def test_a_simulated_device_where_real_ones_enroll(device: SimulatedDevice, tenant: Tenant) -> None:
    PushCertificate.objects.filter(tenant=tenant).update(simulated=False)
    assert post(device, tenant, words(device)) == 400


def test_a_tenant_without_a_push_certificate(device: SimulatedDevice, tenant: Tenant, settings: Settings) -> None:
    PushCertificate.objects.filter(tenant=tenant).update(not_after=timezone.now())
    assert post(device, tenant, words(device)) == 503


def test_a_serial_number_that_apple_has_not_assigned(
    device: SimulatedDevice, tenant: Tenant, other_tenant: Tenant
) -> None:
    assert post(device, tenant, words(device, SERIAL="C02STRANGER")) == 400
    PushCertificateFactory.create(tenant=other_tenant, simulated=True)
    assign(device, AdeTokenFactory.create(tenant=other_tenant), serial_number="C02THEIRS")
    assert post(device, tenant, words(device, SERIAL="C02THEIRS")) == 400
    assert post(device, other_tenant, words(device)) == 400
    assert post(device, other_tenant, words(device, SERIAL="c02theirs")) == 200


@pytest.mark.parametrize(
    "changed",
    [
        {"SERIAL": ""},
        {"UDID": ""},
        {"SERIAL": 5},
        {"SERIAL": "C" * 101},
        {"UDID": ["x"]},
        {"PRODUCT": "Watch6,1"},
        {"PRODUCT": ""},
    ],
)
def test_words_that_no_managed_device_says(device: SimulatedDevice, tenant: Tenant, changed: dict[str, Any]) -> None:
    assert post(device, tenant, words(device, **changed)) == 400


def test_words_that_are_no_property_list(device: SimulatedDevice, tenant: Tenant) -> None:
    assert device.activation is not None
    for content in (b"", b"{}", plistlib.dumps(["SERIAL"]), plistlib.dumps({}, fmt=plistlib.FMT_BINARY)):
        body = cms.sign(content, device.activation.certificate, device.activation.key)
        assert post(device, tenant, body) == 400


# --- What was good once -----------------------------------------------------------------------------------------------


def test_copied_machine_information(device: SimulatedDevice, tenant: Tenant, new_device: NewDevice) -> None:
    body = words(device)
    enroll(device, tenant)
    assert device.connect()
    assert post(device, tenant, body) == 400
    assert Enrollment.objects.count() == 1
    # What the same device says with another certificate, or of another system, is no copy.
    assert post(device, tenant, words(device, OS_VERSION="27.0")) == 200
    device.activation = activate(device, issue_simulated)
    assert post(device, tenant, words(device)) == 200


def test_a_profile_that_was_fetched_before_the_device_enrolled(
    device: SimulatedDevice, tenant: Tenant, new_device: NewDevice
) -> None:
    kept = device.post(own_url(tenant), MACHINE, words(device)).body
    enroll(device, tenant)
    device.connect()
    thief = new_device(enrolled=False)
    thief.serial_number = device.serial_number
    with pytest.raises(NotEnrolled, match="400"):
        thief.enroll(kept)
    assert Enrollment.objects.get().udid == device.udid


def test_a_profile_is_for_one_device_and_one_use(
    device: SimulatedDevice, tenant: Tenant, new_device: NewDevice
) -> None:
    kept = device.post(own_url(tenant), MACHINE, words(device)).body
    with pytest.raises(NotEnrolled, match="400"):
        new_device(enrolled=False).enroll(kept)  # a device with another serial number
    assert not Enrollment.objects.exists()
    with pytest.raises(NotEnrolled, match="BAD_REQUEST"):
        device.enroll(kept)  # the ticket was used
    assert UsedTicket.objects.count() == 1
    assert not Device.objects.exists()


def test_a_profile_of_yesterday(device: SimulatedDevice, tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = device.post(own_url(tenant), MACHINE, words(device)).body
    later = timezone.now() + timedelta(minutes=61)
    monkeypatch.setattr(timezone, "now", lambda: later)
    with pytest.raises(NotEnrolled, match="BAD_REQUEST"):
        device.enroll(kept)


def test_a_device_that_apple_took_away_with_its_profile_in_hand(device: SimulatedDevice, tenant: Tenant) -> None:
    kept = device.post(own_url(tenant), MACHINE, words(device)).body
    device.install(kept)
    tenant.ade_devices.all().delete()
    with pytest.raises(NotEnrolled, match="400"):
        device.authenticate()
    device.activation = activate(device, issue_simulated)
    assert post(device, tenant, words(device)) == 400


def test_a_profile_for_another_tenant(device: SimulatedDevice, tenant: Tenant, other_tenant: Tenant) -> None:
    kept = device.post(own_url(tenant), MACHINE, words(device)).body
    PushCertificateFactory.create(tenant=other_tenant, simulated=True)
    assign(device, AdeTokenFactory.create(tenant=other_tenant))
    elsewhere = device.post(own_url(other_tenant), MACHINE, words(device)).body
    with pytest.raises(NotEnrolled, match="BAD_REQUEST"):
        device.enroll(with_ticket(elsewhere, ticket_in(kept)))


# --- Limits -----------------------------------------------------------------------------------------------------------


def test_too_many_failures_from_one_address(
    device: SimulatedDevice, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(automatic, "MOST", 3)
    for _ in range(3):
        assert post(device, tenant, words(device)) == 200
        assert post(device, tenant, b"nothing") == 400
    assert post(device, tenant, words(device)) == 503
    CountedAttempt.objects.update(at=timezone.now() - timedelta(minutes=6))
    assert post(device, tenant, words(device)) == 200


def test_thirty_failures_a_minute_are_too_many() -> None:
    assert automatic.MOST / WINDOW.total_seconds() * 60 == 30


# --- Authorities ------------------------------------------------------------------------------------------------------


def test_apples_authority_is_the_pinned_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert apple_issuer().name.rfc4514_string() == "CN=Apple iPhone Device CA,OU=Apple iPhone,O=Apple Inc.,C=US"
    apple_issuer.cache_clear()
    monkeypatch.setattr(machine_issuers, "ROOT", "0" * 64)
    with pytest.raises(ValueError, match="pinned root"):
        apple_issuer()
    monkeypatch.undo()
    apple_issuer.cache_clear()


def test_an_authority_above_the_one_of_devices_vouches_for_nobody() -> None:
    chain = x509.load_pem_x509_certificates(machine_issuers.APPLE.read_bytes())
    assert [apple_issuer().has_issued(certificate) for certificate in chain] == [False, False, False]


def test_an_authority_of_the_operator(
    device: SimulatedDevice, tenant: Tenant, settings: Settings, tmp_path: Any
) -> None:
    PushCertificate.objects.filter(tenant=tenant).update(simulated=False)
    key = KEYS(3072)
    authority = issued_by(apple_issuer().name, key, signer=key)
    device.activation = issued_by(authority.certificate.subject, KEYS(2048), signer=key)
    assert post(device, tenant, words(device)) == 400
    file = tmp_path / "authorities.pem"
    file.write_bytes(authority.certificate.public_bytes(Encoding.PEM))
    settings.IRU_ADE_AUTHORITIES = str(file)
    device.enroll_automatically(own_url(tenant), issue_simulated)
    assert not stored(device).simulated


@pytest.mark.parametrize("content", [None, "nothing"])
def test_a_file_of_authorities_that_is_none(settings: Settings, tmp_path: Any, content: str | None) -> None:
    file = tmp_path / "authorities.pem"
    if content is not None:
        file.write_text(content)
    settings.IRU_ADE_AUTHORITIES = str(file)
    with pytest.raises(ImproperlyConfigured, match="IRU_ADE_AUTHORITIES"):
        machine_issuers.real_issuers()
