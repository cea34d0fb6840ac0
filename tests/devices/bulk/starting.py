"""Bulk actions that are started without the pages."""

from collections import Counter
from typing import Any
from uuid import UUID, uuid4

from access.audit.events import Actor
from access.models import Administrator, Tenant
from devices.bulk.actions import start_bulk_action
from devices.bulk.changes import Change, SendCommand
from devices.commands import COMMANDS
from devices.models import BulkAction, Device, DeviceCommand
from tests.factories.devices import BlueprintFactory, DeviceFactory


def command(person: Administrator, id: str = "send_blankpush", **body: Any) -> SendCommand:
    assert person.tenant
    found = COMMANDS[id]
    return SendCommand(person.tenant, found, found.body.model_validate(body) if found.body else None)


def start(
    person: Administrator, change: Change[Any], targets: Any = None, *, id: UUID | None = None, at_most: int = 10**6
) -> BulkAction:
    """Start the change of these objects, or of all devices of the tenant."""
    assert person.tenant
    return start_bulk_action(
        tenant=person.tenant,
        id=id or uuid4(),
        change=change,
        targets=person.tenant.devices.order_by("name", "pk") if targets is None else targets,
        selection="Selected rows",
        at_most=at_most,
        actor=Actor.of(person),
    )


def outcomes(action: BulkAction) -> dict[str, tuple[str, str]]:
    """The status and the reason of each of its objects, by name."""
    return {row.name: (row.status, row.reason) for row in action.results.order_by("pk")}


def fleet(tenant: Tenant, count: int) -> list[Device]:
    blueprint = BlueprintFactory.create(tenant=tenant)
    return [DeviceFactory.create(tenant=tenant, blueprint=blueprint, name=f"Mac {n:03}") for n in range(count)]


def commands_of(tenant: Tenant) -> Counter[int]:
    return Counter(DeviceCommand.objects.filter(tenant=tenant).values_list("device", flat=True))


def sent_events(tenant: Tenant) -> Counter[str]:
    return Counter(tenant.audit_events.filter(target_component="commands").values_list("target_id", flat=True))
