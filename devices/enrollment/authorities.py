"""The tenant's own certificates: the authority of its devices, the signer of profiles, and the escrow of FileVault.

Private keys are encrypted at rest and bound to their rows. Each certificate is made at its first use.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_der_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from access.audit.events import Actor, Target, log_event
from access.models import AuditEvent, Tenant
from access.sealing import newest_key, rewrap_rows, seal, unseal
from devices.models import MdmAuthority

KEY_BITS = {MdmAuthority.Purpose.DEVICES: 3072}
OTHER_KEY_BITS = 2048
LIFETIME = timedelta(days=7305)  # twenty years
DEVICE_LIFETIME = timedelta(days=365)
SLOW_CLOCK = timedelta(hours=1)
SERIAL_BITS = 127
SYSTEM = Actor(AuditEvent.ActorType.SYSTEM, "", "MDM")

Purpose = MdmAuthority.Purpose


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate with its private key."""

    row: MdmAuthority
    certificate: x509.Certificate
    key: RSAPrivateKey


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate of a device, in DER, and what a row about it holds."""

    der: bytes
    serial_number: str
    sha256: str
    not_before: datetime
    not_after: datetime


def authority(tenant: Tenant, purpose: MdmAuthority.Purpose) -> Authority:
    """The tenant's certificate for a purpose, made now if there is none. Raises SecretUnreadable."""
    row = MdmAuthority.objects.filter(tenant=tenant, purpose=purpose, retired_at=None).first() or _make(tenant, purpose)
    return _opened(row)


def authorities(tenant: Tenant, purpose: MdmAuthority.Purpose) -> list[Authority]:
    """The tenant's certificates for a purpose, the active one first, then those that were replaced."""
    rows = MdmAuthority.objects.filter(tenant=tenant, purpose=purpose).order_by("retired_at", "-pk")
    ordered = sorted(rows, key=lambda row: row.retired_at is not None)
    return [_opened(row) for row in ordered] or [authority(tenant, purpose)]


def replace(*, tenant: Tenant, authority_id: int, actor: Actor) -> MdmAuthority:
    """Replace a certificate of the tenant. The certificates that it issued stay valid until they expire.

    Raises MdmAuthority.DoesNotExist, and ValidationError for one that was replaced before: a request that is sent twice
    replaces it once.
    """
    former = tenant.mdm_authorities.get(pk=authority_id)
    fresh = _fresh(tenant, Purpose(former.purpose))
    with transaction.atomic():
        _lock(tenant)
        former.refresh_from_db(fields=["retired_at"])
        if former.retired_at is not None:
            raise ValidationError("It was replaced already.")
        former.retired_at = timezone.now()
        former.save(update_fields=["retired_at"])
        return _store(fresh, actor, "replaced")


def issue(authority: Authority, *, key: RSAPublicKey, tenant_name: str) -> Issued:
    """Sign a certificate for the key of a device. Subject and extensions are ours, whatever the request says."""
    now = timezone.now().replace(microsecond=0)
    number = secrets.randbits(SERIAL_BITS) | 1 << (SERIAL_BITS - 1)  # one length for all
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, secrets.token_hex(16)),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, tenant_name[:64]),
        ]
    )
    usage = _usage(digital_signature=True, key_encipherment=True)
    issuer_key = authority.certificate.public_key()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(authority.certificate.subject)
        .public_key(key)
        .serial_number(number)
        .not_valid_before(now - SLOW_CLOCK)
        .not_valid_after(now + DEVICE_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False)  # type: ignore[arg-type]
        .sign(authority.key, SHA256())
    )
    der = certificate.public_bytes(Encoding.DER)
    sha256 = hashlib.sha256(der).hexdigest()
    return Issued(der, f"{number:x}", sha256, certificate.not_valid_before_utc, certificate.not_valid_after_utc)


def rewrap(*, limit: int) -> int:
    """Re-encrypt up to `limit` private keys that use an older key: see `rewrap_rows`."""
    return rewrap_rows(MdmAuthority.objects.exclude(key_number=newest_key()), _reseal, limit=limit)


def _reseal(row: MdmAuthority) -> None:
    row.key_number, row.ciphertext = seal(unseal(row.key_number, row.ciphertext, *_place(row)), *_place(row))


def _opened(row: MdmAuthority) -> Authority:
    der = bytes(row.certificate)
    # The cached key is looked up by its ciphertext, so a key that was encrypted again is read again.
    return Authority(row, x509.load_der_x509_certificate(der), _key(row.key_number, bytes(row.ciphertext), _place(row)))


@lru_cache(maxsize=64)
def _key(number: int, ciphertext: bytes, place: tuple[object, ...]) -> RSAPrivateKey:
    key = load_der_private_key(unseal(number, ciphertext, *place), None)
    assert isinstance(key, RSAPrivateKey)  # noqa: S101 - `_fresh` creates no other type
    return key


def _make(tenant: Tenant, purpose: MdmAuthority.Purpose) -> MdmAuthority:
    fresh = _fresh(tenant, purpose)  # outside the transaction, because other writers would wait for the key
    with transaction.atomic():
        _lock(tenant)  # of two that made one at once, the first with the lock stores its own for both
        stored = MdmAuthority.objects.filter(tenant=tenant, purpose=purpose, retired_at=None).first()
        return stored or _store(fresh, SYSTEM, "created")


def _lock(tenant: Tenant) -> None:
    Tenant.objects.select_for_update(no_key=True).only("pk").get(pk=tenant.pk)


def _store(row: MdmAuthority, actor: Actor, what: str) -> MdmAuthority:
    row.save(force_insert=True)
    log_event(
        target=Target(row.tenant, "mdm_authority", row.pk, "Apple MDM"),
        actor=actor,
        action=AuditEvent.Action.CREATE,
        summary=f"Certificate {what}: {row.get_purpose_display().lower()}",
        metadata={"purpose": row.purpose, "sha256": hashlib.sha256(bytes(row.certificate)).hexdigest()},
    )
    return row


def _fresh(tenant: Tenant, purpose: MdmAuthority.Purpose) -> MdmAuthority:
    key = generate_private_key(public_exponent=65537, key_size=KEY_BITS.get(purpose, OTHER_KEY_BITS))
    certificate = _certificate(key, tenant, purpose)
    row = MdmAuthority(
        tenant=tenant,
        purpose=purpose,
        certificate=certificate.public_bytes(Encoding.DER),
        not_after=certificate.not_valid_after_utc,
    )
    plain = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    row.key_number, row.ciphertext = seal(plain, *_place(row))
    return row


def _certificate(key: RSAPrivateKey, tenant: Tenant, purpose: MdmAuthority.Purpose) -> x509.Certificate:
    issues = purpose == Purpose.DEVICES
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, f"{tenant.name} {'MDM' if issues else purpose.value}"[:64]),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, tenant.name[:64]),
        ]
    )
    now = datetime.now(UTC).replace(microsecond=0)
    public_key = key.public_key()
    # The authority is the recipient of SCEP's envelopes too.
    usage = _usage(digital_signature=True, key_encipherment=purpose != Purpose.SIGNING, key_cert_sign=issues)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SLOW_CLOCK)
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.BasicConstraints(ca=issues, path_length=0 if issues else None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .sign(key, SHA256())
    )


def _usage(*, digital_signature: bool, key_encipherment: bool, key_cert_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_encipherment=key_encipherment,
        key_cert_sign=key_cert_sign,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _place(row: MdmAuthority) -> tuple[object, ...]:
    # The certificate is a part of it: a key that is moved to another certificate does not decrypt there.
    digest = hashlib.sha256(bytes(row.certificate)).hexdigest()
    return "devices_mdmauthority", "ciphertext", row.tenant_id, row.purpose, digest
