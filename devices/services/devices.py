from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F

from access.models import AuditEvent, Tenant
from access.services.audit import Actor, difference, record
from devices.models import Device, Fleet, Tag
from devices.services import records


class Keep:
    """Stands for a field that an update leaves as it is, where None would clear it."""


KEEP = Keep()


@transaction.atomic
def update_device(
    *,
    tenant: Tenant,
    device_id: UUID,
    actor: Actor,
    user: UUID | None | Keep = KEEP,
    asset_tag: str | None | Keep = KEEP,
    blueprint: UUID | Keep = KEEP,
    tags: list[str] | Keep = KEEP,
) -> Device:
    """Change assignment, asset tag, blueprint or tags (all of them: a full replacement; unknown ones are created).

    Returns the device with its fresh record. Raises Device.DoesNotExist, and ValidationError for a user or blueprint
    that the tenant does not have.
    """
    device = tenant.devices.select_for_update().get(uuid=device_id)
    before = _state(device)
    if not isinstance(user, Keep):
        device.user = None if user is None else _related(tenant.users.filter(uuid=user), "user", user)
    if not isinstance(asset_tag, Keep):
        device.asset_tag = asset_tag or ""
    if not isinstance(blueprint, Keep):
        device.blueprint = _related(tenant.blueprints.filter(uuid=blueprint), "blueprint_id", blueprint)
    device.save(update_fields=["user", "asset_tag", "blueprint"])
    if not isinstance(tags, Keep):
        names = set(tags)
        Tag.objects.bulk_create([Tag(tenant=tenant, name=name) for name in sorted(names)], ignore_conflicts=True)
        device.tags.set(tenant.tags.filter(name__in=names))
    if changes := difference(before, _state(device)):
        records.refresh([device.pk])
        device.refresh_from_db(fields=["record"])
        _record(device, actor, AuditEvent.Action.UPDATE, "Device updated", changes)
    return device


@transaction.atomic
def delete_device(*, tenant: Tenant, device_id: UUID, actor: Actor) -> None:
    """Delete the record of a device. Raises Device.DoesNotExist."""
    device = tenant.devices.select_for_update().get(uuid=device_id)
    _record(device, actor, AuditEvent.Action.DELETE, "Device deleted")
    device.delete()
    Fleet.objects.filter(tenant=tenant).update(device_count=F("device_count") - 1)


def _related(rows: Any, field: str, value: UUID) -> Any:
    row = rows.first()
    if row is None:
        raise ValidationError({field: f'Invalid pk "{value}" - object does not exist.'})
    return row


def _state(device: Device) -> dict[str, Any]:
    return {
        "user": device.user.email if device.user else None,
        "asset_tag": device.asset_tag,
        "blueprint": device.blueprint.name,
        "tags": sorted(device.tags.values_list("name", flat=True)),
    }


def _record(
    device: Device,
    actor: Actor,
    action: AuditEvent.Action,
    summary: str,
    changes: dict[str, dict[str, Any]] | None = None,
) -> None:
    record(
        tenant=device.tenant,
        actor=actor,
        action=action,
        summary=summary,
        target_type="device",
        target_id=device.uuid,
        target_name=device.name,
        changes=changes,
        new_state=None if action == AuditEvent.Action.DELETE else _state(device),
    )
