"""Changes to enrolled devices: assignment, asset tag, blueprint and tags; deletion."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db import transaction

from access.audit.events import Actor, difference, log_event
from access.models import AuditEvent, Tenant
from devices.conditions.facts import facts_changed
from devices.enrollment import enrollments
from devices.fleet import records, vulnerability_counts
from devices.fleet.targets import device_target
from devices.models import Device, Fleet, Tag
from devices.prism import rows as prism_rows
from devices.references import get_referenced


class Unset:
    """The type of `UNSET`, the default of a field that an update leaves unchanged. None clears the field."""


UNSET = Unset()


@transaction.atomic
def update_device(
    *,
    tenant: Tenant,
    device_id: UUID,
    actor: Actor,
    user: UUID | Unset | None = UNSET,
    asset_tag: str | Unset | None = UNSET,
    blueprint: UUID | Unset = UNSET,
    tags: list[str] | Unset = UNSET,
) -> Device:
    """Change a device's user, asset tag, blueprint or tags; UNSET fields stay unchanged.

    `tags` replaces all tags of the device and creates those that the tenant does not have. Returns the device with its
    new record. Raises Device.DoesNotExist, and ValidationError for a user or blueprint that the tenant does not have.
    """
    pk = tenant.devices.values_list("pk", flat=True).get(uuid=device_id)
    new_blueprint = new_user = None
    # Lock the blueprint and the user before the device, in the same order as renaming them does: neither can be renamed
    # or deleted during this change, and two changes cannot deadlock.
    if not isinstance(blueprint, Unset):
        rows = tenant.blueprints.select_for_update().filter(uuid=blueprint)
        new_blueprint = get_referenced(rows, "blueprint_id", blueprint)
    if isinstance(user, UUID):
        new_user = get_referenced(tenant.users.select_for_update().filter(uuid=user), "user", user)
    device = tenant.devices.select_related("user", "blueprint").select_for_update(of=("self",)).get(pk=pk)
    names = list(device.tags.values_list("name", flat=True))
    before = _state(device, names)
    if new_blueprint is not None:
        device.blueprint = new_blueprint
    if not isinstance(user, Unset):
        device.user = new_user
    if not isinstance(asset_tag, Unset):
        device.asset_tag = asset_tag or ""
    device.save(update_fields=["user", "asset_tag", "blueprint"])
    if new_blueprint is not None:
        enrollments.moved(device)
    if not isinstance(tags, Unset):
        names = sorted(set(tags))
        Tag.objects.bulk_create([Tag(tenant=tenant, name=name) for name in names], ignore_conflicts=True)
        device.tags.set(tenant.tags.filter(name__in=names))
    after = _state(device, names)
    if changes := difference(before, after):
        device.record_json = records.refresh_locked(device.pk) or device.record_json
        if {"user", "tags"} & changes.keys():
            facts_changed(tenant.pk, [device.pk])
        log_event(
            target=device_target(device, state=lambda: after),
            actor=actor,
            action=AuditEvent.Action.UPDATE,
            summary="Device updated",
            changes=changes,
        )
    return device


@transaction.atomic
def delete_device(*, tenant: Tenant, device_id: UUID, actor: Actor) -> None:
    """Delete a device and everything stored about it. Raises Device.DoesNotExist."""
    pk = tenant.devices.values_list("pk", flat=True).get(uuid=device_id)
    # Lock the fleet before the device, in the same order as an import does, so that two changes cannot deadlock.
    fleet = Fleet.objects.select_for_update().get(tenant=tenant)
    device = tenant.devices.select_for_update().get(pk=pk)
    vulnerability_counts.forget_device(device)
    prism_rows.forget_device(device)
    enrollments.evict(device)
    device.delete()
    fleet.device_count -= 1
    fleet.save(update_fields=["device_count"])
    log_event(target=device_target(device), actor=actor, action=AuditEvent.Action.DELETE, summary="Device deleted")


def _state(device: Device, tags: Iterable[str]) -> dict[str, Any]:
    return {
        "user": device.user.email if device.user else None,
        "asset_tag": device.asset_tag,
        "blueprint": device.blueprint.name,
        "tags": sorted(tags),
    }
