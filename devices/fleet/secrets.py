"""Device secrets: encrypted at rest, bound to their row, and every read is in the audit trail."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from hmac import compare_digest
from uuid import UUID

from django.db import transaction

from access.audit.events import Actor, Target, log_event
from access.models import AuditEvent, Tenant
from access.sealing import SecretUnreadable, newest_key, seal, unseal
from devices.fleet.targets import device_target
from devices.models import Device, DeviceSecret

BATCH = 1000  # rows in memory


def store_secret(*, device: Device, kind: DeviceSecret.Kind, value: str, subject: str = "") -> None:
    """Store a secret of a device, in the caller's transaction. It replaces the previous value.

    `subject` is the uuid of the command that a COMMAND_SECRET belongs to.
    """
    _store([DeviceSecret(tenant_id=device.tenant_id, device=device, kind=kind, subject=subject)], [value])


def store_if_new(*, device: Device, kind: DeviceSecret.Kind, value: str) -> bool:
    """Store a secret that a device reports, unless it is the stored one. Returns whether it was stored."""
    secret = device.secrets.filter(kind=kind, subject="").first()
    if secret is not None:
        with suppress(SecretUnreadable):  # one that cannot be decrypted counts as different
            if compare_digest(_decrypt(secret).encode(), value.encode()):
                return False
    store_secret(device=device, kind=kind, value=value)
    return True


def store_imported_secrets(secrets: Iterable[tuple[Device, DeviceSecret.Kind, str]]) -> None:
    """Store each value as `store_secret` does, and mark it as imported."""
    secrets = list(secrets)
    rows = [
        DeviceSecret(tenant_id=device.tenant_id, device=device, kind=kind, imported=True) for device, kind, _ in secrets
    ]
    _store(rows, [value for *_, value in secrets])


def changed_secrets(
    *, devices: Iterable[Device], values: Mapping[tuple[UUID, DeviceSecret.Kind], str]
) -> list[tuple[UUID, DeviceSecret.Kind]]:
    """Return the keys of the `values` that an import has to store. A key is the device's uuid and the kind.

    Values that are stored already are left out. So are values that would replace a secret which did not come from an
    import, such as the PIN of a Mac that was locked from here. A stored value that cannot be decrypted counts as
    different.

    Values are compared internally and never returned, so no READ event is recorded.
    """
    uuids = {device.pk: device.uuid for device in devices if device.pk}
    unchanged = set()
    for secret in DeviceSecret.objects.filter(device__in=uuids, subject=""):
        key = uuids[secret.device_id], DeviceSecret.Kind(secret.kind)
        if key not in values:
            continue
        with suppress(SecretUnreadable):
            if not secret.imported or compare_digest(_decrypt(secret).encode(), values[key].encode()):
                unchanged.add(key)
    return [key for key in values if key not in unchanged]


def delete_secret(*, device: Device, kind: DeviceSecret.Kind, subject: str = "") -> None:
    """Delete a secret. Does nothing if there is no such secret."""
    device.secrets.filter(kind=kind, subject=subject).delete()


@transaction.atomic
def read_secrets(
    *, tenant: Tenant, device_id: UUID, kinds: Iterable[DeviceSecret.Kind], actor: Actor
) -> list[str | None]:
    """Return the secrets of these kinds, in their order; None for a kind that the device has no secret of.

    The audit event is written before anything is decrypted, so no secret is read without an event. Raises
    Device.DoesNotExist and SecretUnreadable.
    """
    kinds = list(kinds)
    device = tenant.devices.only("pk", "uuid", "name", "tenant_id").get(uuid=device_id)
    secrets = {secret.kind: secret for secret in device.secrets.filter(kind__in=kinds, subject="")}
    log_event(
        target=device_target(device, "secrets"),
        actor=actor,
        action=AuditEvent.Action.READ,
        summary=f"{kinds[0].label} read" if len(kinds) == 1 else "Activation Lock bypass codes read",
        metadata={"secrets": [kind.value for kind in kinds]},
    )
    return [_decrypt(secrets[kind]) if kind in secrets else None for kind in kinds]


def read_all_secrets(tenant: Tenant, actor: Actor) -> Iterator[dict[str, str]]:
    """Every secret of the tenant in the clear, for an export. The audit event is committed before the first one.

    Raises SecretUnreadable.
    """
    with transaction.atomic():
        log_event(
            target=Target.whole(tenant),
            actor=actor,
            action=AuditEvent.Action.READ,
            summary="All device secrets read",
            metadata={"secrets": DeviceSecret.objects.filter(tenant=tenant).count()},
        )
    last = 0
    secrets = tenant.device_secrets.select_related("device").order_by("pk")
    while batch := list(secrets.filter(pk__gt=last)[:BATCH]):
        for secret in batch:
            fields = {"device_id": str(secret.device.uuid), "kind": secret.kind, "subject": secret.subject}
            yield {**fields, "value": _decrypt(secret)}
        last = batch[-1].pk


def reveal_to_device(*, device: Device, kind: DeviceSecret.Kind) -> str | None:
    """A secret that the device gave to this server and needs back, or None. Raises SecretUnreadable.

    It goes to the device alone, so no READ event is recorded.
    """
    secret = device.secrets.filter(kind=kind, subject="").first()
    return _decrypt(secret) if secret else None


def reveal_command_secret(*, device: Device, command_uuid: UUID) -> str | None:
    """Return the secret of a queued command, or None. It is for the device only. Raises SecretUnreadable."""
    secret = device.secrets.filter(kind=DeviceSecret.Kind.COMMAND_SECRET, subject=str(command_uuid)).first()
    return _decrypt(secret) if secret else None


@transaction.atomic
def rewrap(*, limit: int) -> int:
    """Re-encrypt up to `limit` secrets that use an older key. Returns their number; 0 means that all are done.

    Raises SecretUnreadable, and changes nothing, if the key of one of them is not configured.
    """
    secrets = list(DeviceSecret.objects.select_for_update().exclude(key_number=newest_key()).order_by("pk")[:limit])
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
    secret.key_number, secret.ciphertext = seal(value.encode(), *_place(secret))


def _decrypt(secret: DeviceSecret) -> str:
    return unseal(secret.key_number, secret.ciphertext, *_place(secret)).decode()


def _place(secret: DeviceSecret) -> tuple[object, ...]:
    return "devices_devicesecret", "ciphertext", secret.tenant_id, secret.device_id, secret.kind, secret.subject
