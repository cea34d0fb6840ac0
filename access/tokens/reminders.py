"""Reminders of tokens that expire soon: 30, 7 and 1 day before, each once."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from access.kinds import TOKEN_EXPIRING
from access.models import ApiToken
from access.notices.due import last_due
from access.tasks.backend import task
from access.tokens.notices import notify

DAYS = (30, 7, 1)  # before the expiry


def reminded_at_once(expires_at: datetime | None) -> int | None:
    """The reminder that a new expiry needs no more: the person who sets it knows that it is so near."""
    return last_due(expires_at, timezone.now(), DAYS) if expires_at else None


@task()
def remind_of_expiries() -> None:
    """Notify of each token with a reminder due. A second run does nothing, because each one is noted on the token."""
    now = timezone.now()
    near = ApiToken.objects.filter(
        Q(reminded_days=None) | Q(reminded_days__gt=min(DAYS)),
        revoked_at=None,
        tenant__active=True,
        expires_at__gt=now,
        expires_at__lte=now + timedelta(days=max(DAYS)),
    )
    for token_id in near.order_by("expires_at", "pk").values_list("pk", flat=True):
        _remind(token_id)


@transaction.atomic
def _remind(token_id: UUID) -> None:
    token = ApiToken.objects.select_for_update(of=("self",)).select_related("tenant").get(pk=token_id)
    expires_at = token.expires_at
    now = timezone.now()
    if token.revoked_at is not None or expires_at is None or expires_at <= now:
        return
    due = last_due(expires_at, now, DAYS)
    if due is None or (token.reminded_days is not None and token.reminded_days <= due):
        return
    token.reminded_days = due
    token.save(update_fields=["reminded_days"])
    notify(
        kind=TOKEN_EXPIRING,
        token=token,
        facts={"Expires": f"{expires_at:%Y-%m-%d %H:%M} UTC"},
        data={"days": due, "expires_at": expires_at.isoformat(timespec="seconds")},
    )
