"""Copy the rows of Prism of another tenant, for devices that were copied."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db import transaction

from access.audit.events import Actor, Target, log_event
from access.models import AuditEvent, Tenant
from devices.imports.tenant.groups import Written
from devices.imports.values import storable, uuid_or_none
from devices.inventory.known import forget_answers
from devices.prism.rows import store_rows


@transaction.atomic
def write_prism_rows(*, tenant: Tenant, category: str, rows: Iterable[Any], actor: Actor) -> Written:
    """Write some rows of a category, in the order of the source. Existing rows are updated, and none is removed."""
    written = Written()
    by_device: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        if isinstance(row, dict) and (uuid := uuid_or_none(row.get("device_id"))):
            by_device[uuid].append(storable(row))
    # Locked: what one of them answers at this moment is stored before this, or after it.
    known = tenant.devices.select_for_update(no_key=True).filter(uuid__in=by_device).order_by("pk")
    # A device that is new at the source does not exist here.
    reports = {pk: by_device[uuid] for uuid, pk in known.values_list("uuid", "pk")}
    forget_answers(reports)
    written.updated = store_rows(tenant=tenant, category=category, reports=reports, whole=False)
    if written.updated:
        log_event(
            target=Target.whole(tenant),
            actor=actor,
            action=AuditEvent.Action.UPDATE,
            summary="Prism rows imported",
            metadata={"category": category, "rows": written.updated},
        )
    return written
