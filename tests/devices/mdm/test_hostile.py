"""Devices that lie, and strangers."""

import base64
import plistlib
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from django.utils import timezone

from access.models import Tenant
from devices.blueprints.blueprints import update_blueprint
from devices.enrollment import tickets
from devices.enrollment.profiles import enrollment_profile, renewal_profile, return_profile
from devices.mdm.simulator.device import CHECK_IN, CONNECT, SimulatedDevice
from devices.mdm.simulator.enrolling import NotEnrolled, read_signed
from devices.mdm.simulator.enrolling import enrollment_profile as read_profile
from devices.models import Blueprint, DeviceCertificate, DeviceSeen, Enrollment
from devices.wire import cms, scep_client
from devices.wire.der import object_identifier
from tests.devices.mdm.conftest import KEYS, NewDevice, stored, transport
from tests.devices.sending import ACTOR, send
from tests.factories.devices import BlueprintFactory, PushCertificateFactory

pytestmark = pytest.mark.django_db
URL = "http://accuhive.mdm.iru.test/connect"


def idle(device: SimulatedDevice) -> bytes:
    return plistlib.dumps({"UDID": device.udid, "Status": "Idle"})


BOMB = b"""<?xml version="1.0"?><!DOCTYPE plist [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><plist><dict><key>UDID</key><string>&c;</string></dict></plist>"""


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nothing",
        BOMB,
        b"<plist version='1.0'><array/></plist>",
        b"<plist version='1.0'>" + b"<dict><key>a</key>" * 1000 + b"</dict>" * 1000 + b"</plist>",
        b"<plist version='1.0'><dict><key>UDID</key><string>" + b"A" * 100_000 + b"</string></dict></plist>",
        b"<plist version='1.0'><dict><key>UDID</key><integer>1</integer></dict></plist>",
        plistlib.dumps({"UDID": "x"}, fmt=plistlib.FMT_BINARY),
    ],
    ids=["empty", "text", "entities", "array", "deep", "long", "number", "binary"],
)
def test_a_body_that_is_no_message(new_device: NewDevice, body: bytes) -> None:
    device = new_device()
    assert device.put(URL, CONNECT, body).status == 400
    assert device.put(URL.replace("connect", "check-in"), CHECK_IN, body).status == 400
    assert device.say("Idle").status == 200


@pytest.mark.parametrize(
    "value", [["a"], {"a": 1}, 5, b"bytes", True, "é" * 1001], ids=lambda value: type(value).__name__
)
@pytest.mark.parametrize("field", ["Status", "CommandUUID"])
def test_a_field_of_another_type(new_device: NewDevice, field: str, value: Any) -> None:
    device = new_device()
    body = plistlib.dumps({"UDID": device.udid, "Status": "Idle", field: value})
    assert device.put(URL, CONNECT, body).status == 400


def test_a_signature_over_another_body(new_device: NewDevice) -> None:
    device = new_device()
    body = idle(device)
    assert device.put(URL, CONNECT, body + b" ", signature=device.sign(body)).status == 400
    assert device.put(URL, CONNECT, body, signature=device.sign(body)).status == 200


@pytest.mark.parametrize("signature", ["*", "MIAG", base64.b64encode(bytes(64)).decode(), "A" * 20_000, "é"])
def test_a_signature_that_is_none(new_device: NewDevice, signature: str) -> None:
    device = new_device()
    assert device.put(URL, CONNECT, idle(device), signature=signature).status == 400


def test_a_signature_with_its_content_inside(new_device: NewDevice) -> None:
    device = new_device()
    assert device.identity is not None
    body = idle(device)
    attached = cms.sign(body, device.identity.certificate, device.identity.key)
    assert device.put(URL, CONNECT, body, signature=base64.b64encode(attached).decode()).status == 400


def test_a_signature_by_two(new_device: NewDevice) -> None:
    from asn1crypto.cms import ContentInfo

    one, other = new_device(), new_device()
    body = idle(one)
    first, second = (
        ContentInfo.load(
            cms.sign_detached(body, device.identity.certificate, device.identity.key, indefinite=False)  # type: ignore[union-attr]
        )
        for device in (one, other)
    )
    signed = first["content"]
    signed["signer_infos"] = [signed["signer_infos"][0].copy(), second["content"]["signer_infos"][0].copy()]
    signed["certificates"] = [signed["certificates"][0].copy(), second["content"]["certificates"][0].copy()]
    both = base64.b64encode(ContentInfo({"content_type": "signed_data", "content": signed}).dump()).decode()
    assert one.put(URL, CONNECT, body, signature=both).status == 400


def test_a_certificate_that_was_not_issued_here(new_device: NewDevice) -> None:
    device = new_device()
    assert device.identity is not None
    name = device.identity.certificate.issuer
    stranger = scep_client.self_signed(KEYS(2048), name)
    signature = base64.b64encode(cms.sign_detached(idle(device), stranger.certificate, stranger.key)).decode()
    assert device.put(URL, CONNECT, idle(device), signature=signature).status == 400


def test_the_certificate_of_a_device_with_the_key_of_another(new_device: NewDevice) -> None:
    one, other = new_device(), new_device()
    assert one.identity is not None
    assert other.identity is not None
    forged = cms.sign_detached(idle(one), one.identity.certificate, KEYS(3072))
    assert one.put(URL, CONNECT, idle(one), signature=base64.b64encode(forged).decode()).status == 400


def test_the_certificate_of_another_tenant(new_device: NewDevice, other_tenant: Tenant) -> None:
    PushCertificateFactory.create(tenant=other_tenant)
    device = new_device()
    assert device.put("http://elsewhere.mdm.iru.test/connect", CONNECT, idle(device)).status == 400
    elsewhere = BlueprintFactory.create(tenant=other_tenant)
    foreign = new_device(enrolled=False)
    foreign.enroll(enrollment_profile(elsewhere))
    assert foreign.put(URL, CONNECT, idle(foreign)).status == 400
    assert foreign.say("Idle").status == 200


def test_a_ticket_of_another_tenant(new_device: NewDevice, other_tenant: Tenant, blueprint: Blueprint) -> None:
    elsewhere = BlueprintFactory.create(tenant=other_tenant)
    device = new_device(enrolled=False)
    with pytest.raises(NotEnrolled, match="BAD_REQUEST"):
        device.enroll(with_ticket(enrollment_profile(blueprint), tickets.issue(elsewhere)))


@pytest.mark.parametrize("ticket", ["", "123456", "v1.e30.AAAA", "v1..", "v2.e30.", "v1.é.é", "x" * 2000])
def test_a_challenge_that_is_no_ticket(new_device: NewDevice, blueprint: Blueprint, ticket: str) -> None:
    with pytest.raises(NotEnrolled):
        new_device(enrolled=False).enroll(with_ticket(enrollment_profile(blueprint), ticket))
    assert not DeviceCertificate.objects.exists()


def test_a_ticket_that_was_changed(new_device: NewDevice, blueprint: Blueprint) -> None:
    profile = enrollment_profile(blueprint)
    ticket = ticket_in(profile)
    version, body, signature = ticket.split(".")
    for changed in (f"{version}.{body[:-2]}AA.{signature}", f"{version}.{body}.{signature[:-2]}AA"):
        with pytest.raises(NotEnrolled, match="BAD_REQUEST"):
            new_device(enrolled=False).enroll(with_ticket(profile, changed))


def test_a_replayed_token_update(new_device: NewDevice, tenant: Tenant) -> None:
    device = new_device()
    body = plistlib.dumps(
        {
            "MessageType": "TokenUpdate",
            "UDID": device.udid,
            "Topic": "x",
            "Token": device.push_token,
            "PushMagic": device.push_magic,
        }
    )
    address = URL.replace("connect", "check-in")
    assert device.put(address, CHECK_IN, body).status == 200
    device.update_token(fresh=True)
    assert device.put(address, CHECK_IN, body).status == 400
    assert bytes(tenant.enrollments.get().token or b"") == device.push_token


def test_an_old_answer_that_is_sent_again(new_device: NewDevice) -> None:
    device = new_device()
    device.connect()
    row = send(stored(device), "restart_device").command
    body = plistlib.dumps({"UDID": device.udid, "Status": "Acknowledged", "CommandUUID": str(row.uuid).upper()})
    device.say("Idle")
    for _ in range(3):
        assert device.put(URL, CONNECT, body).status == 200
    row.refresh_from_db()
    assert (row.status, row.attempts) == (row.Status.COMPLETED, 1)


def test_an_answer_to_the_command_of_another_device(new_device: NewDevice) -> None:
    one, other = new_device(), new_device()
    row = send(stored(other), "restart_device").command
    assert one.say("Acknowledged", CommandUUID=str(row.uuid).upper()).status == 200
    row.refresh_from_db()
    assert row.status == row.Status.PENDING


def test_a_renewal_for_another_device(new_device: NewDevice, tenant: Tenant) -> None:
    one, other = new_device(), new_device()
    other.install(renewal_profile(stored(one)))  # anyone who holds the ticket gets a certificate
    assert other.check_in("TokenUpdate", Token=b"t" * 32, PushMagic="m").status == 400
    assert other.check_in("Authenticate", SerialNumber=other.serial_number, ProductName="Mac14,2").status == 400
    assert other.say("Idle").status == 400
    assert one.say("Idle").status == 200
    assert tenant.enrollments.filter(state=Enrollment.State.ENROLLED).count() == 2


@pytest.mark.parametrize("make", [renewal_profile, return_profile])
def test_a_ticket_for_one_use_is_used_once(new_device: NewDevice, make: Any) -> None:
    device = new_device()
    profile = make(stored(device))
    device.install(profile)
    with pytest.raises(NotEnrolled, match="BAD_REQUEST"):
        new_device(enrolled=False).install(profile)


def test_a_code_that_was_switched_off_between_the_certificate_and_the_first_message(
    new_device: NewDevice, blueprint: Blueprint
) -> None:
    device = new_device(enrolled=False)
    device.install(enrollment_profile(blueprint))
    update_blueprint(tenant=blueprint.tenant, blueprint_id=blueprint.uuid, actor=ACTOR, enrollment_code_active=False)
    with pytest.raises(NotEnrolled, match="400"):
        device.authenticate()


def test_a_code_that_changed_and_changed_back(new_device: NewDevice, blueprint: Blueprint) -> None:
    profile = enrollment_profile(blueprint)
    for active in (False, True):
        update_blueprint(
            tenant=blueprint.tenant, blueprint_id=blueprint.uuid, actor=ACTOR, enrollment_code_active=active
        )
    with pytest.raises(NotEnrolled, match="BAD_REQUEST"):
        new_device(enrolled=False).enroll(profile)


def test_a_spoofed_serial_number_under_the_setting(
    new_device: NewDevice, blueprint: Blueprint, settings: Any, tenant: Tenant
) -> None:
    settings.IRU_MDM_TAKE_OVER = "refuse"
    device = new_device()
    thief = new_device(enrolled=False)
    thief.serial_number = device.serial_number
    thief.install(enrollment_profile(blueprint))
    thief.authenticate()
    with pytest.raises(NotEnrolled, match="400"):
        thief.update_token()
    assert device.say("Idle").status == 200
    silent = timezone.now() - timedelta(days=2)
    tenant.devices.update(last_check_in=silent)
    DeviceSeen.objects.update(at=silent)
    thief.update_token()
    assert stored(device).udid == thief.udid


def test_a_revoked_certificate(new_device: NewDevice) -> None:
    device = new_device()
    DeviceCertificate.objects.update(revoked_at=timezone.now())
    assert device.say("Idle").status == 400


def test_a_former_certificate_long_after_its_successor(new_device: NewDevice) -> None:
    device = new_device()
    DeviceCertificate.objects.update(superseded_at=timezone.now() - timedelta(days=8))
    assert device.say("Idle").status == 400


@pytest.mark.parametrize("product", ["Watch6,1", "RealityDevice14,1", "iPod9,1", "", "PC"])
def test_hardware_that_is_not_managed_here(new_device: NewDevice, blueprint: Blueprint, product: str) -> None:
    device = new_device(enrolled=False)
    device.install(enrollment_profile(blueprint))
    facts = {"SerialNumber": device.serial_number, "ProductName": product}
    device.check_in("Authenticate", **facts)
    with pytest.raises(NotEnrolled, match="400"):
        device.update_token()
    assert not blueprint.tenant.devices.exists()


def test_scep_messages_that_are_none(mdm: Tenant) -> None:
    headers = {"Host": "accuhive.mdm.iru.test", "Content-Type": "application/x-pki-message"}
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    signer = scep_client.self_signed(KEYS(2048), name)
    for body in (
        b"\x30\x80" * 30_000,
        bytes(1000),
        object_identifier(cms.DATA),
        cms.sign(b"x", signer.certificate, signer.key),
    ):
        answer = transport("POST", "/scep?operation=PKIOperation", dict(headers), body)
        assert answer.status in {200, 400}
    assert not DeviceCertificate.objects.exists()


def test_too_many_failures_from_one_address(
    new_device: NewDevice, blueprint: Blueprint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devices.mdm.certificates.FROM_ADDRESS", 2)
    profile = enrollment_profile(blueprint)
    for _ in range(2):
        with pytest.raises(NotEnrolled, match="BAD_REQUEST"):
            new_device(enrolled=False).enroll(with_ticket(profile, "123456"))
    with pytest.raises(NotEnrolled, match="503"):
        new_device(enrolled=False).enroll(profile)


def ticket_in(profile: bytes) -> str:
    found = read_profile(read_signed(profile))
    assert found is not None
    return str(found.scep["Challenge"])


def with_ticket(profile: bytes, ticket: str) -> bytes:
    """The profile with another challenge, unsigned."""
    content = read_signed(profile)
    content["PayloadContent"][0]["PayloadContent"]["Challenge"] = ticket
    return plistlib.dumps(content)
