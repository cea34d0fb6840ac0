"""Who sent a request: the certificate that signed its body, and the enrollment that the certificate belongs to."""

import base64
import binascii
from dataclasses import dataclass
from datetime import timedelta

from cryptography.x509 import load_der_x509_certificate
from django.utils import timezone

from access.compiled import Compiled
from access.models import Tenant
from devices.mdm.refusals import MdmRefused, Unrecognized
from devices.models import DeviceCertificate, Enrollment
from devices.wire import cms
from devices.wire.errors import Malformed

LONGEST_SIGNATURE = 16 * 1024  # characters; a certificate and a signature take some two thousand
FORMER = timedelta(days=7)  # so long a certificate works beside its successor
RETURN = timedelta(days=400)  # so long an expired certificate still fetches its successor

_KNOWN = Compiled(
    lambda label, digest: DeviceCertificate.objects.select_related("tenant", "enrollment").filter(
        tenant__mdm_label=label, tenant__active=True, sha256=digest
    )
)


@dataclass(frozen=True, slots=True)
class Identity:
    """`expired`: the device may only fetch a new certificate."""

    certificate: DeviceCertificate
    tenant: Tenant
    expired: bool

    @property
    def enrollment(self) -> Enrollment | None:
        return self.certificate.enrollment

    def check_udid(self, claimed: object) -> Enrollment:
        """The enrollment, which has to be that of the device that the message names. Raises MdmRefused."""
        enrollment = self.enrollment
        if enrollment is None:
            raise MdmRefused("The certificate belongs to no enrollment yet.")
        if claimed != enrollment.udid:
            raise MdmRefused("The message names another device than its certificate belongs to.")
        return enrollment


def identify(*, label: str, header: str, body: bytes) -> Identity:
    """The sender of a body, by the signature in `Mdm-Signature`. `label` is that of the tenant's host for devices.

    An unknown certificate costs one query and no cryptography. Raises MdmRefused, and Unrecognized for a device that
    was told to leave.
    """
    if not header or len(header) > LONGEST_SIGNATURE:
        raise MdmRefused("The request is not signed.")
    try:
        signature = cms.parse_detached(base64.b64decode(header, validate=True))
    except (binascii.Error, ValueError, Malformed) as error:
        raise MdmRefused(f"The signature cannot be read: {error}") from None
    certificate = _KNOWN.first(label=label, digest=signature.fingerprint.hex())
    if certificate is None:
        raise MdmRefused("The certificate is unknown.")
    now = timezone.now()
    if certificate.revoked_at is not None:
        raise MdmRefused("The certificate was revoked.")
    if certificate.superseded_at is not None and now > certificate.superseded_at + FORMER:
        raise MdmRefused("The certificate has a successor.")
    try:
        signature.verify(body, load_der_x509_certificate(signature.certificate).public_key())
    except cms.BadSignature:
        raise MdmRefused("The signature is of another body.") from None
    if now > certificate.not_after + RETURN:
        raise MdmRefused("The certificate expired long ago.")
    enrollment = certificate.enrollment
    if enrollment is not None and enrollment.state == Enrollment.State.EVICTED:
        raise Unrecognized
    return Identity(certificate, certificate.tenant, expired=now > certificate.not_after)
