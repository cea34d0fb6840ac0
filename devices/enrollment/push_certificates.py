"""The tenant's push certificate: requested here, signed by Apple, renewed every year by the same Apple account.

Private keys are encrypted at rest and bound to their rows.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_der_private_key
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from access.audit.events import Actor, Target, log_event
from access.models import AuditEvent, Tenant
from access.sealing import newest_key, rewrap_rows, seal, unseal
from devices.models import Enrollment, PushCertificate
from devices.wire.envelopes import Recipient
from devices.wire.push_certificates import (
    PushIdentity,
    certificate_for_answers,
    check_certificate,
    make_request,
    read_p12,
    wrap_request,
)

OTHER_TOPIC = (
    "This certificate has another topic than the one that devices are enrolled with (number of devices: {number}), "
    "which would never be woken again. Renew the certificate at Apple under the account it was made with, instead of "
    "creating a new one."
)
NOT_REQUESTED = "Make a request first, and have Apple sign it."


@dataclass(frozen=True, slots=True)
class PushKey:
    """What a connection to Apple's push service needs. `version` changes with the certificate."""

    version: str
    topic: str
    certificate: x509.Certificate
    key: RSAPrivateKey


def push_certificate(tenant: Tenant) -> PushCertificate:
    """The tenant's row, or one that is not saved and empty."""
    return PushCertificate.objects.filter(tenant=tenant).first() or PushCertificate(tenant=tenant)


@transaction.atomic
def request_certificate(*, tenant: Tenant, actor: Actor) -> str:
    """Make a new key, and return the request for its certificate in PEM. A certificate in use stays in use.

    An earlier request that Apple has not signed is replaced: its certificate could not be uploaded any more.
    """
    key, request = make_request(tenant.name)
    row = _locked(tenant)
    row.pending_request = request.public_bytes(Encoding.PEM).decode()
    row.pending_key_number, row.pending_ciphertext = seal(_plain(key), *_place(tenant.pk, row.pending_request))
    row.requested_at = timezone.now()
    row.save()
    _log(tenant, actor, AuditEvent.Action.CREATE, "Push certificate requested", {})
    return row.pending_request


@transaction.atomic
def waiting_request(*, tenant: Tenant, actor: Actor) -> str:
    """The request in PEM that waits for Apple's certificate, made now if there is none."""
    return _locked(tenant).pending_request or request_certificate(tenant=tenant, actor=actor)


def pending_recipient(tenant: Tenant) -> Recipient:
    """The key of the request that waits, with a certificate by which others encrypt for it.

    It is the same one each time, as far as an envelope names it. Raises a ValidationError without a request, and
    SecretUnreadable.
    """
    row = push_certificate(tenant)
    if row.pending_ciphertext is None or row.pending_key_number is None or row.requested_at is None:
        raise ValidationError(NOT_REQUESTED)
    key = _key(row.pending_key_number, row.pending_ciphertext, _place(tenant.pk, row.pending_request))
    request = x509.load_pem_x509_csr(row.pending_request.encode())
    return Recipient(certificate_for_answers(request, key, now=row.requested_at), key)


@transaction.atomic
def signed_request(
    *,
    tenant: Tenant,
    actor: Actor,
    vendor: bytes,
    vendor_key: bytes,
    password: str = "",
    request: Callable[..., str] = waiting_request,
) -> bytes:
    """A request in the form that identity.apple.com takes, signed by a vendor. The vendor's key is not stored.

    Raises a ValidationError of `vendor` or `vendor_key`, and then makes no request.
    """
    csr = x509.load_pem_x509_csr(request(tenant=tenant, actor=actor).encode())
    secret = password.encode() or None
    return wrap_request(csr, vendor=vendor, vendor_key=vendor_key, password=secret, now=timezone.now())


@transaction.atomic
def upload_certificate(*, tenant: Tenant, content: bytes, apple_account: str, actor: Actor) -> PushCertificate:
    """Store the certificate that Apple made of the last request, or of the one before it for a renewal.

    Raises a ValidationError of `file`, and SecretUnreadable.
    """
    row = _locked(tenant)
    keys = []
    if row.pending_ciphertext is not None and row.pending_key_number is not None:
        keys.append(_key(row.pending_key_number, row.pending_ciphertext, _place(tenant.pk, row.pending_request)))
    if row.ciphertext is not None and row.key_number is not None:
        keys.append(_key(row.key_number, row.ciphertext, _place(tenant.pk, row.certificate)))
    if not keys:
        raise ValidationError({"file": NOT_REQUESTED})
    refusal: ValidationError | None = None
    for key in keys:
        try:
            return _store(row, check_certificate(content, key, now=timezone.now()), apple_account, actor)
        except ValidationError as error:
            refusal = refusal or error
    assert refusal is not None  # noqa: S101 - there was a key
    raise refusal


@transaction.atomic
def import_certificate(
    *, tenant: Tenant, content: bytes, password: str, apple_account: str, actor: Actor
) -> PushCertificate:
    """Store a certificate with its key, from another device management. Raises a ValidationError of its fields."""
    return _store(_locked(tenant), read_p12(content, password, now=timezone.now()), apple_account, actor)


@transaction.atomic
def store_simulated(*, tenant: Tenant, identity: PushIdentity, actor: Actor) -> PushCertificate:
    """Store a certificate of a simulated push service. Raises ValidationError if there is one of Apple."""
    row = _locked(tenant)
    if row.certificate and not row.simulated:
        raise ValidationError("The tenant has a push certificate of Apple.")
    return _store(row, identity, "", actor, simulated=True)


def push_key(row: PushCertificate) -> PushKey:
    """The certificate in use with its key. Raises SecretUnreadable."""
    assert row.ciphertext is not None and row.key_number is not None  # noqa: PT018, S101 - a constraint of the table
    return PushKey(
        version=hashlib.sha256(row.certificate.encode()).hexdigest(),
        topic=row.topic,
        certificate=x509.load_pem_x509_certificate(row.certificate.encode()),
        key=_key(row.key_number, row.ciphertext, _place(row.tenant_id, row.certificate)),
    )


@transaction.atomic
def rewrap(*, limit: int) -> int:
    """Re-encrypt up to `limit` private keys in use, and as many that wait, with the newest key: see `rewrap_rows`."""
    used = PushCertificate.objects.exclude(ciphertext=None).exclude(key_number=newest_key())
    waiting = PushCertificate.objects.exclude(pending_ciphertext=None).exclude(pending_key_number=newest_key())
    fields = ["pending_key_number", "pending_ciphertext"]
    return rewrap_rows(used, _reseal, limit=limit) + rewrap_rows(waiting, _reseal_waiting, limit=limit, fields=fields)


def _reseal(row: PushCertificate) -> None:
    place = _place(row.tenant_id, row.certificate)
    row.key_number, row.ciphertext = seal(unseal(row.key_number or 0, row.ciphertext or b"", *place), *place)


def _reseal_waiting(row: PushCertificate) -> None:
    place = _place(row.tenant_id, row.pending_request)
    plain = unseal(row.pending_key_number or 0, row.pending_ciphertext or b"", *place)
    row.pending_key_number, row.pending_ciphertext = seal(plain, *place)


def _locked(tenant: Tenant) -> PushCertificate:
    PushCertificate.objects.get_or_create(tenant=tenant)
    return PushCertificate.objects.select_for_update().get(tenant=tenant)


def _store(
    row: PushCertificate, identity: PushIdentity, apple_account: str, actor: Actor, *, simulated: bool = False
) -> PushCertificate:
    enrolled = Enrollment.objects.filter(tenant=row.tenant_id, state=Enrollment.State.ENROLLED)
    # Devices that the simulator enrolled come back with another certificate by themselves.
    if row.topic and row.topic != identity.topic and (number := enrolled.exclude(simulated=True).count()):
        raise ValidationError({"file": OTHER_TOPIC.format(number=f"{number:,}")})
    before: datetime | None = row.not_after
    row.certificate = identity.certificate.public_bytes(Encoding.PEM).decode()
    row.key_number, row.ciphertext = seal(_plain(identity.key), *_place(row.tenant_id, row.certificate))
    row.topic, row.not_after, row.simulated = identity.topic, identity.not_after, simulated
    row.apple_account = apple_account or row.apple_account
    row.uploaded_at, row.error, row.error_at = timezone.now(), "", None
    row.pending_request, row.pending_key_number, row.pending_ciphertext = "", None, None
    row.requested_at = row.reminded_days = None
    row.save()
    _log(
        row.tenant,
        actor,
        AuditEvent.Action.UPDATE if before else AuditEvent.Action.CREATE,
        "Push certificate renewed" if before else "Push certificate uploaded",
        {"topic": row.topic, "expires": identity.not_after.isoformat(), "apple_account": row.apple_account},
    )
    return row


def _log(tenant: Tenant, actor: Actor, action: AuditEvent.Action, summary: str, metadata: dict[str, str]) -> None:
    target = Target(tenant, "push_certificate", tenant.pk, "Apple push certificate")
    log_event(target=target, actor=actor, action=action, summary=summary, metadata=metadata)


def _plain(key: RSAPrivateKey) -> bytes:
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def _key(number: int, ciphertext: bytes | memoryview, place: tuple[object, ...]) -> RSAPrivateKey:
    key = load_der_private_key(unseal(number, ciphertext, *place), None)
    assert isinstance(key, RSAPrivateKey)  # noqa: S101 - nothing else is stored
    return key


def _place(tenant_id: int, belongs_to: str) -> tuple[object, ...]:
    # The certificate or request is a part of it: a key that is moved to another one does not decrypt there.
    return "devices_pushcertificate", "ciphertext", tenant_id, hashlib.sha256(belongs_to.encode()).hexdigest()
