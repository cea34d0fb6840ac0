from functools import partial
from typing import Any

from django.db import transaction
from django.utils import timezone

from access.audit.events import Actor, Target, difference, log_event
from access.models import AuditEvent, Tenant
from devices.enrollment import codes as enrollment_codes
from devices.models import BlueprintRouting, RoutingActivity

# What the activity calls each column.
PUBLIC = {"enrollment_code": "code", "enrollment_code_active": "is_active"}


def routing_of(tenant: Tenant) -> BlueprintRouting:
    """How the tenant routes its devices; inactive and without a code until somebody sets it up."""
    return BlueprintRouting.objects.filter(tenant=tenant).first() or BlueprintRouting(tenant=tenant)


@transaction.atomic
def update_routing(
    *, tenant: Tenant, actor: Actor, enrollment_code: str | None = None, enrollment_code_active: bool | None = None
) -> BlueprintRouting:
    """Change the code or whether it is active, and write that into the activity. What is not given stays.

    Activating it without a code makes one of six digits. Raises ValidationError for a code that a blueprint has.
    """
    enrollment_codes.lock(tenant)
    routing = routing_of(tenant)
    if enrollment_code_active and not (enrollment_code or routing.enrollment_code):
        enrollment_code = enrollment_codes.generate(routing)
    given = {"enrollment_code": enrollment_code, "enrollment_code_active": enrollment_code_active}
    changes = difference(_state(routing), {field: value for field, value in given.items() if value is not None})
    if not changes:
        return routing
    if "enrollment_code" in changes:
        enrollment_codes.check(changes["enrollment_code"]["new"], routing)
    routing, _ = BlueprintRouting.objects.update_or_create(
        tenant=tenant, defaults={field: change["new"] for field, change in changes.items()}
    )
    person = actor.administrator
    RoutingActivity.objects.create(
        tenant=tenant,
        activity_time=timezone.now(),
        activity_type="enrollment_settings_changed",
        user_id=str(person.id) if person else "",
        user_email=person.email if person else "",
        details={PUBLIC[field]: change for field, change in changes.items()},
    )
    log_event(
        target=Target(tenant, "blueprint_routing", tenant.pk, "Blueprint routing", state=partial(_state, routing)),
        actor=actor,
        action=AuditEvent.Action.UPDATE,
        summary="Blueprint routing updated",
        changes=changes,
    )
    return routing


def _state(routing: BlueprintRouting) -> dict[str, Any]:
    return {field: getattr(routing, field) for field in PUBLIC}
