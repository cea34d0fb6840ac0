"""The one way to a new password of a person who is there already."""

from django.db import transaction
from django.utils import timezone

from access.audit.events import Actor, Target, log_event
from access.models import Administrator, AuditEvent


def change_password(
    *, person: Administrator, password: str, actor: Actor, summary: str = "Password changed", address: str = ""
) -> None:
    """Give the person another password, which the caller has validated. Their sessions end with their next request.

    `address` is where the actor is, if they came by a page. Raises TooManyAttempts if the hasher is busy.
    """
    person.set_password(password)  # it takes long, so no row is locked yet
    with transaction.atomic():
        Administrator.objects.select_for_update().get(pk=person.pk)
        person.joined_at = person.joined_at or timezone.now()
        person.save(update_fields=["password", "joined_at", "updated_at"])
        log_event(
            target=Target(person.tenant, "user", person.id, person.name, "password"),
            actor=actor,
            action=AuditEvent.Action.UPDATE,
            summary=summary,
            metadata={"address": address} if address else None,
        )
