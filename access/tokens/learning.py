"""Learn mode, and which permissions a token needs and does not need by its calls."""

import uuid
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from access.audit.events import Actor, log_event
from access.models import ApiToken, AuditEvent, Tenant, TokenUse
from access.permissions import Permission, catalogue
from access.tokens.lifecycle import locked, target_of

LEARNING = timedelta(hours=1)
UNUSED_DAYS = 90


@transaction.atomic
def start_learning(*, tenant: Tenant, token_id: uuid.UUID, actor: Actor) -> ApiToken:
    """For an hour, make each call that is refused for its permission a suggestion of the editor.

    Raises ApiToken.DoesNotExist for a revoked token.
    """
    token = locked(tenant, token_id)
    now = timezone.now()
    # Suggestions of an hour that has passed stay until the permissions are saved.
    token.learning_from, token.learning_until = token.learning_from or now, now + LEARNING
    token.save(update_fields=["learning_from", "learning_until"])
    log_event(target=target_of(token), actor=actor, action=AuditEvent.Action.UPDATE, summary="Token learn mode started")
    return token


@transaction.atomic
def stop_learning(*, tenant: Tenant, token_id: uuid.UUID, actor: Actor) -> ApiToken:
    """End learn mode, and forget its suggestions."""
    token = locked(tenant, token_id)
    if token.learning_from is not None:
        token.learning_from, token.learning_until = None, None
        token.save(update_fields=["learning_from", "learning_until"])
        summary = "Token learn mode ended"
        log_event(target=target_of(token), actor=actor, action=AuditEvent.Action.UPDATE, summary=summary)
    return token


def suggestions(token: ApiToken) -> list[Permission]:
    """The permissions that calls in learn mode lacked, and that the token still lacks."""
    if token.learning_from is None:
        return []
    refused = token.uses.filter(denied_at__gte=token.learning_from, denied_at__lte=token.learning_until)
    missing = set(refused.values_list("operation", flat=True)) - set(token.permissions)
    return catalogue.known(missing)


def unused_permissions(token: ApiToken) -> tuple[list[Permission], datetime | None]:
    """The permissions that the token has had for 90 days without using them.

    If calls have been counted for a shorter time, there are none, and the second value is the date of the first answer.
    """
    span = timedelta(days=UNUSED_DAYS)
    now = timezone.now()
    first = TokenUse.objects.filter(token__tenant=token.tenant_id).first_day()
    counted_since = datetime.combine(first, datetime.min.time(), now.tzinfo) if first else now
    known_from = max(counted_since, token.created_at) + span
    if known_from > now:
        return [], known_from
    used = token.uses.of_last(UNUSED_DAYS).filter(calls__gt=0).values_list("operation", flat=True)
    lately = token.tenant.audit_events.about("api_token", token.id).filter(occurred_at__gte=now - span)
    granted: set[str] = set()
    for changes in lately.values_list("changes", flat=True):
        granted.update((changes or {}).get("permissions", {}).get("added", []))
    return catalogue.known(set(token.permissions) - set(used) - granted), None
