"""The key pair of a tenant for Automated Device Enrollment, and its server tokens, both encrypted at rest."""

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from cryptography.x509.oid import NameOID
from django.db import transaction

from access.audit.events import Actor, Target, log_event
from access.models import AuditEvent, Tenant
from access.sealing import newest_key, rewrap_rows, seal, unseal
from devices.enrollment.server_tokens import OTHER_KEY, ServerToken, check_form, read_server_token, refused
from devices.models import AdeIntegration, AdeKeyPair

COMMON_NAME = "Iru Endpoint Automated Device Enrollment"
KEY_BITS = 2048
LIFETIME = timedelta(days=3652)  # ten years


def public_key(*, tenant: Tenant) -> str:
    """Return the tenant's certificate in PEM, which an administrator uploads to Apple. It is created on first use."""
    return (AdeKeyPair.objects.filter(tenant=tenant).first() or _make(tenant)).certificate


def open_server_token(*, tenant: Tenant, content: bytes) -> ServerToken:
    """Return the token in a file that Apple encrypted for the tenant.

    Raises a ValidationError of the field `file`, and SecretUnreadable if the private key cannot be decrypted.
    """
    pair = AdeKeyPair.objects.filter(tenant=tenant).first()
    if pair is None:  # no file can be encrypted for a key that does not exist
        check_form(content)
        raise refused(OTHER_KEY)
    private_key = load_der_private_key(unseal(pair.key_number, pair.ciphertext, *_place(pair)), None)
    assert isinstance(private_key, rsa.RSAPrivateKey)  # noqa: S101 - `_make` creates no other type
    return read_server_token(content, x509.load_pem_x509_certificate(pair.certificate.encode()), private_key)


def put_server_token(integration: AdeIntegration, token: ServerToken) -> None:
    """Set the integration's encrypted token, which the caller saves."""
    integration.access_token_expiry = token.access_token_expiry
    integration.key_number, integration.ciphertext = seal(token.to_json(), *_token_place(integration))


def server_token(integration: AdeIntegration) -> ServerToken | None:
    """Return the integration's token; None if it has none. Raises SecretUnreadable."""
    if integration.ciphertext is None or integration.key_number is None:
        return None
    return ServerToken.model_validate_json(
        unseal(integration.key_number, integration.ciphertext, *_token_place(integration))
    )


@transaction.atomic
def rewrap(*, limit: int) -> int:
    """Re-encrypt up to `limit` private keys and up to `limit` tokens that use an older key: see `rewrap_rows`."""
    pairs = AdeKeyPair.objects.exclude(key_number=newest_key())
    integrations = AdeIntegration.objects.exclude(ciphertext=None).exclude(key_number=newest_key())
    return rewrap_rows(pairs, _reseal_key, limit=limit) + rewrap_rows(integrations, _reseal_token, limit=limit)


def _reseal_key(pair: AdeKeyPair) -> None:
    pair.key_number, pair.ciphertext = seal(unseal(pair.key_number, pair.ciphertext, *_place(pair)), *_place(pair))


def _reseal_token(integration: AdeIntegration) -> None:
    if token := server_token(integration):
        put_server_token(integration, token)


def _make(tenant: Tenant) -> AdeKeyPair:
    # Outside the transaction, because other writers would wait while the key is generated.
    key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    pair = AdeKeyPair(tenant=tenant, certificate=_certificate(key))
    plain = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    pair.key_number, pair.ciphertext = seal(plain, *_place(pair))
    with transaction.atomic():
        # Two concurrent calls may both have made a pair. The first one with the lock stores its pair for both.
        Tenant.objects.select_for_update(no_key=True).only("pk").get(pk=tenant.pk)
        if stored := AdeKeyPair.objects.filter(tenant=tenant).first():
            return stored
        pair.save(force_insert=True)
        log_event(
            target=Target(tenant, "ade_key_pair", tenant.pk, "Automated Device Enrollment"),
            # The system is the author: the first reader of the public key only causes the creation of the pair.
            actor=Actor(AuditEvent.ActorType.SYSTEM, "", "Automated Device Enrollment"),
            action=AuditEvent.Action.CREATE,
            summary="Key pair created",
        )
    return pair


def _certificate(key: rsa.RSAPrivateKey) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, COMMON_NAME)])
    now = datetime.now(UTC).replace(microsecond=0)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=10))  # for a client whose clock is slow
        .not_valid_after(now + LIFETIME)
    )
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM).decode()


def _place(pair: AdeKeyPair) -> tuple[object, ...]:
    return "devices_adekeypair", "ciphertext", pair.tenant_id


def _token_place(integration: AdeIntegration) -> tuple[object, ...]:
    return "devices_adeintegration", "ciphertext", integration.tenant_id, integration.uuid
