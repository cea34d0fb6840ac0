"""The enrollment profile, in Apple's format for configuration profiles, signed by the tenant.

Its identifiers and addresses are those of the tenant and never change: a device refuses a profile that replaces its
enrollment by one with another server, topic or identifier. What leads to a Blueprint is the ticket inside.
"""

import plistlib
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils import timezone

from access.models import Tenant
from devices.enrollment import tickets
from devices.enrollment.authorities import Purpose, authority
from devices.enrollment.enrollments import enrollment_of
from devices.models import AdeDevice, Blueprint, BlueprintRouting, Device, PushCertificate
from devices.wire import cms

ALL_ACCESS_RIGHTS = 8191  # the sum of Apple's AccessRights
KEY_BITS = 2048
IDENTIFIER = "{host}.enrollment"
# The second cannot be added to an enrollment later.
CAPABILITIES = ["com.apple.mdm.bootstraptoken", "com.apple.mdm.per-user-connections"]


class NoPushCertificate(ValidationError):
    """Without it a device could never be woken, and a later topic would be refused by the devices that are enrolled."""

    def __init__(self) -> None:
        super().__init__("Upload a push certificate first: it is what wakes the devices.")


def enrollment_profile(owner: Blueprint | BlueprintRouting, *, simulated: bool = False) -> bytes:
    """A signed .mobileconfig file that enrolls any number of devices under the owner's code.

    Raises ValidationError if the code is not active, and NoPushCertificate.
    """
    if not owner.enrollment_code_active:
        what = "this Blueprint" if isinstance(owner, Blueprint) else "the Blueprint routing"
        raise ValidationError(f"The enrollment code of {what} is not active.")
    return _signed(owner.tenant, tickets.issue(owner, simulated=simulated))


def automatic_profile(ade_device: AdeDevice, *, machine: str, simulated: bool = False) -> bytes:
    """The profile for a device that Apple has assigned, and that said `machine` of itself. Raises NoPushCertificate."""
    return _signed(ade_device.tenant, tickets.issue_automatic(ade_device, machine=machine, simulated=simulated))


def renewal_profile(device: Device) -> bytes:
    """The profile that gives an enrolled device a new certificate. Raises NoPushCertificate, and ValueError."""
    enrollment = enrollment_of(device)
    if enrollment is None:
        raise ValueError("The device is not enrolled.")
    ticket = tickets.issue_renewal(
        tenant_id=device.tenant_id,
        device_id=device.pk,
        enrollment_id=enrollment.pk,
        simulated=enrollment.simulated,
    )
    return _signed(device.tenant, ticket)


def return_profile(device: Device) -> bytes:
    """The profile with which an erased device comes back into its Blueprint. Raises NoPushCertificate."""
    return _signed(device.tenant, tickets.issue_return(device.blueprint, simulated=device.simulated))


def mdm_url(tenant: Tenant) -> str:
    """The address that the tenant's devices speak with."""
    return f"{settings.IRU_SCHEME}://{tenant.mdm_host}"


def push_certificate(tenant: Tenant) -> PushCertificate:
    """The push certificate that devices enroll with. Raises NoPushCertificate."""
    certificate = PushCertificate.objects.filter(tenant=tenant).exclude(certificate="").first()
    if certificate is None or certificate.not_after is None or certificate.not_after < timezone.now():
        raise NoPushCertificate
    return certificate


def _signed(tenant: Tenant, ticket: str) -> bytes:
    certificate = push_certificate(tenant)
    signer = authority(tenant, Purpose.SIGNING)
    return cms.sign(plistlib.dumps(_profile(tenant, ticket, certificate.topic)), signer.certificate, signer.key)


def _profile(tenant: Tenant, ticket: str, topic: str) -> dict[str, Any]:
    identity = _payload(
        tenant,
        "scep",
        PayloadType="com.apple.security.scep",
        PayloadDisplayName="Device identity",
        PayloadContent={
            "URL": f"{mdm_url(tenant)}/scep",
            "Name": tenant.name,
            "Subject": [[["O", tenant.name]], [["CN", "device"]]],
            "Challenge": ticket,
            "Key Type": "RSA",
            "Keysize": KEY_BITS,
            "Key Usage": 5,  # signing and encryption
            "KeyIsExtractable": False,
            "AllowAllAppsAccess": False,
            "Retries": 3,
            "RetryDelay": 10,
        },
    )
    management = _payload(
        tenant,
        "mdm",
        PayloadType="com.apple.mdm",
        PayloadDisplayName="Device management",
        IdentityCertificateUUID=identity["PayloadUUID"],
        Topic=topic,
        ServerURL=f"{mdm_url(tenant)}/connect",
        CheckInURL=f"{mdm_url(tenant)}/check-in",
        AccessRights=ALL_ACCESS_RIGHTS,
        SignMessage=True,
        CheckOutWhenRemoved=True,
        ServerCapabilities=CAPABILITIES,
    )
    return _payload(
        tenant,
        "",
        PayloadType="Configuration",
        PayloadDisplayName=f"{tenant.name} enrollment",
        PayloadOrganization=tenant.name,
        PayloadDescription=f"Lets {tenant.name} manage this device.",
        PayloadScope="System",
        PayloadRemovalDisallowed=False,
        PayloadContent=[identity, management],
    )


def _payload(tenant: Tenant, part: str, **content: Any) -> dict[str, Any]:
    identifier = IDENTIFIER.format(host=tenant.mdm_host) + (part and f".{part}")
    namespace: UUID = uuid5(NAMESPACE_URL, f"mdm://{tenant.mdm_label}")
    return {
        "PayloadVersion": 1,
        "PayloadIdentifier": identifier,
        "PayloadUUID": str(uuid5(namespace, part or "profile")).upper(),
        **content,
    }
