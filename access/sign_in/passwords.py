"""The one way to a new password of a person who is there already, and how long a password has to be."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from access.audit.events import Actor, Target, log_event
from access.models import Administrator, AuditEvent
from access.models.admins import LONG_PASSWORD
from access.sign_in.authenticators import has_second_step

SHORTEST_PASSWORD = 8  # characters, of a person with a second step


class LengthValidator:
    """15 characters or more; 8 or more for a person who also has a second step."""

    def validate(self, password: str, user: Any = None) -> None:
        two_steps = isinstance(user, Administrator) and has_second_step(user)
        least = SHORTEST_PASSWORD if two_steps else LONG_PASSWORD
        if len(password) < least:
            raise ValidationError(
                f"This password is too short. It must contain at least {least} characters.", code="password_too_short"
            )

    def get_help_text(self) -> str:
        return f"At least {LONG_PASSWORD} characters, or {SHORTEST_PASSWORD} with two-step verification."


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
        person.save(update_fields=["password", "short_password", "joined_at", "updated_at"])
        log_event(
            target=Target(person.tenant, "user", person.id, person.name, "password"),
            actor=actor,
            action=AuditEvent.Action.UPDATE,
            summary=summary,
            metadata={"address": address} if address else None,
        )
