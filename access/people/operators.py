"""Operators: the people who run the installation. They belong to no tenant."""

from django.db import transaction

from access.audit.events import Actor, Target, log_event
from access.models import Administrator, AuditEvent


@transaction.atomic
def create_operator(*, email: str, password: str | None, actor: Actor) -> Administrator:
    """Create a person who may do everything in Django admin. Without a password they can only use a reset link."""
    operator = Administrator.objects.create_superuser(email, password)
    log_event(
        target=Target(None, "user", operator.id, operator.name, state=lambda: {"email": operator.email}),
        actor=actor,
        action=AuditEvent.Action.CREATE,
        summary="Operator added",
    )
    return operator
