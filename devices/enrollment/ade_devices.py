"""ADE devices: the values that each one gets when it enrolls, and the enrolled device that it became."""

from collections.abc import Iterable
from functools import partial
from typing import Any, TypedDict, Unpack
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models.functions import Upper

from access.audit.events import Actor, Target, difference, log_event
from access.models import AuditEvent, Tenant
from devices.enrollment.ade import ROUTED_BLUEPRINT
from devices.models import AdeDevice, Device
from devices.references import get_referenced, unknown_reference


class AdeDeviceChanges(TypedDict, total=False):
    """The fields that `update_ade_device` changes. Fields that are left out stay as they are."""

    blueprint_id: UUID | None
    use_blueprint_routing: bool
    override_dep_profile_id: UUID | None
    user_id: UUID | None
    asset_tag: str | None


@transaction.atomic
def update_ade_device(
    *, tenant: Tenant, ade_device_id: UUID, actor: Actor, **changes: Unpack[AdeDeviceChanges]
) -> AdeDevice:
    """Change the values that a device gets when it enrolls. A device that is already enrolled stays as it is.

    A Blueprint ends routing, and routing removes the Blueprint. If routing ends without a new Blueprint, the device
    gets the Blueprint of its integration. Raises AdeDevice.DoesNotExist and ValidationError.
    """
    pk = tenant.ade_devices.values_list("pk", flat=True).get(uuid=ade_device_id)
    blueprint_id, routing = changes.get("blueprint_id"), changes.get("use_blueprint_routing")
    if blueprint_id and routing:
        raise ValidationError({"blueprint_id": ROUTED_BLUEPRINT})
    blueprint = user = None
    # Locked before the device, as in every change, so that none of them can be deleted during this change.
    if blueprint_id:
        blueprints = tenant.blueprints.select_for_update(no_key=True).filter(uuid=blueprint_id)
        blueprint = get_referenced(blueprints, "blueprint_id", blueprint_id)
    if user_id := changes.get("user_id"):
        user = get_referenced(tenant.users.select_for_update(no_key=True).filter(uuid=user_id), "user_id", user_id)
    override = changes.get("override_dep_profile_id")
    if override and not tenant.library_items.filter(uuid=override).exists():
        raise unknown_reference("override_dep_profile_id", override)

    device = tenant.ade_devices.select_for_update(of=("self",)).complete().get(pk=pk)
    before = _state(device)
    if blueprint or "blueprint_id" in changes:
        device.blueprint = blueprint
    if blueprint:
        device.use_blueprint_routing = False
    elif routing:
        device.blueprint, device.use_blueprint_routing = None, True
    elif routing is False and device.use_blueprint_routing:
        device.blueprint, device.use_blueprint_routing = device.integration.live_blueprint, False
    if "user_id" in changes:
        device.user = user
    if "asset_tag" in changes:
        device.asset_tag = changes["asset_tag"] or None
    if "override_dep_profile_id" in changes:
        device.override_dep_profile_id = override
    if differences := difference(before, _state(device)):
        device.save(update_fields=list(_FIELDS))
        log_event(
            target=_target(device),
            actor=actor,
            action=AuditEvent.Action.UPDATE,
            summary="ADE device updated",
            changes=differences,
        )
    return device


def enrolled(*, tenant: Tenant, ade_devices: Iterable[AdeDevice]) -> dict[str, Device]:
    """Return the enrolled devices of these ADE devices, by serial number in upper case. In two queries."""
    serial_numbers = [device.serial_number.upper() for device in ade_devices]
    if not serial_numbers:
        return {}
    rows = tenant.devices.alias(upper=Upper("serial_number")).exclude(serial_number="")
    rows = rows.filter(upper__in=serial_numbers).defer("record_json").prefetch_related("tags")
    return {device.serial_number.upper(): device for device in rows}


def enrolled_device(ade_device: AdeDevice) -> Device | None:
    """Return the enrolled device that an ADE device became; None if it has not enrolled."""
    found = enrolled(tenant=ade_device.tenant, ade_devices=[ade_device])
    return found.get(ade_device.serial_number.upper())


def place_arrival(device: Device) -> AdeDevice | None:
    """Set user, asset tag and Blueprint of an enrolling device by its serial number. The caller saves the device.

    Returns the ADE device; None for a serial number that Apple did not assign to the tenant. If the ADE device has no
    Blueprint (`use_blueprint_routing`, or none was chosen), the Blueprint of `device` stays, and the caller routes the
    device. A device that enrolls again is placed again: it stays routed until someone chooses a Blueprint for it.
    """
    known = device.tenant.ade_devices.with_serial(device.serial_number).complete().first()
    if known is None:
        return None
    if known.live_blueprint:
        device.blueprint = known.live_blueprint
    if known.user:
        device.user = known.user
    if known.asset_tag is not None:
        device.asset_tag = known.asset_tag
    return known


_FIELDS = ("blueprint", "use_blueprint_routing", "user", "asset_tag", "override_dep_profile_id")


def _state(device: AdeDevice) -> dict[str, Any]:
    override = device.override_dep_profile_id
    return {
        "blueprint": device.blueprint.name if device.blueprint else None,
        "use_blueprint_routing": device.use_blueprint_routing,
        "user": device.user.email if device.user else None,
        "asset_tag": device.asset_tag,
        "override_dep_profile_id": str(override) if override else None,
    }


def _target(device: AdeDevice) -> Target:
    return Target(device.tenant, "ade_device", device.uuid, device.serial_number, state=partial(_state, device))
