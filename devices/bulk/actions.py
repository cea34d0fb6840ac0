"""Start and stop bulk actions. `devices.bulk.worker` carries them out."""

from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.db.models import BigIntegerField, CharField, Model, QuerySet, Value

from access.audit.events import Actor, Target, log_event
from access.database import allow_long_statements
from access.models import AuditEvent, Tenant
from devices.bulk.bodies import put_body
from devices.bulk.changes import Change
from devices.bulk.worker import end, run_bulk_action
from devices.models import BulkAction, BulkResult, Device

LONGEST_LABEL = 310


class SelectionGrew(ValidationError):
    """The selection has more rows now than the person was shown."""

    def __init__(self, total: int) -> None:
        super().__init__(f"More match now: {total:,}. Look at the numbers again.")


@transaction.atomic
def start_bulk_action[T: Model](
    *,
    tenant: Tenant,
    id: UUID,
    change: Change[T],
    targets: QuerySet[T],
    selection: str,
    at_most: int,
    actor: Actor,
) -> BulkAction:
    """Have a worker make the change to all of `targets`, which is read only once, here.

    `id` identifies the form: it starts one action, however often it is sent. Raises SelectionGrew for more than
    `at_most` objects, and ValidationError for none.
    """
    action = BulkAction(
        tenant=tenant,
        uuid=id,
        kind=change.kind,
        label=change.label[:LONGEST_LABEL],
        selection=selection[:1000],
        administrator=actor.administrator,
        requested_by=actor.name,
    )
    try:
        with transaction.atomic():
            action.save(force_insert=True)
    except IntegrityError:
        return tenant.bulk_actions.get(uuid=id)
    action.total = _freeze(action, targets)
    if not action.total:
        raise ValidationError("Nothing is selected.")
    if action.total > at_most:
        raise SelectionGrew(action.total)
    change.prepare(actor)
    stored = change.stored()
    action.parameters = stored.parameters
    put_body(action, stored.body)
    action.save(update_fields=["total", "parameters", "key_number", "ciphertext"])
    run_bulk_action.enqueue(action.pk)
    log_event(
        target=_target(action),
        actor=actor,
        action=AuditEvent.Action.CREATE,
        summary="Bulk action started",
        metadata={"kind": action.kind, **action.parameters, "selection": action.selection, "total": action.total},
    )
    return action


@transaction.atomic
def stop_bulk_action(*, tenant: Tenant, id: UUID, actor: Actor) -> None:
    """Skip all queued targets. An action that has ended stays as it is. Raises BulkAction.DoesNotExist."""
    action = tenant.bulk_actions.select_for_update().get(uuid=id)
    if action.ended_at:
        return
    end(action, BulkResult.Status.SKIPPED, f"Stopped by {actor.name}.")
    log_event(
        target=_target(action),
        actor=actor,
        action=AuditEvent.Action.UPDATE,
        summary="Bulk action stopped",
        metadata={"done": action.done, "skipped": action.skipped, "failed": action.failed},
    )


def _freeze[T: Model](action: BulkAction, targets: QuerySet[T]) -> int:
    """Store a result for each of the targets, in their order. Returns the number of targets.

    One INSERT … SELECT does it, so that this process reads no row, however many there are.
    """
    allow_long_statements()  # 100,000 devices take some seconds
    serial = "serial_number" if targets.model is Device else "no_serial"
    values = targets.annotate(
        action=Value(action.pk, BigIntegerField()),
        state=Value(BulkResult.Status.QUEUED.value, CharField()),
        no_reason=Value("", CharField()),
        no_serial=Value("", CharField()),
    ).values_list("action", "uuid", "name", serial, "state", "no_reason")
    select, parameters = values.query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO devices_bulkresult (action_id, target_uuid, name, serial_number, status, reason) " + select,
            parameters,
        )
        total: int = cursor.rowcount
    return total


def _target(action: BulkAction) -> Target:
    return Target(action.tenant, "bulk_action", action.uuid, action.label)
