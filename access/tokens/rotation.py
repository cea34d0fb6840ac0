"""A new secret for a token that keeps its identity, permissions and history."""

import uuid
from datetime import datetime, timedelta

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from access.audit.events import Actor, log_event
from access.kinds import TOKEN_ROTATED
from access.models import ApiToken, AuditEvent, Tenant
from access.tokens.digests import digests
from access.tokens.lifecycle import AlreadySubmitted, IssuedToken, locked, target_of
from access.tokens.notices import notify

# How long the former secret goes on working; UNTIL_USED: until the first call with the new one.
UNTIL_USED = "until-used"
OVERLAPS: dict[str, timedelta] = {
    "none": timedelta(),
    "1h": timedelta(hours=1),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
}


class RotationUnderWay(ValidationError):
    """The secret before the last rotation still works, so a further one would have to end it."""

    def __init__(self) -> None:
        super().__init__("The secret before the last rotation still works. End the overlap first.")


@transaction.atomic
def rotate_token(
    *, tenant: Tenant, token_id: uuid.UUID, overlap: str, actor: Actor, submission: uuid.UUID | None = None
) -> IssuedToken:
    """Give the token a new secret. `overlap` is a key of OVERLAPS, or UNTIL_USED.

    `submission` identifies the opened form; its second use raises AlreadySubmitted. Raises RotationUnderWay while the
    last rotation overlaps, and ApiToken.DoesNotExist for a revoked token.
    """
    token = locked(tenant, token_id)
    if submission is not None and token.rotation == submission:
        raise AlreadySubmitted(token)
    if token.overlaps:
        raise RotationUnderWay
    now = timezone.now()
    secret = str(uuid.uuid4())
    newest = digests(secret)[0]
    token.previous_digest, token.previous_key_number, token.previous_until = None, None, None
    if overlap != "none":
        token.previous_digest, token.previous_key_number = token.digest, token.key_number
        token.previous_until = None if overlap == UNTIL_USED else now + OVERLAPS[overlap]
    token.digest, token.key_number = newest.value, newest.key_number
    token.rotated_at, token.rotation = now, submission
    token.save(
        update_fields=[
            "digest",
            "key_number",
            "previous_digest",
            "previous_key_number",
            "previous_until",
            "rotated_at",
            "rotation",
        ]
    )
    log_event(
        target=target_of(token),
        actor=actor,
        action=AuditEvent.Action.UPDATE,
        summary="Token rotated",
        changes={"former_secret": {"old": "works", "new": _end(overlap, token.previous_until)}},
    )
    notify(kind=TOKEN_ROTATED, token=token, actor=actor)
    return IssuedToken(token, secret)


@transaction.atomic
def end_overlap(*, tenant: Tenant, token_id: uuid.UUID, actor: Actor) -> ApiToken:
    """Have calls with the former secret refused from the commit on. Does nothing without one that works."""
    token = locked(tenant, token_id)
    if token.overlaps:
        forget_former(token)
        log_event(
            target=target_of(token),
            actor=actor,
            action=AuditEvent.Action.UPDATE,
            summary="Former secret of token ended",
        )
    return token


def end_overlap_on_use(token_id: uuid.UUID) -> None:
    """End an overlap that lasts until the new secret is used, because it was used now."""
    with transaction.atomic():
        token = ApiToken.objects.select_for_update().filter(pk=token_id, previous_until=None).first()
        if token is not None and token.previous_digest is not None:
            forget_former(token)


def forget_former(token: ApiToken) -> None:
    """Have calls with the former secret refused, of a token that the caller has locked."""
    token.previous_digest, token.previous_key_number, token.previous_until = None, None, None
    token.save(update_fields=["previous_digest", "previous_key_number", "previous_until"])


def _end(overlap: str, until: datetime | None) -> str:
    if overlap == UNTIL_USED:
        return "works until the first call with the new one"
    return f"works until {until:%Y-%m-%d %H:%M} UTC" if until else "ended at once"
