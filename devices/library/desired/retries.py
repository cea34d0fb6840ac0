"""People have failed items tried again at once, before their time.

Locks are taken in the order of a session of the device: the device, its enrollment, its items.
"""

from uuid import UUID

from django.db import transaction

from access.audit.events import Actor, Target, log_event
from access.models import AuditEvent, Tenant
from devices.fleet.targets import device_target
from devices.library.desired import changes
from devices.library.desired.statuses import Statuses, again
from devices.library.desired.ways import WAYS
from devices.models import DeviceItem, LibraryItem

State = DeviceItem.State
AT_ONCE = 10_000  # devices; a person may ask again for the others
FRESH = {"state": State.WAITING, "attempts": 0, "next_at": None, "error": ""}


class NotFailed(Exception):
    """There is nothing to try again: it has succeeded, was tried again, or is gone meanwhile."""


@transaction.atomic
def retry(*, tenant: Tenant, device_id: UUID, item_id: UUID, actor: Actor) -> DeviceItem:
    """Have one device try a failed item again, as if it had never failed.

    Raises Device.DoesNotExist; LibraryItem.DoesNotExist for an item of which neither the device nor the Library knows;
    and NotFailed.
    """
    device = tenant.devices.select_for_update().get(uuid=device_id)
    row = device.items.select_related("item").filter(item_uuid=item_id).first()
    if row is None:
        tenant.library_items.only("pk").get(uuid=item_id)
        raise NotFailed
    if row.state != State.FAILED:
        raise NotFailed
    changes.reconsider([device.pk])
    for name, value in FRESH.items():
        setattr(row, name, value)
    row.save(update_fields=FRESH)
    statuses = Statuses(device)
    statuses.waits(row.item_id, WAYS[row.type].changing if row.shown else WAYS[row.type].pending)
    statuses.store()
    log_event(
        target=device_target(device, "library_items"),
        actor=actor,
        action=AuditEvent.Action.UPDATE,
        summary="Library Item tried again",
        metadata={"library_item": {"id": str(item_id), "name": row.item.name if row.item else ""}},
    )
    return row


def failures(item: LibraryItem) -> int:
    """On how many devices `retry_failed` would try the item again."""
    return item.device_items.filter(state=State.FAILED)[:AT_ONCE].count()


@transaction.atomic
def retry_failed(*, tenant: Tenant, item_id: UUID, actor: Actor) -> int:
    """Have all devices on which an item failed, 10,000 at most, try it again. They are woken one after the other.

    Returns their number. Raises LibraryItem.DoesNotExist, and NotFailed.
    """
    item = tenant.library_items.get(uuid=item_id)
    devices = _locked(tenant, item)
    rows = item.device_items.filter(device__in=devices, state=State.FAILED)
    shown = dict(rows.values_list("device", "shown"))  # once more: some have gone on before they were locked
    if not shown:
        raise NotFailed
    changes.reconsider_spread(shown)
    rows.update(**FRESH)
    way = WAYS[item.type]
    again(item, [device for device, version in shown.items() if not version], way.pending)
    again(item, [device for device, version in shown.items() if version], way.changing)
    log_event(
        target=Target(tenant, "library_item", item.uuid, item.name),
        actor=actor,
        action=AuditEvent.Action.UPDATE,
        summary="Library Item tried again on its devices",
        metadata={"devices": len(shown)},
    )
    return len(shown)


def _locked(tenant: Tenant, item: LibraryItem) -> list[int]:
    """The devices on which the item failed, locked in the order of their numbers."""
    failed = item.device_items.filter(state=State.FAILED).values("device")
    devices = tenant.devices.filter(pk__in=failed).order_by("pk").select_for_update()
    return list(devices.values_list("pk", flat=True)[:AT_ONCE])
