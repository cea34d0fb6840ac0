"""Certificates for devices: a SCEP request with a ticket is answered with an identity."""

import hashlib
import logging

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding
from django.db import transaction

from access import attempts
from access.addresses import network
from access.audit.security import SecurityEvent, report
from access.models import Tenant
from devices.enrollment import authorities, tickets
from devices.enrollment.authorities import Purpose
from devices.mdm.refusals import MdmRefused
from devices.models import DeviceCertificate
from devices.wire import scep
from devices.wire.envelopes import Recipient
from devices.wire.errors import Malformed

# Failures within five minutes, after which requests are not looked into. Good requests are not counted: a whole office
# may enroll from one address.
FROM_ADDRESS, TO_TENANT = 50, 1000

logger = logging.getLogger(__name__)


def answer_request(tenant: Tenant, message: bytes, *, address: str) -> bytes:
    """The answer to a PKIOperation: a certificate, or a failure as SCEP has it.

    A request that is sent again gets the same certificate. Raises MdmRefused for a message without an answer, and for
    an address or a tenant with too many failures.
    """
    limits = _limits(tenant, address)
    for key, limit in limits.items():
        try:
            attempts.check([key], limit)
        except attempts.BeyondLimit:
            raise MdmRefused("There were too many failures.", status=503) from None
    recipients = [Recipient(each.certificate, each.key) for each in authorities.authorities(tenant, Purpose.DEVICES)]
    try:
        request = scep.read_request(message, recipients)
    except Malformed as error:
        _count(limits)
        raise MdmRefused(f"The SCEP request cannot be read: {error}") from None
    except scep.Refused as refused:
        _count(limits)
        return scep.failure(refused.envelope, refused.failure, recipients[0])
    try:
        certificate = _certificate(tenant, request)
    except tickets.TicketRefused as refused:
        _count(limits)
        report(SecurityEvent.ENROLLMENT_REFUSED, address, tenant=tenant.subdomain)
        logger.info("A ticket was refused: %s", refused)
        return scep.failure(request.envelope, scep.Failure.BAD_REQUEST, request.authority)
    return scep.success(request, x509.load_der_x509_certificate(certificate))


def _certificate(tenant: Tenant, request: scep.Request) -> bytes:
    ticket = tickets.read(request.challenge, tenant=tenant)
    digest = hashlib.sha256(request.csr.public_bytes(Encoding.DER)).hexdigest()
    made = DeviceCertificate.objects.filter(
        tenant=tenant, csr_sha256=digest, transaction_id=request.envelope.transaction, ticket=ticket.as_json()
    ).first()
    if made is not None:
        return bytes(made.certificate)
    tickets.check_alive(ticket, tenant=tenant)
    authority = authorities.authority(tenant, Purpose.DEVICES)
    key = request.csr.public_key()
    assert isinstance(key, RSAPublicKey)  # noqa: S101 - `read_request` refuses every other one
    with transaction.atomic():
        tickets.use(ticket, tenant=tenant)
        issued = authorities.issue(authority, key=key, tenant_name=tenant.name)
        DeviceCertificate.objects.create(
            tenant=tenant,
            authority=authority.row,
            serial_number=issued.serial_number,
            sha256=issued.sha256,
            certificate=issued.der,
            ticket=ticket.as_json(),
            transaction_id=request.envelope.transaction,
            csr_sha256=digest,
            not_before=issued.not_before,
            not_after=issued.not_after,
        )
    return issued.der


def _limits(tenant: Tenant, address: str) -> dict[str, int]:
    return {
        attempts.key_of("scep", network(address)): FROM_ADDRESS,
        attempts.key_of("scep-tenant", str(tenant.pk)): TO_TENANT,
    }


def _count(limits: dict[str, int]) -> None:
    for key, limit in limits.items():
        try:
            attempts.count([key], limit)
        except attempts.BeyondLimit:
            continue  # the next request meets the limit
