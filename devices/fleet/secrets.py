"""Device secrets: encrypted at rest, bound to their place, and read only on record."""

import logging
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from hmac import compare_digest
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.db import transaction

from access.audit.events import Actor, log_event
from access.keyrings import keyring
from access.models import AuditEvent, Tenant
from devices.fleet.targets import device_target
from devices.models import Device, DeviceSecret

NONCE = 12  # bytes, as GCM wants it
SETTING = "IRU_SECRET_KEYS"

logger = logging.getLogger(__name__)


class SecretUnreadable(Exception):
    """The stored value does not decrypt: its key is not configured, or somebody changed or moved it."""


def store_secret(*, device: Device, kind: DeviceSecret.Kind, value: str, subject: str = "") -> None:
    """Store `value` for this device in place of the previous one. Belongs in the caller's transaction.

    `subject` names the command that a COMMAND_SECRET belongs to.
    """
    _store([DeviceSecret(tenant_id=device.tenant_id, device=device, kind=kind, subject=subject)], [value])


def store_imported_secrets(secrets: Iterable[tuple[Device, DeviceSecret.Kind, str]]) -> None:
    """Store each value for its device, as `store_secret` does, but as one that an import brought."""
    secrets = list(secrets)
    rows = [
        DeviceSecret(tenant_id=device.tenant_id, device=device, kind=kind, imported=True) for device, kind, _ in secrets
    ]
    _store(rows, [value for *_, value in secrets])


def changed_secrets(
    *, devices: Iterable[Device], values: Mapping[tuple[UUID, DeviceSecret.Kind], str]
) -> list[tuple[UUID, DeviceSecret.Kind]]:
    """Which of `values`, by the device's uuid and the kind, an import has to store: not those that it brought before,
    and none in the place of a secret that was made or received here, such as the PIN of a Mac that was locked from
    here.

    What is kept is compared and told to nobody, so this is no reading. What does not decrypt is not the same.
    """
    uuids = {device.pk: device.uuid for device in devices if device.pk}
    settled = set()
    for secret in DeviceSecret.objects.filter(device__in=uuids, subject=""):
        place = uuids[secret.device_id], DeviceSecret.Kind(secret.kind)
        if place not in values:
            continue
        with suppress(SecretUnreadable):
            if not secret.imported or compare_digest(_decrypt(secret).encode(), values[place].encode()):
                settled.add(place)
    return [place for place in values if place not in settled]


def delete_secret(*, device: Device, kind: DeviceSecret.Kind, subject: str = "") -> None:
    """Forget a secret; one that is not there is forgotten already."""
    device.secrets.filter(kind=kind, subject=subject).delete()


@transaction.atomic
def read_secrets(
    *, tenant: Tenant, device_id: UUID, kinds: Iterable[DeviceSecret.Kind], actor: Actor
) -> list[str | None]:
    """The values of these kinds, in their order; None for what is not kept.

    The reading is on record before anything is decrypted: no audit event, no secret. Raises Device.DoesNotExist and
    SecretUnreadable.
    """
    kinds = list(kinds)
    device = tenant.devices.only("pk", "uuid", "name", "tenant_id").get(uuid=device_id)
    log_event(
        target=device_target(device, "secrets"),
        actor=actor,
        action=AuditEvent.Action.READ,
        summary=f"{kinds[0].label} read" if len(kinds) == 1 else "Activation Lock bypass codes read",
        metadata={"secrets": [kind.value for kind in kinds]},
    )
    kept = {secret.kind: secret for secret in device.secrets.filter(kind__in=kinds, subject="")}
    return [_decrypt(kept[kind]) if kind in kept else None for kind in kinds]


def reveal_command_secret(*, device: Device, command_uuid: UUID) -> str | None:
    """What a queued command needs to be sent, for the device alone. Raises SecretUnreadable."""
    secret = device.secrets.filter(kind=DeviceSecret.Kind.COMMAND_SECRET, subject=str(command_uuid)).first()
    return _decrypt(secret) if secret else None


@transaction.atomic
def rewrap(*, limit: int) -> int:
    """Encrypt up to `limit` secrets anew that an older key encrypted. Returns how many; 0 means that none is left.

    Raises SecretUnreadable for one whose key is gone; nothing is changed then.
    """
    newest = keyring(SETTING)[0][0]
    secrets = list(DeviceSecret.objects.select_for_update().exclude(key_number=newest).order_by("pk")[:limit])
    for secret in secrets:
        _encrypt(secret, _decrypt(secret))
    DeviceSecret.objects.bulk_update(secrets, ["key_number", "ciphertext"], batch_size=100)
    return len(secrets)


def _store(secrets: list[DeviceSecret], values: list[str]) -> None:
    for secret, value in zip(secrets, values, strict=True):
        _encrypt(secret, value)
    DeviceSecret.objects.bulk_create(
        secrets,
        update_conflicts=True,
        unique_fields=["device", "kind", "subject"],
        update_fields=["key_number", "ciphertext", "imported", "updated_at"],
    )


def _encrypt(secret: DeviceSecret, value: str) -> None:
    number, key = keyring(SETTING)[0]
    nonce = os.urandom(NONCE)
    secret.key_number = number
    secret.ciphertext = nonce + AESGCM(key).encrypt(nonce, value.encode(), _place(secret))


def _decrypt(secret: DeviceSecret) -> str:
    key = dict(keyring(SETTING)).get(secret.key_number)
    data = bytes(secret.ciphertext)
    try:
        if key is None:
            raise InvalidTag
        return AESGCM(key).decrypt(data[:NONCE], data[NONCE:], _place(secret)).decode()
    except (InvalidTag, ValueError):
        logger.critical(
            "A %s of device %s does not decrypt under key %s.", secret.kind, secret.device_id, secret.key_number
        )
        raise SecretUnreadable from None


def _place(secret: DeviceSecret) -> bytes:
    # Table, column, tenant and row: a value that was moved to another place does not decrypt there.
    return "\0".join(
        (
            "devices_devicesecret",
            "ciphertext",
            str(secret.tenant_id),
            str(secret.device_id),
            secret.kind,
            secret.subject,
        )
    ).encode()
