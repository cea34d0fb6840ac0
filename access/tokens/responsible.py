"""The person who is asked about a token, such as one whose creator has left."""

import uuid

from django.core.exceptions import ValidationError
from django.db import transaction

from access.audit.events import Actor, log_event
from access.models import ApiToken, AuditEvent, Tenant
from access.tokens.lifecycle import locked, target_of


@transaction.atomic
def assign_responsible(*, tenant: Tenant, token_id: uuid.UUID, person_id: uuid.UUID | None, actor: Actor) -> ApiToken:
    """Make an active administrator of the tenant responsible for the token. None removes the responsible person.

    Changes nothing about what the token may do. Raises ValidationError for anybody else, and ApiToken.DoesNotExist for
    a revoked token.
    """
    token = locked(tenant, token_id)
    if person_id == token.responsible_id:
        return token
    person = tenant.administrators.filter(pk=person_id, is_active=True).first() if person_id else None
    if person_id and person is None:
        raise ValidationError({"person": "This person is not an active administrator."})
    before, token.responsible = token.responsible, person
    token.save(update_fields=["responsible"])
    log_event(
        target=target_of(token),
        actor=actor,
        action=AuditEvent.Action.UPDATE,
        summary="Responsible person changed",
        changes={"responsible": {"old": before.name if before else "", "new": person.name if person else ""}},
    )
    return token
