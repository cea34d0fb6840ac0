"""The tenant's push certificate: its renewal, the topic that it keeps, and its private keys at rest."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from django.core.exceptions import ValidationError
from django.utils import timezone
from pytest_django.fixtures import Settings

from access.audit.events import Actor
from access.models import AuditEvent, Tenant
from access.sealing import SecretUnreadable
from devices.enrollment import push_certificates as services
from devices.mdm.simulator.authority import Authority
from devices.models import Enrollment, PushCertificate

pytestmark = pytest.mark.django_db
ACTOR = Actor.command("test")
TOPIC, OTHER = "com.apple.mgmt.External.1", "com.apple.mgmt.External.2"

type Renew = Callable[..., PushCertificate]


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def renew(tenant: Tenant, authority: Authority) -> Renew:
    """`renew(topic)`: a request, and the upload of the certificate that Apple makes of it."""

    def renew(topic: str = TOPIC, *, of: Tenant = tenant, account: str = "", **options: timedelta) -> PushCertificate:
        request = x509.load_pem_x509_csr(services.request_certificate(tenant=of, actor=ACTOR).encode())
        public = request.public_key()
        assert isinstance(public, rsa.RSAPublicKey)
        content = authority.issue(public, topic, **options).public_bytes(Encoding.PEM)
        return services.upload_certificate(tenant=of, content=content, apple_account=account, actor=ACTOR)

    return renew


def enroll(tenant: Tenant, *, simulated: bool = False) -> None:
    state = Enrollment.State.ENROLLED
    Enrollment.objects.create(tenant=tenant, udid="1", state=state, created_at=timezone.now(), simulated=simulated)


def refusal(act: Callable[[], object]) -> dict[str, list[str]]:
    with pytest.raises(ValidationError) as caught:
        act()
    return caught.value.message_dict


def test_a_renewal_keeps_the_topic_and_the_account(tenant: Tenant, renew: Renew) -> None:
    old = services.push_key(renew(account="mdm@accuhive.test", age=timedelta(days=300)))
    PushCertificate.objects.update(error="Expired", error_at=timezone.now(), reminded_days=60)
    enroll(tenant)
    services.request_certificate(tenant=tenant, actor=ACTOR)
    waiting = PushCertificate.objects.get()
    assert services.push_key(waiting).version == old.version  # the one in use stays in use
    row = renew()
    row.refresh_from_db()
    new = services.push_key(row)
    assert new.topic == old.topic == row.topic
    assert new.version != old.version
    assert new.key.public_key() == new.certificate.public_key() != old.key.public_key()
    assert (row.apple_account, row.error, row.error_at, row.reminded_days) == ("mdm@accuhive.test", "", None, None)
    assert (row.pending_request, row.pending_ciphertext, row.requested_at) == ("", None, None)


def test_another_topic_is_refused_while_devices_are_enrolled(tenant: Tenant, renew: Renew) -> None:
    renew()
    enroll(tenant)
    assert "(number of devices: 1)" in refusal(lambda: renew(OTHER))["file"][0]
    assert PushCertificate.objects.get().topic == TOPIC
    Enrollment.objects.update(simulated=True)  # a simulated device comes back by itself
    assert renew(OTHER).topic == OTHER
    Enrollment.objects.update(simulated=False, state=Enrollment.State.OUT)
    assert renew(TOPIC).topic == TOPIC


def test_each_change_is_in_the_audit_trail(tenant: Tenant, renew: Renew) -> None:
    renew(account="mdm@accuhive.test")
    renew()
    events = AuditEvent.objects.filter(tenant=tenant, target_type="push_certificate").order_by("sequence")
    assert [event.summary for event in events] == [
        "Push certificate requested",
        "Push certificate uploaded",
        "Push certificate requested",
        "Push certificate renewed",
    ]
    last = events[3]
    assert last.metadata is not None
    assert (last.metadata["topic"], last.metadata["apple_account"]) == (TOPIC, "mdm@accuhive.test")
    assert not [event for event in events if "PRIVATE" in str(event.metadata)]


def test_both_keys_are_encrypted_again_with_a_newer_key(tenant: Tenant, renew: Renew, settings: Settings) -> None:
    before = services.push_key(renew())
    services.request_certificate(tenant=tenant, actor=ACTOR)
    settings.IRU_SECRET_KEYS = ["9:" + "4" * 64, *settings.IRU_SECRET_KEYS]
    assert [services.rewrap(limit=10), services.rewrap(limit=10)] == [2, 0]
    row = PushCertificate.objects.get()
    assert (row.key_number, row.pending_key_number) == (9, 9)
    assert services.push_key(row).key.private_numbers() == before.key.private_numbers()
    assert services.waiting_request(tenant=tenant, actor=ACTOR) == row.pending_request


def test_a_key_that_was_moved_does_not_decrypt(tenant: Tenant, other_tenant: Tenant, renew: Renew) -> None:
    ours, theirs = renew(), renew(of=other_tenant)
    theirs.ciphertext = ours.ciphertext
    with pytest.raises(SecretUnreadable):
        services.push_key(theirs)
    # Nor does it with its certificate, in the row of another tenant.
    theirs.certificate = ours.certificate
    with pytest.raises(SecretUnreadable):
        services.push_key(theirs)
    # Nor beside another certificate of its own tenant.
    ours.certificate = renew().certificate
    with pytest.raises(SecretUnreadable):
        services.push_key(ours)


def test_the_certificate_of_another_tenants_request_is_refused(
    tenant: Tenant, other_tenant: Tenant, authority: Authority
) -> None:
    services.request_certificate(tenant=tenant, actor=ACTOR)
    theirs = x509.load_pem_x509_csr(services.request_certificate(tenant=other_tenant, actor=ACTOR).encode())
    public = theirs.public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    content = authority.issue(public, TOPIC).public_bytes(Encoding.PEM)
    refused = refusal(
        lambda: services.upload_certificate(tenant=tenant, content=content, apple_account="", actor=ACTOR)
    )
    assert refused == {"file": ["This certificate was made from another request than the last one."]}
    assert not PushCertificate.objects.exclude(certificate="").exists()
