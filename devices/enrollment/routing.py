"""Blueprint routing: the enrollment code of a tenant for devices that enroll without naming a blueprint."""

from functools import partial
from typing import Any

from django.db import transaction
from django.utils import timezone

from access.audit.events import Actor, Target, difference, log_event
from access.models import AuditEvent, Tenant
from access.retention import Kind, register
from devices.enrollment import codes as enrollment_codes
from devices.models import BlueprintRouting, RoutingActivity

# The name of each column in the activity.
ACTIVITY_NAMES = {"enrollment_code": "code", "enrollment_code_active": "is_active"}

register(
    Kind(
        name="activity of Blueprint routing",
        setting="IRU_KEEP_ACTIVITY",
        rows=lambda before: RoutingActivity.objects.filter(activity_time__lt=before),
        age="activity_time",
        indexed=False,
    )
)


def routing_of(tenant: Tenant) -> BlueprintRouting:
    """Return the tenant's blueprint routing, or an unsaved one that is inactive and has no code."""
    return BlueprintRouting.objects.filter(tenant=tenant).first() or BlueprintRouting(tenant=tenant)


@transaction.atomic
def update_routing(
    *, tenant: Tenant, actor: Actor, enrollment_code: str | None = None, enrollment_code_active: bool | None = None
) -> BlueprintRouting:
    """Change the enrollment code, or activate or deactivate it, and log the change in the routing activity.

    Arguments that are None stay unchanged. If the code is activated and there is none, routing gets a random one of six
    digits. Raises ValidationError for a code that a blueprint uses.
    """
    enrollment_codes.lock(tenant)
    routing = routing_of(tenant)
    if enrollment_code_active and not (enrollment_code or routing.enrollment_code):
        enrollment_code = enrollment_codes.generate(routing)
    fields = {"enrollment_code": enrollment_code, "enrollment_code_active": enrollment_code_active}
    changes = difference(_state(routing), {field: value for field, value in fields.items() if value is not None})
    if not changes:
        return routing
    if "enrollment_code" in changes:
        enrollment_codes.check(changes["enrollment_code"]["new"], routing)
    fresh = {field: change["new"] for field, change in changes.items()}
    fresh |= {field: getattr(routing, field) for field in enrollment_codes.end_generation(routing)}
    routing, _ = BlueprintRouting.objects.update_or_create(tenant=tenant, defaults=fresh)
    person = actor.administrator
    RoutingActivity.objects.create(
        tenant=tenant,
        activity_time=timezone.now(),
        activity_type="enrollment_settings_changed",
        user_id=str(person.id) if person else "",
        user_email=person.email if person else "",
        details={ACTIVITY_NAMES[field]: change for field, change in changes.items()},
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
    return {field: getattr(routing, field) for field in ACTIVITY_NAMES}
