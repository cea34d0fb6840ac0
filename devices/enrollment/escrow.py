"""The profile by which a Mac hands its FileVault recovery key over, encrypted for a certificate of the tenant's own.

It is not a part of the enrollment profile, which is the same for all devices: an iPhone does not know its payload.
"""

import hashlib
import plistlib
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from cryptography.hazmat.primitives.serialization import Encoding

from access.models import Tenant
from devices.enrollment.authorities import Purpose, authority
from devices.models import MdmAuthority
from devices.wire import cms

ESCROW, CERTIFICATE = "com.apple.security.FDERecoveryKeyEscrow", "com.apple.security.pkcs1"
IDENTIFIER = "{host}.filevault"


def escrow_profile(tenant: Tenant) -> bytes:
    """The signed profile with the tenant's certificate, which is made now if there is none. Raises SecretUnreadable."""
    recipient, signer = authority(tenant, Purpose.ESCROW), authority(tenant, Purpose.SIGNING)
    der = recipient.certificate.public_bytes(Encoding.DER)
    certificate = _payload(
        tenant,
        der,
        "certificate",
        PayloadType=CERTIFICATE,
        PayloadDisplayName="Certificate for recovery keys",
        PayloadCertificateFileName="filevault.cer",
        PayloadContent=der,
    )
    escrow = _payload(
        tenant,
        der,
        "escrow",
        PayloadType=ESCROW,
        PayloadDisplayName="FileVault recovery key",
        Location=f"{tenant.name} keeps the recovery key of this Mac.",
        EncryptCertPayloadUUID=certificate["PayloadUUID"],
    )
    profile = _payload(
        tenant,
        der,
        "",
        PayloadType="Configuration",
        PayloadDisplayName="FileVault recovery key",
        PayloadOrganization=tenant.name,
        PayloadDescription=f"Lets {tenant.name} keep the FileVault recovery key of this Mac.",
        PayloadScope="System",
        PayloadContent=[certificate, escrow],
    )
    return cms.sign(plistlib.dumps(profile), signer.certificate, signer.key)


def identifier_of(tenant: Tenant) -> str:
    """The identifier of the profile on a Mac."""
    return IDENTIFIER.format(host=tenant.mdm_host)


def has_escrow(tenant: Tenant, profiles: Iterable[Mapping[str, Any]]) -> bool:
    """Whether the escrow profile of this server is among the profiles of a Mac."""
    return any(profile.get("identifier") == identifier_of(tenant) for profile in profiles)


def lacks_escrow(tenant: Tenant, profiles: Iterable[Mapping[str, Any]]) -> bool:
    """Whether a Mac with these profiles, as the details of a device have them, is to install the escrow profile.

    Not if another profile has such a payload: a Mac takes one alone.
    """
    identifier = identifier_of(tenant)
    escrows = [profile for profile in profiles if ESCROW in (profile.get("payload_types") or ())]
    if any(profile.get("identifier") != identifier for profile in escrows):
        return False
    row = MdmAuthority.objects.filter(tenant=tenant, purpose=Purpose.ESCROW, retired_at=None).first()
    return row is None or all(profile.get("uuid") != _uuid(tenant, bytes(row.certificate), "") for profile in escrows)


def _payload(tenant: Tenant, der: bytes, part: str, **content: Any) -> dict[str, Any]:
    return {
        "PayloadVersion": 1,
        "PayloadIdentifier": identifier_of(tenant) + (part and f".{part}"),
        "PayloadUUID": _uuid(tenant, der, part),
        **content,
    }


def _uuid(tenant: Tenant, der: bytes, part: str) -> str:
    """One for each certificate: the list of profiles of a Mac says which one it has."""
    digest = hashlib.sha256(der).hexdigest()
    return str(uuid5(NAMESPACE_URL, f"mdm://{tenant.mdm_label}/filevault/{digest}/{part}")).upper()
