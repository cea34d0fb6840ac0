"""Sync ADE devices with Apple: the devices of each server, and the enrollment profile that Apple gives them.

A sync stores its position after each page, and the next sync continues from there. A lease lets one worker at a time
sync an integration. Every write checks under a lock that the worker still has the lease.
"""

import logging
from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.db.models.functions import Upper
from django.utils import timezone

from access.audit.events import Actor, Target, log_event
from access.models import AuditEvent
from access.sealing import SecretUnreadable
from access.tasks.backend import task
from devices.enrollment import ade_profiles
from devices.enrollment.ade_keys import server_token
from devices.enrollment.ade_lease import Lease, LeaseLost
from devices.enrollment.apple import (
    WORKER,
    AppleDevices,
    AppleRefused,
    AppleUnavailable,
    CursorExhausted,
    CursorExpired,
    DevicePage,
    ListedDevice,
)
from devices.models import AdeDevice, AdeIntegration

ACTOR = Actor(AuditEvent.ActorType.SYSTEM, "", "Automated Device Enrollment")
# The columns that Apple's list fills.
LISTED = (
    "model",
    "description",
    "color",
    "device_family",
    "os",
    "device_assigned_by",
    "device_assigned_date",
    "profile_status",
    "profile_uuid",
    "profile_assign_time",
    "profile_push_time",
)
WRITTEN = (*LISTED, "integration", "blueprint", "use_blueprint_routing", "changed_at", "listed_at")

logger = logging.getLogger(__name__)


@task()
def sync_ade_integrations() -> None:
    """Start a sync task for each integration of an active tenant. Harmless when it runs twice."""
    usable = AdeIntegration.objects.filter(tenant__active=True, access_token_expiry__gt=timezone.now())
    for pk in usable.exclude(ciphertext=None).values_list("pk", flat=True).order_by("pk"):
        sync_ade_integration.enqueue(pk)


@task()
def sync_ade_integration(integration_id: int) -> None:
    """Sync one integration, unless another worker does so. Harmless when it runs twice."""
    lease = Lease.take(integration_id)
    if lease is None:
        return
    try:
        _sync(lease)
    except LeaseLost:
        logger.info("ADE integration %d is deleted, or another worker syncs it.", integration_id)
    except AppleUnavailable as error:
        logger.warning("ADE integration %d is not synced: %s The next sync goes on from here.", integration_id, error)
    except SecretUnreadable:
        logger.warning("ADE integration %d is not synced: its server token cannot be decrypted.", integration_id)
    finally:
        lease.give_back()


def _sync(lease: Lease) -> None:
    token = server_token(lease.started_with)
    if token is None:
        return
    try:
        with AppleDevices(token, WORKER) as apple:
            _pull(lease, apple)
            ade_profiles.assign(lease, apple)
    except AppleRefused as error:
        _refuse(lease, error)
        return
    with transaction.atomic():
        integration = lease.locked()
        integration.last_device_sync = timezone.now()
        integration.refusal, integration.refused_at = "", None
        integration.save(update_fields=["last_device_sync", "refusal", "refused_at"])


def _refuse(lease: Lease, error: AppleRefused) -> None:
    with transaction.atomic():
        integration = lease.locked()
        renewed = bytes(integration.ciphertext or b"") != bytes(lease.started_with.ciphertext or b"")
        if renewed or integration.refusal == error.reason:  # Apple refused the former token, or for a known reason
            return
        integration.refusal, integration.refused_at = error.reason, timezone.now()
        integration.save(update_fields=["refusal", "refused_at"])
        log_event(
            target=_target(integration),
            actor=ACTOR,
            action=AuditEvent.Action.UPDATE,
            summary="Apple refused the server token",
            metadata={"reason": str(error.reason)},
        )


def _pull(lease: Lease, apple: AppleDevices) -> None:
    integration = _begin(lease)
    while True:
        fetching, cursor = integration.fetch_started_at is not None, integration.cursor
        try:
            page = apple.fetch(cursor) if fetching else apple.sync(cursor)
        except CursorExhausted:
            page = DevicePage(cursor=cursor)
        except CursorExpired:
            integration = _begin(lease, anew=True)
            continue
        integration = _store(lease, page)
        if not page.more_to_follow:
            return
        if page.cursor == cursor:
            raise AppleUnavailable("Apple's service answers the same page again and again.")


def _begin(lease: Lease, *, anew: bool = False) -> AdeIntegration:
    """Start a fetch of the whole list, if it is the first sync or `anew`, because the position was lost."""
    with transaction.atomic():
        integration = lease.locked()
        if anew or not (integration.cursor or integration.fetch_started_at):
            integration.cursor, integration.fetch_started_at = "", timezone.now()
            integration.save(update_fields=["cursor", "fetch_started_at"])
    return integration


@transaction.atomic
def _store(lease: Lease, page: DevicePage) -> AdeIntegration:
    """Store a page of devices and the position after it, both or neither."""
    integration = lease.locked()
    counts = _write(integration, _latest(page.devices))
    if integration.fetch_started_at and not page.more_to_follow:
        gone = integration.devices.filter(listed_at__lt=integration.fetch_started_at)
        counts["removed"] += gone.delete()[0]
        integration.fetch_started_at = None
    integration.cursor = page.cursor
    integration.save(update_fields=["cursor", "fetch_started_at"])
    if any(counts.values()):
        log_event(
            target=_target(integration),
            actor=ACTOR,
            action=AuditEvent.Action.UPDATE,
            summary="ADE devices synced",
            metadata=counts,
        )
    return integration


def _latest(devices: Iterable[ListedDevice]) -> dict[str, ListedDevice]:
    """The last change of each device, by serial number. Apple may list a device several times."""
    latest: dict[str, ListedDevice] = {}
    for device in devices:
        key = device.serial_number.upper()
        known = latest.get(key)
        if known is None or not (known.op_date and device.op_date) or device.op_date >= known.op_date:
            latest[key] = device
    return latest


def _write(integration: AdeIntegration, devices: dict[str, ListedDevice]) -> dict[str, int]:
    """Add, change and remove devices. Returns the number of each."""
    stored_rows = integration.tenant.ade_devices.alias(upper=Upper("serial_number")).filter(upper__in=list(devices))
    stored = {row.serial_number.upper(): row for row in stored_rows.select_for_update(of=("self",))}
    new, changed, seen, removed = list[AdeDevice](), list[AdeDevice](), list[int](), list[int]()
    listed_at = integration.fetch_started_at or timezone.now()
    for serial_number, device in devices.items():
        row = stored.get(serial_number)
        if row and row.changed_at and device.op_date and device.op_date < row.changed_at:
            continue
        if device.op_type == "deleted":
            if row and row.integration_id == integration.pk:  # else Apple moved it to another server of this tenant
                removed.append(row.pk)
        elif row is None:
            new.append(_new(integration, device, listed_at))
        elif _change(row, integration, device, listed_at):
            changed.append(row)
        else:
            seen.append(row.pk)
    AdeDevice.objects.bulk_create(new, batch_size=500)
    AdeDevice.objects.bulk_update(changed, WRITTEN, batch_size=100)
    integration.devices.filter(pk__in=seen).update(listed_at=listed_at)
    integration.devices.filter(pk__in=removed).delete()
    return {"added": len(new), "changed": len(changed), "removed": len(removed)}


def _new(integration: AdeIntegration, device: ListedDevice, listed_at: datetime) -> AdeDevice:
    row = AdeDevice(tenant=integration.tenant, serial_number=device.serial_number, asset_tag=device.asset_tag or None)
    _change(row, integration, device, listed_at)
    return row


def _change(row: AdeDevice, integration: AdeIntegration, device: ListedDevice, listed_at: datetime) -> bool:
    """Set Apple's values in the row. A device that is new on this server also gets the defaults of the integration."""
    facts = device.model_dump(include=set(LISTED))
    if facts["profile_status"] not in AdeDevice.ProfileStatus.values:
        facts["profile_status"] = AdeDevice.ProfileStatus.EMPTY
    differs = any(getattr(row, name) != value for name, value in facts.items())
    for name, value in facts.items():
        setattr(row, name, value)
    if row.integration_id != integration.pk:
        differs = True
        row.integration = integration
        row.use_blueprint_routing = integration.use_blueprint_routing
        row.blueprint = None if integration.use_blueprint_routing else integration.live_blueprint
    row.changed_at = device.op_date or row.changed_at
    row.listed_at = listed_at
    return differs


def _target(integration: AdeIntegration) -> Target:
    return Target(integration.tenant, "ade_integration", integration.uuid, integration.server_name, "devices")
