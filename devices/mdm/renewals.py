"""Renewed certificates: each belongs to the enrollment whose ticket it was issued for, from its first message on."""

from django.db import transaction
from django.utils import timezone

from access.audit.events import log_event
from access.models import AuditEvent
from devices.enrollment import tickets
from devices.fleet import arrivals
from devices.fleet.targets import device_target
from devices.mdm.identity import Identity
from devices.mdm.refusals import MdmRefused
from devices.models import DeviceCertificate, Enrollment


def enrollment_of(identity: Identity, claimed: object) -> Enrollment:
    """The enrollment of the sender, which has to be that of the device that the message names. Raises MdmRefused.

    A renewed certificate that speaks for the first time takes the place of the former one.
    """
    if identity.enrollment is None and not identity.expired and isinstance(claimed, str):
        ticket = tickets.Ticket.from_json(identity.certificate.ticket)
        if ticket.purpose == tickets.Purpose.RENEWAL:
            _bind(identity, claimed)
    return identity.check_udid(claimed)


@transaction.atomic
def _bind(identity: Identity, udid: str) -> None:
    certificate = DeviceCertificate.objects.select_for_update().get(tenant=identity.tenant, pk=identity.certificate.pk)
    identity.certificate.enrollment = certificate.enrollment or bind_renewal(certificate, udid)


def bind_renewal(certificate: DeviceCertificate, udid: str) -> Enrollment:
    """Give a renewed certificate, which is locked, to the enrollment that its ticket was issued for.

    The former certificate works on for some days: a message that it signed may be on its way. Raises MdmRefused.
    """
    ticket, tenant = tickets.Ticket.from_json(certificate.ticket), certificate.tenant
    device = tenant.devices.select_for_update().filter(pk=ticket.device or 0).first()
    live = Enrollment.objects.select_for_update().filter(tenant=tenant, pk=ticket.enrollment or 0, device=device)
    enrollment = live.filter(state=Enrollment.State.ENROLLED).first()
    if device is None or enrollment is None or enrollment.udid != udid:
        raise MdmRefused("The certificate renews that of another device, or of one that has left.")
    now = timezone.now()
    enrollment.certificates.filter(superseded_at=None).exclude(pk=certificate.pk).update(superseded_at=now)
    certificate.enrollment = enrollment
    certificate.save(update_fields=["enrollment"])
    log_event(
        target=device_target(device),
        actor=arrivals.SYSTEM,
        action=AuditEvent.Action.UPDATE,
        summary="Device certificate renewed",
        metadata={"certificate": certificate.serial_number},
    )
    return enrollment
