"""A device that enrolls: it is found again or is new, and gets its place in the fleet."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import F
from django.db.models.functions import Upper
from django.utils import timezone

from access.audit.events import Actor, log_event
from access.models import AuditEvent, Tenant
from devices.conditions.facts import facts_changed
from devices.fleet import activity, records
from devices.fleet.targets import device_target
from devices.models import AdeDevice, Blueprint, Device, Fleet, Platform, RoutingActivity

ENROLLMENT = "enrollment"
SYSTEM = Actor(AuditEvent.ActorType.SYSTEM, "", "MDM")
# The beginning of ProductName, and of Model on older systems. Apple's other families are not managed here.
_FAMILIES = (
    ("iPhone", Platform.IPHONE),
    ("iPad", Platform.IPAD),
    ("AppleTV", Platform.APPLE_TV),
    ("VirtualMac", Platform.MAC),
    ("iMac", Platform.MAC),
    ("Mac", Platform.MAC),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What a device says of itself when it enrolls. Texts that it did not send are empty."""

    udid: str
    serial_number: str
    product_name: str
    model_name: str = ""
    device_name: str = ""
    os_version: str = ""
    build_version: str = ""
    enrollment_type: str
    simulated: bool = False


def platform_of(product_name: str) -> Platform | None:
    """The family of a device by its ProductName, such as `MacBookPro18,3`; None for one that is not managed here."""
    return next((platform for start, platform in _FAMILIES if product_name.startswith(start)), None)


def lock_fleet(tenant: Tenant) -> None:
    """Lock the tenant's fleet, before any of its devices: two enrollments of one device are then one after another."""
    Fleet.objects.get_or_create(tenant=tenant)
    Fleet.objects.select_for_update(no_key=True).get(tenant=tenant)


def known_device(*, tenant: Tenant, serial_number: str, udid: str) -> Device | None:
    """The device that a serial number or a UDID belongs to, locked; the serial number decides."""
    devices = tenant.devices.select_for_update(of=("self",)).select_related("blueprint")
    found = None
    if serial_number:
        found = devices.alias(upper=Upper("serial_number")).filter(upper=serial_number.upper()).first()
    return found or (devices.filter(udid=udid).order_by("-pk").first() if udid else None)


def arrive(*, tenant: Tenant, arrival: Arrival, blueprint: Blueprint | None) -> Device:
    """Create the device, or bring back the one that is known, in the caller's transaction. Call `lock_fleet` first.

    A known device stays in its Blueprint unless it comes with the code of another. Without a Blueprint the device is
    routed: to that of its Automated Device Enrollment, or else to the oldest one. Raises ValueError for a device of no
    family that is managed here, and Blueprint.DoesNotExist for a tenant without any.
    """
    now = timezone.now()
    platform = platform_of(arrival.product_name)
    if platform is None:
        raise ValueError(f"{arrival.product_name} is of no family that is managed here.")
    device = known_device(tenant=tenant, serial_number=arrival.serial_number, udid=arrival.udid)
    returned = device is not None
    routed = blueprint is None and (device is None or device.blueprint.deleted_at is not None)
    if blueprint is None:
        blueprint = _route(tenant, arrival.serial_number) if routed or device is None else device.blueprint
    if device is None:
        device = Device(
            tenant=tenant,
            serial_number=arrival.serial_number,
            first_enrollment=now,
            model=arrival.model_name or arrival.product_name,
            name=arrival.device_name or arrival.model_name or arrival.product_name,
        )
    device.platform, device.blueprint, device.udid = platform, blueprint, arrival.udid
    device.simulated = arrival.simulated
    device.serial_number = device.serial_number or arrival.serial_number
    device.os_version = arrival.os_version or device.os_version
    device.supplemental_build_version = arrival.build_version or device.supplemental_build_version
    device.mdm_enabled, device.is_removed, device.is_missing = True, False, False
    device.last_enrollment = device.last_check_in = now
    device.save()
    if not returned:
        Fleet.objects.filter(tenant=tenant).update(device_count=F("device_count") + 1)
    records.refresh_locked(device.pk)
    if returned:
        facts_changed(tenant.pk, [device.pk])
    details = {"blueprint_name": blueprint.name, "enrollment_type": arrival.enrollment_type}
    activity.log(device=device, action_type=ENROLLMENT, details=details, at=now, blueprint_routing=routed)
    if routed:
        _log_route(device, arrival, now)
    log_event(
        target=device_target(device),
        actor=SYSTEM,
        action=AuditEvent.Action.CREATE if not returned else AuditEvent.Action.UPDATE,
        summary="Device enrolled again" if returned else "Device enrolled",
        metadata={
            "blueprint": blueprint.name,
            "serial_number": device.serial_number,
            "enrollment_type": arrival.enrollment_type,
            "simulated": arrival.simulated,
        },
    )
    return device


def leave(device: Device, *, summary: str) -> None:
    """A locked device is managed no longer: it stays in the fleet, marked as removed, with its history and secrets."""
    device.mdm_enabled, device.is_removed = False, True
    device.save(update_fields=["mdm_enabled", "is_removed"])
    records.refresh_locked(device.pk)
    activity.log(device=device, action_type="unenrollment", details={"blueprint_name": device.blueprint.name})
    log_event(target=device_target(device), actor=SYSTEM, action=AuditEvent.Action.UPDATE, summary=summary)


def _route(tenant: Tenant, serial_number: str) -> Blueprint:
    assigned = (
        AdeDevice.objects.filter(tenant=tenant, serial_number__iexact=serial_number)
        .select_related("blueprint", "integration__blueprint")
        .first()
        if serial_number
        else None
    )
    if assigned is not None:
        for blueprint in (assigned.blueprint, assigned.integration.blueprint):
            if blueprint is not None and blueprint.deleted_at is None:
                return blueprint
    oldest = tenant.blueprints.order_by("pk").first()
    if oldest is None:
        raise Blueprint.DoesNotExist
    return oldest


def _log_route(device: Device, arrival: Arrival, now: datetime) -> None:
    RoutingActivity.objects.create(
        tenant=device.tenant,
        activity_time=now,
        activity_type=ENROLLMENT,
        device_uuid=device.uuid,
        details={
            "is_fallback": True,
            "destination_blueprint": {"id": str(device.blueprint.uuid), "name": device.blueprint.name},
            "computer": {"id": str(device.uuid), "name": device.name, "enrolled_at": now.isoformat()},
            "enrollment_type": arrival.enrollment_type,
        },
    )
