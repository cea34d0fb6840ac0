"""The enrollment profile at Apple, which tells a new device about the server that it enrolls with."""

from datetime import timedelta
from hashlib import sha256
from typing import Any

import orjson
from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from access.models import Tenant
from devices.enrollment.ade_lease import Lease
from devices.enrollment.apple import PAGE, AppleDevices
from devices.enrollment.profiles import NoPushCertificate, mdm_url, push_certificate
from devices.models import AdeDevice, AdeIntegration

SUCCESS, THROTTLED = "SUCCESS", "THROTTLED"
MOST_ATTEMPTS = 5  # after so many failures in a row, it tries once a day
PAUSE = timedelta(days=1)
OFF = "off"  # of IRU_ADE_PROFILE_URL: no profile is assigned
ASSIGNMENT = (
    "profile_uuid",
    "profile_status",
    "profile_assign_time",
    "last_assignment_status",
    "failed_assignment_attempts",
    "assignment_status_received_at",
)


def assign(lease: Lease, apple: AppleDevices) -> None:
    """Assign the integration's profile to each device that has another one or none.

    Does nothing while there is no address at which devices get their enrollment profile.
    """
    if profile_url(lease.started_with.tenant) is None:
        return
    profile_uuid, after = _defined(lease, apple), 0
    while True:
        devices = list(_unassigned(lease.started_with, profile_uuid).filter(pk__gt=after).order_by("pk")[:PAGE])
        if not devices:
            return
        after = devices[-1].pk
        answers = apple.assign_profile(profile_uuid, [device.serial_number for device in devices])
        _record(lease, devices, profile_uuid, answers)


def profile_url(tenant: Tenant) -> str | None:
    """The address at which the tenant's devices get their enrollment profile: that of IRU_ADE_PROFILE_URL, or our own.

    None with the setting `off`, and without a push certificate of Apple's: a device that gets no profile at the address
    stops in Setup Assistant, and one that can never be woken must not enroll.
    """
    if setting := settings.IRU_ADE_PROFILE_URL:
        return None if setting == OFF else setting.replace("{subdomain}", tenant.subdomain)
    try:
        certificate = push_certificate(tenant)
    except NoPushCertificate:
        return None
    return None if certificate.simulated else own_url(tenant)


def own_url(tenant: Tenant) -> str:
    return f"{mdm_url(tenant)}/enroll"


def profile_of(integration: AdeIntegration) -> dict[str, Any]:
    """Return the profile in the format of Apple's service."""
    tenant = integration.tenant
    url = profile_url(tenant) or own_url(tenant)
    return {
        "profile_name": f"{tenant.name} enrollment",
        "url": url,
        "org_magic": str(integration.uuid),
        "is_supervised": True,
        "is_mandatory": True,
        "is_mdm_removable": False,
        # A server that does not know of it would leave its devices in Setup Assistant for ever.
        "await_device_configured": url == own_url(tenant),
        "support_phone_number": integration.phone,
        "support_email_address": integration.email,
    }


def _defined(lease: Lease, apple: AppleDevices) -> str:
    """Return Apple's id of the profile. The profile is defined again if its content changed."""
    with transaction.atomic():
        integration = lease.locked()
    profile = profile_of(integration)
    digest = sha256(orjson.dumps(profile)).hexdigest()
    if integration.profile_uuid and integration.profile_digest == digest:
        return integration.profile_uuid
    profile_uuid = apple.define_profile(profile)
    with transaction.atomic():
        integration = lease.locked()
        integration.profile_uuid, integration.profile_digest = profile_uuid, digest
        integration.save(update_fields=["profile_uuid", "profile_digest"])
    return profile_uuid


def _unassigned(integration: AdeIntegration, profile_uuid: str) -> "QuerySet[AdeDevice]":
    lacking = Q(profile_status__in=(AdeDevice.ProfileStatus.EMPTY, AdeDevice.ProfileStatus.REMOVED))
    rested = Q(assignment_status_received_at__lt=timezone.now() - PAUSE)
    return integration.devices.filter(
        lacking | ~Q(profile_uuid=profile_uuid), Q(failed_assignment_attempts__lt=MOST_ATTEMPTS) | rested
    )


@transaction.atomic
def _record(lease: Lease, devices: list[AdeDevice], profile_uuid: str, answers: dict[str, str]) -> None:
    integration, now = lease.locked(), timezone.now()
    rows = list(integration.devices.select_for_update().filter(pk__in=[device.pk for device in devices]))
    for row in rows:
        row.last_assignment_status = answers.get(row.serial_number, "NO_ANSWER")
        row.assignment_status_received_at = now
        if row.last_assignment_status == SUCCESS:
            row.profile_uuid, row.profile_status = profile_uuid, AdeDevice.ProfileStatus.ASSIGNED
            row.profile_assign_time, row.failed_assignment_attempts = now, 0
        elif row.last_assignment_status != THROTTLED:
            row.failed_assignment_attempts += 1
    AdeDevice.objects.bulk_update(rows, ASSIGNMENT, batch_size=100)
