"""Automated Device Enrollment of a device: from its machine information to its place in the fleet."""

from contextlib import suppress
from datetime import timedelta
from typing import Any

from django.db.models.functions import Upper
from django.utils import timezone

from access import attempts
from access.addresses import network
from access.audit.security import SecurityEvent, report
from access.models import Tenant
from devices.commands.erase import EraseDevice
from devices.enrollment import profiles
from devices.enrollment.ade_devices import place_arrival
from devices.enrollment.enrollments import enrollment_of
from devices.enrollment.tickets import Ticket
from devices.fleet import arrivals, records
from devices.fleet.contact import newest_contact
from devices.fleet.facts import english
from devices.inventory.reports import Report, store_report
from devices.mdm.machines import Machine, read_machine
from devices.mdm.refusals import MdmRefused
from devices.models import AdeDevice, Blueprint, Device, PushCertificate

# Failures of an address within five minutes, after which it is not listened to: 30 a minute. Good requests are not
# counted, because a whole office may enroll from one address.
MOST = 150
SILENT = timedelta(hours=24)  # after that, the same words may bring a device back that was enrolled with them


def profile_for(tenant: Tenant, body: bytes, *, address: str) -> bytes:
    """The enrollment profile for the device that signed the body. Raises MdmRefused."""
    key = attempts.key_of("ade-enroll", network(address))
    try:
        attempts.check([key], MOST)
    except attempts.BeyondLimit:
        raise MdmRefused("There were too many failures.", status=503) from None
    try:
        machine = read_machine(body)
        row = _listed(tenant, machine)
        refuse_replay(tenant, machine.serial_number, machine.digest)
    except MdmRefused:
        with suppress(attempts.BeyondLimit):
            attempts.count([key], MOST)
        report(SecurityEvent.ENROLLMENT_REFUSED, address, tenant=tenant.subdomain)
        raise
    try:
        return profiles.automatic_profile(row, machine=machine.digest, simulated=machine.simulated)
    except profiles.NoPushCertificate:
        raise MdmRefused("The tenant has no push certificate.", status=503) from None


def check_machine(tenant: Tenant, ticket: Ticket, serial_number: str) -> None:
    """At the first message of a device with this ticket, raise MdmRefused unless it is the one that asked for it."""
    if serial_number.upper() != ticket.serial.upper():
        raise MdmRefused("The device has another serial number than the one that asked for the profile.")
    refuse_replay(tenant, ticket.serial, ticket.machine)


def refuse_replay(tenant: Tenant, serial_number: str, digest: str) -> None:
    """Raise MdmRefused for machine information with which a device is enrolled: somebody has kept a copy.

    A device that was told to erase itself, has left, or is silent for a day may come back with the same words; so may
    one that never connected, because it has not heard that it is enrolled.
    """
    devices = tenant.devices.alias(upper=Upper("serial_number")).filter(upper=serial_number.upper())
    device = devices.defer("record_json").select_related("seen").first()
    enrollment = enrollment_of(device) if device else None
    if device is None or enrollment is None or enrollment.enrolled_at is None or enrollment.session_at is None:
        return
    if not any(ticket.get("m") == digest for ticket in enrollment.certificates.values_list("ticket", flat=True)):
        return
    erased = device.commands.filter(
        command=EraseDevice.id, attempts__gt=0, date_requested__gte=enrollment.enrolled_at
    ).exists()
    seen = newest_contact(device)
    if not erased and seen is not None and timezone.now() - seen < SILENT:
        raise MdmRefused("A device is enrolled with the same machine information.")


def assigned_blueprint(tenant: Tenant, serial_number: str) -> Blueprint | None:
    """The Blueprint of the device that Apple has assigned; None if the routing chooses one."""
    row = tenant.ade_devices.with_serial(serial_number).complete().first()
    return row.live_blueprint if row else None


def complete(device: Device) -> None:
    """Give a locked device that has enrolled what was chosen for it, user and asset tag, and note how it came."""
    row = place_arrival(device)
    if row is None:
        return
    device.save(update_fields=["blueprint", "user", "asset_tag"])
    records.refresh_locked(device.pk)
    details: dict[str, Any] = {
        "mdm": {"supervised": english(True)},
        "automated_device_enrollment": {"auto_enroll_eligible": True, "auto_enrolled": True},
    }
    store_report(device, Report(details=details))
    if row.profile_status != AdeDevice.ProfileStatus.PUSHED:
        row.profile_status, row.profile_push_time = AdeDevice.ProfileStatus.PUSHED, timezone.now()
        row.save(update_fields=["profile_status", "profile_push_time"])


def _listed(tenant: Tenant, machine: Machine) -> AdeDevice:
    """What Apple's list has of the device. Raises MdmRefused for a device that it does not have, or has no longer."""
    if arrivals.platform_of(machine.product) is None:
        raise MdmRefused(f"{machine.product!r} is of no family that is managed here.")
    row = tenant.ade_devices.with_serial(machine.serial_number).complete().first()
    if row is None:
        raise MdmRefused("Apple has not assigned this serial number to the tenant.")
    if machine.simulated and not PushCertificate.objects.filter(tenant=tenant, simulated=True).exists():
        raise MdmRefused("The device is simulated, and the tenant has a push certificate for real ones.")
    return row
