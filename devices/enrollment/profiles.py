"""The enrollment profile that a person installs manually, in Apple's configuration profile format."""

import plistlib
from typing import Any
from urllib.parse import urlencode
from uuid import NAMESPACE_URL, UUID, uuid5

from django.core.exceptions import ValidationError

from devices.models import Blueprint

ALL_ACCESS_RIGHTS = 8191  # the sum of Apple's AccessRights
KEY_BITS = 2048


def enrollment_profile(blueprint: Blueprint) -> bytes:
    """Return a .mobileconfig file (a property list) that enrolls a device into the blueprint.

    Raises ValidationError if the enrollment code is not active. The profile of a blueprint always has the same
    identifiers, so a second installation replaces the first.
    """
    if not blueprint.enrollment_code_active:
        raise ValidationError("The enrollment code of this Blueprint is not active.")
    tenant = blueprint.tenant
    # Devices use the MDM protocol on the same host as the tenant's API.
    mdm = f"{tenant.api_origin}/mdm"
    code = urlencode({"enrollment_code": blueprint.enrollment_code})
    identity = _payload(
        blueprint,
        "com.apple.security.scep",
        "Device identity",
        PayloadContent={
            "URL": f"{mdm}/scep?{code}",
            "Name": tenant.name,
            "Subject": [[["O", tenant.name]], [["CN", "%HardwareUUID%"]]],
            "Challenge": blueprint.enrollment_code,
            "Key Type": "RSA",
            "Keysize": KEY_BITS,
            "Key Usage": 5,  # signing and encryption
        },
    )
    management = _payload(
        blueprint,
        "com.apple.mdm",
        "Device management",
        IdentityCertificateUUID=identity["PayloadUUID"],
        # The topic of the tenant's push certificate belongs here. Until there is one, only the prefix is correct.
        Topic=f"com.apple.mgmt.External.{_id(NAMESPACE_URL, tenant.api_origin)}",
        ServerURL=f"{mdm}/commands",
        CheckInURL=f"{mdm}/check-in?{code}",
        AccessRights=ALL_ACCESS_RIGHTS,
        SignMessage=True,
        CheckOutWhenRemoved=True,
        ServerCapabilities=["com.apple.mdm.per-user-connections", "com.apple.mdm.bootstraptoken"],
    )
    profile = _payload(
        blueprint,
        "Configuration",
        f"{tenant.name} enrollment",
        PayloadOrganization=tenant.name,
        PayloadDescription=f"Lets {tenant.name} manage this device with the Blueprint {blueprint.name}.",
        PayloadScope="System",
        PayloadRemovalDisallowed=False,
        PayloadContent=[identity, management],
    )
    return plistlib.dumps(profile)


def _payload(blueprint: Blueprint, type: str, name: str, **content: Any) -> dict[str, Any]:
    return {
        "PayloadType": type,
        "PayloadVersion": 1,
        "PayloadIdentifier": f"{blueprint.tenant.subdomain}.enrollment.{blueprint.uuid}.{type}",
        "PayloadUUID": _id(blueprint.uuid, type),
        "PayloadDisplayName": name,
        **content,
    }


def _id(namespace: UUID, name: str) -> str:
    return str(uuid5(namespace, name)).upper()
