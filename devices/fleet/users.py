from functools import partial
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction

from access.audit.events import Actor, Target, difference, log_event
from access.models import AuditEvent, Tenant
from devices.fleet import records
from devices.fleet.devices import UNSET, Unset
from devices.models import User

SHOWN_ON_DEVICES = {"name", "email", "archived"}


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
    """Change what is given, in the records of the person's devices at once. Raises User.DoesNotExist."""
    user = tenant.users.select_for_update().get(uuid=user_id)
    given = {"name": name, "email": email, "department": department, "job_title": job_title, "archived": archived}
    changes = difference(_state(user), {field: value for field, value in given.items() if value is not UNSET})
    if changes:
        for field in changes:
            setattr(user, field, given[field])
        user.save(update_fields=[*changes, "updated_at"])
        if SHOWN_ON_DEVICES & changes.keys():
            records.refresh(list(user.devices.values_list("pk", flat=True)))
        log_event(
            target=_target(user), actor=actor, action=AuditEvent.Action.UPDATE, summary="User updated", changes=changes
        )
    return user


@transaction.atomic
def delete_user(*, tenant: Tenant, user_id: UUID, actor: Actor) -> None:
    """Delete a person who has no device. Raises User.DoesNotExist, and ValidationError for one who has."""
    user = tenant.users.select_for_update().get(uuid=user_id)
    if user.devices.exists():
        raise ValidationError("User still assigned to one or more devices.")
    log_event(target=_target(user), actor=actor, action=AuditEvent.Action.DELETE, summary="User deleted")
    user.delete()


def _state(user: User) -> dict[str, Any]:
    return {field: getattr(user, field) for field in ("name", "email", "department", "job_title", "archived")}


def _target(user: User) -> Target:
    return Target(user.tenant, "user", user.uuid, user.name, state=partial(_state, user))
