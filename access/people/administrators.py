"""Changes of the administrators of a tenant."""

from functools import partial
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction

from access.audit.events import Actor, Target, log_event
from access.models import Administrator, AuditEvent, Role, Tenant


@transaction.atomic
def create_administrator(
    *,
    tenant: Tenant,
    email: str,
    role: Role,
    actor: Actor,
    first_name: str = "",
    last_name: str = "",
    password: str | None = None,
) -> Administrator:
    """Create a person of the tenant. Without a password they can only use a reset link.

    Raises ValidationError for a bad or taken address, a second Account Owner or a password that is easy to guess.
    """
    administrator = Administrator(
        tenant=tenant,
        email=email.strip().lower(),
        first_name=first_name,
        last_name=last_name,
        role=role,
    )
    if password is not None:
        validate_password(password, administrator)
    administrator.set_password(password)
    administrator.full_clean(exclude=["password"])
    administrator.save(force_insert=True)
    log_event(
        target=_target(administrator), actor=actor, action=AuditEvent.Action.CREATE, summary="Administrator added"
    )
    return administrator


@transaction.atomic
def remove_administrator(*, administrator: Administrator, actor: Actor) -> None:
    """Delete a person. The tokens they created stay active and keep the name of their creator.

    Raises ValidationError for the Account Owner: a tenant always has one.
    """
    if administrator.role == Role.OWNER:
        raise ValidationError("The Account Owner cannot be removed. Transfer the ownership first.")
    target = _target(administrator)  # a deleted object has no id
    administrator.delete()
    log_event(
        target=target,
        actor=actor,
        action=AuditEvent.Action.DELETE,
        summary="Administrator removed",
        metadata=_state(administrator),
    )


def _target(administrator: Administrator) -> Target:
    if administrator.tenant is None:
        raise ValidationError("Operators belong to no tenant and are managed with createsuperuser.")
    return Target(
        administrator.tenant, "user", administrator.id, administrator.name, state=partial(_state, administrator)
    )


def _state(administrator: Administrator) -> dict[str, Any]:
    return {"email": administrator.email, "role": administrator.role}
