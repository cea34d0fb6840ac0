"""The plan of a device: compares what its Blueprint gives it with what it has, and says which commands are missing.

The device is locked by the caller in every function here.
"""

from collections.abc import Iterable

from django.db.models import Q
from django.utils import timezone

from devices.library.desired import declared_packages, evidence, package_files
from devices.library.desired.evidence import UNKNOWN
from devices.library.desired.statuses import Statuses
from devices.library.desired.ways import WAYS, Way, Ways, planned_way_of, unfit, unfit_status, way_of, ways_of
from devices.library.kinds import platforms_of
from devices.library.scope import assigned_to
from devices.library.statuses import light
from devices.models import Device, DeviceItem, LibraryItem, Order

State = DeviceItem.State
COMPARED = ("item", "identifier", "declared", "wanted", "state", "attempts", "next_at", "error")
ORDERED = ("declared", "sent", "sent_at", "state", "attempts", "next_at", "error")


def plan(device: Device) -> list[Order]:
    """Bring the rows of the device in line with its Blueprint. Returns the commands that it is to get."""
    ways = ways_of(device)
    rows = {row.item_uuid: row for row in device.items.all()}
    before = declared_packages.revisions(rows.values())
    statuses = Statuses(device)
    fresh: list[DeviceItem] = []
    changed: list[DeviceItem] = []
    names: set[tuple[str, str]] = set()  # by which the device knows what it is to have
    for item in _items(device):
        row = rows.pop(item.uuid, None)
        if row is None:
            row = DeviceItem(device=device, item=item, item_uuid=item.uuid, type=item.type)
            fresh.append(row)
            _compare(row, item, device, ways, statuses)
        elif _compare(row, item, device, ways, statuses):
            changed.append(row)
        if row.wanted:
            names.add((row.type, row.identifier))
    changed += _unassigned(rows.values(), names, statuses)
    if fresh:
        DeviceItem.objects.bulk_create(fresh)
    if changed:
        DeviceItem.objects.bulk_update(changed, COMPARED)
    statuses.store()
    found = orders(device)
    if (before or ways is not WAYS) and before != declared_packages.revisions(device.items.all()):
        found.append(declared_packages.NEWS)
    return found


def orders(device: Device, *, looked: Way | None = None) -> list[Order]:
    """The commands for what waits, or failed so long ago that it is tried again, and the questions for what the device
    took and has not shown for a while. It has just been asked for what it has of the items that get there by `looked`.
    """
    again = Q(state__in=[State.FAILED, State.SENT], next_at__lte=timezone.now())
    due = device.items.filter(Q(state=State.WAITING) | again, type__in=WAYS)
    found: list[Order] = []
    changed: list[DeviceItem] = []
    statuses = Statuses(device)
    for row in due.order_by("pk"):
        way = planned_way_of(row)
        if row.state != State.WAITING or way.declared:
            changed.append(row)
        if way.declared:
            found += _declare(row, statuses)
        elif row.state == State.SENT:
            row.next_at = evidence.next_look(row.sent_at or timezone.now(), way)
            found += [Order(question) for question in way.asks]
        else:
            row.state, row.next_at = State.WAITING, None
            if way.looks_first and way is not looked:
                found += [Order(question) for question in way.asks]
            else:
                found.append(Order(way.install if row.wanted else way.remove, str(row.item_uuid)))
    if changed:
        DeviceItem.objects.bulk_update(changed, ORDERED)
    statuses.store()
    return found


def _declare(row: DeviceItem, statuses: Statuses) -> list[Order]:
    """Tell the device of an item that waits. If it was told and has not fetched the item, tell it again."""
    if row.state == State.SENT:
        evidence.look(row, UNKNOWN, statuses, timezone.now())
        return [declared_packages.NEWS] if row.state == State.SENT and not row.sent else []
    declared_packages.announce(row)
    return [declared_packages.NEWS]


def forget(device: Device) -> None:
    """The device is enrolled anew, or has left: nothing of what it had is known any more."""
    rows = device.items.all()
    device.library_statuses.filter(item__in=rows.values("item")).delete()
    rows.delete()


def _items(device: Device) -> list[LibraryItem]:
    """The active items that the device's Blueprint gives it, without their large contents."""
    items = light(device.tenant).select_related("ipa_app__file", "custom_app__file").annotate(**package_files.SCRIPTED)
    items = items.filter(active=True, pk__in=assigned_to(device))
    return [item for item in items.order_by("pk") if device.platform in platforms_of(item)]


def _compare(row: DeviceItem, item: LibraryItem, device: Device, ways: Ways, statuses: Statuses) -> bool:
    """Returns whether the row has changed."""
    reason = unfit(item, device, ways)
    if reason and not _removable(row):
        if (row.state, row.error) == (State.UNFIT, reason):
            return False
        row.wanted, row.state, row.attempts, row.next_at, row.error = "", State.UNFIT, 0, None, reason
        statuses.report(item.pk, unfit_status(item), reason)
        return True
    if reason:
        return _unwant(row)
    way = ways[item.type]
    # An item that is there stays as it came: the other way would install it once more.
    there = row.state == State.DONE or (row.state == State.SENT and row.sent)
    moves = bool(row.declared) != way.declared and not there
    if row.wanted == item.version and row.state != State.UNFIT and not moves:
        return False
    row.identifier, row.wanted = way.identifier(item), item.version
    row.attempts, row.next_at, row.error = 0, None, ""
    # A version that was delivered after the one it showed may be there by now, whether its answer arrived or not.
    if row.shown == item.version and row.sent in {"", item.version}:
        row.state = State.DONE
        statuses.report(item.pk, way.done)
    else:
        row.state, row.declared = State.WAITING, max(row.declared, 1) if way.declared else 0
        statuses.waits(item.pk, way.changing if row.shown else way.pending)
    return True


def _unassigned(rows: Iterable[DeviceItem], names: set[tuple[str, str]], statuses: Statuses) -> list[DeviceItem]:
    """Returns the rows that have changed. Those of items that the device never got, or keeps, are deleted: it keeps an
    app that another item brings, too, which the removal would take away again and again."""
    there: list[DeviceItem] = []
    over: list[DeviceItem] = []
    for row in rows:
        keeps = (row.type, row.identifier) in names or not _removable(row)
        (over if keeps else there).append(row)
    for row in over:
        statuses.drop(row.item_id)
    if over:
        DeviceItem.objects.filter(pk__in=[row.pk for row in over]).delete()
    return [row for row in there if _unwant(row)]


def _removable(row: DeviceItem) -> bool:
    """Whether the device may have the item, and can be told to remove it."""
    way = way_of(row)
    return bool(row.shown or row.sent) and way is not None and bool(way.remove)


def _unwant(row: DeviceItem) -> bool:
    """The device is to remove the item. Returns whether the row has changed."""
    if not row.wanted and row.state != State.UNFIT:
        return False
    row.wanted, row.state, row.attempts, row.next_at, row.error = "", State.WAITING, 0, None, ""
    return True
