"""Changes to users: the people whom devices are assigned to."""

from functools import partial
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction

from access.audit.events import Actor, Target, difference, log_event
from access.models import AuditEvent, Tenant
from devices.conditions.facts import facts_changed
from devices.fleet import records
from devices.fleet.devices import UNSET, Unset
from devices.models import User

# The fields of a user that are part of the records of their devices.
DEVICE_RECORD_FIELDS = {"name", "email", "archived"}
# Those that conditions of assignment maps ask about.
CONDITION_FIELDS = {"department", "job_title"}


@transaction.atomic
def update_user(
    *,
    tenant: Tenant,
    user_id: UUID,
    actor: Actor,
    name: str | Unset = UNSET,
    email: str | Unset = UNSET,
    department: str | Unset | None = UNSET,
    job_title: str | Unset | None = UNSET,
    archived: bool | Unset = UNSET,
) -> User:
    """Change a user, in the records of their devices too; UNSET fields stay unchanged. Raises User.DoesNotExist."""
    user = tenant.users.select_for_update().get(uuid=user_id)
    fields = {"name": name, "email": email, "department": department, "job_title": job_title, "archived": archived}
    changes = difference(_state(user), {field: value for field, value in fields.items() if value is not UNSET})
    if changes:
        for field in changes:
            setattr(user, field, fields[field])
        user.save(update_fields=[*changes, "updated_at"])
        if DEVICE_RECORD_FIELDS & changes.keys():
            records.refresh_sharing(user.devices.values_list("pk", flat=True))
        if CONDITION_FIELDS & changes.keys():
            facts_changed(tenant.pk, user.devices.values_list("pk", flat=True))
        log_event(
            target=_target(user), actor=actor, action=AuditEvent.Action.UPDATE, summary="User updated", changes=changes
        )
    return user


@transaction.atomic
def delete_user(*, tenant: Tenant, user_id: UUID, actor: Actor) -> None:
    """Delete a user. Raises User.DoesNotExist, and ValidationError if devices are assigned to the user."""
    user = tenant.users.select_for_update().get(uuid=user_id)
    if user.devices.exists():
        raise ValidationError("User still assigned to one or more devices.")
    user.delete()
    log_event(target=_target(user), actor=actor, action=AuditEvent.Action.DELETE, summary="User deleted")


def _state(user: User) -> dict[str, Any]:
    return {field: getattr(user, field) for field in ("name", "email", "department", "job_title", "archived")}


def _target(user: User) -> Target:
    return Target(user.tenant, "user", user.uuid, user.name, state=partial(_state, user))
