from functools import partial
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction

from access.models import AuditEvent, Tenant
from access.services.audit import Actor, Target, difference, record
from devices.models import User
from devices.services import records
from devices.services.devices import KEEP, Keep

SHOWN_ON_DEVICES = {"name", "email", "archived"}


@transaction.atomic
def update_user(
    *,
    tenant: Tenant,
    user_id: UUID,
    actor: Actor,
    name: str | Keep = KEEP,
    email: str | Keep = KEEP,
    department: str | Keep | None = KEEP,
    job_title: str | Keep | None = KEEP,
    archived: bool | Keep = KEEP,
) -> User:
    """Change what is given, in the records of the person's devices at once. Raises User.DoesNotExist."""
    user = tenant.users.select_for_update().get(uuid=user_id)
    given = {"name": name, "email": email, "department": department, "job_title": job_title, "archived": archived}
    changes = difference(_state(user), {field: value for field, value in given.items() if value is not KEEP})
    if changes:
        for field in changes:
            setattr(user, field, given[field])
        user.save(update_fields=[*changes, "updated_at"])
        if SHOWN_ON_DEVICES & changes.keys():
            records.refresh(list(user.devices.values_list("pk", flat=True)))
        record(
            target=_target(user), actor=actor, action=AuditEvent.Action.UPDATE, summary="User updated", changes=changes
        )
    return user


@transaction.atomic
def delete_user(*, tenant: Tenant, user_id: UUID, actor: Actor) -> None:
    """Delete a person who has no device. Raises User.DoesNotExist, and ValidationError for one who has."""
    user = tenant.users.select_for_update().get(uuid=user_id)
    if user.devices.exists():
        raise ValidationError("User still assigned to one or more devices.")
    record(target=_target(user), actor=actor, action=AuditEvent.Action.DELETE, summary="User deleted")
    user.delete()


def _state(user: User) -> dict[str, Any]:
    return {field: getattr(user, field) for field in ("name", "email", "department", "job_title", "archived")}


def _target(user: User) -> Target:
    return Target(user.tenant, "user", user.uuid, user.name, state=partial(_state, user))
