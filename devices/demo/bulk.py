"""Bulk actions of the demo fleet, which ended some days ago."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from access.models import Tenant
from devices.bulk.changes import TAGGED
from devices.commands import COMMANDS
from devices.demo.history import ADMINISTRATOR
from devices.demo.library import fixed_id
from devices.models import BulkAction, BulkResult, Platform

INVENTORY = COMMANDS["update_inventory"]
Kind, Status = BulkAction.Kind, BulkResult.Status
type Rows = Iterable[tuple[UUID, str, str]]


class _Past(NamedTuple):
    """An action that ended. `skipped` is the reason for which the first `few` of its rows were skipped."""

    kind: BulkAction.Kind
    label: str
    selection: str
    days: int
    few: int
    skipped: str
    rows: Rows


def add_bulk_actions(*, tenant: Tenant, now: datetime, limit: int) -> None:
    """Add the bulk actions, each for up to `limit` devices, to a tenant that has none."""
    if tenant.bulk_actions.exists():
        return
    devices = tenant.devices.order_by("name", "pk").values_list("uuid", "name", "serial_number")
    items = tenant.library_items.filter(assignments__blueprint__name="Company Macs").order_by("name", "pk").distinct()
    past = (
        _Past(
            Kind.ASSIGN_ITEM,
            "Assign to “Company Macs”",
            "Selected rows",
            9,
            1,
            "Already on this Blueprint.",
            [(uuid, name, "") for uuid, name in items.values_list("uuid", "name")[:6]],
        ),
        _Past(
            Kind.ADD_TAG,
            "Add tag “Kiosk”",
            "All that match (Platform: iPad)",
            5,
            2,
            TAGGED,
            devices.filter(platform=Platform.IPAD, tags__name="Kiosk")[:limit],
        ),
        _Past(
            Kind.COMMAND,
            INVENTORY.label,
            "All that match (Platform: Mac)",
            2,
            3,
            INVENTORY.already_running,
            devices.filter(platform=Platform.MAC)[:limit],
        ),
    )
    for number, each in enumerate(past):
        _add(tenant, number, each, now - timedelta(days=each.days, minutes=17 * number))


def _add(tenant: Tenant, number: int, past: _Past, at: datetime) -> None:
    rows = list(past.rows)
    few = min(past.few, len(rows))
    action = BulkAction.objects.create(
        tenant=tenant,
        uuid=fixed_id("bulk action", tenant.pk, number),
        kind=past.kind,
        label=past.label,
        selection=past.selection,
        requested_by=ADMINISTRATOR,
        created_at=at,
        moved_at=at + timedelta(seconds=4),
        ended_at=at + timedelta(seconds=4),
        total=len(rows),
        done=len(rows) - few,
        skipped=few,
    )
    BulkResult.objects.bulk_create(
        BulkResult(
            action=action,
            target_uuid=uuid,
            name=name,
            serial_number=serial_number,
            status=Status.SKIPPED if place < few else Status.DONE,
            reason=past.skipped if place < few else "",
        )
        for place, (uuid, name, serial_number) in enumerate(rows)
    )
