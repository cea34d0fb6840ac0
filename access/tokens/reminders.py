"""Reminders of tokens that expire soon: 30, 7 and 1 day before, each once."""

from datetime import datetime

from django.utils import timezone

from access.kinds import TOKEN_EXPIRING
from access.models import ApiToken
from access.notices.due import last_due, remind
from access.tasks.backend import task
from access.tokens.notices import notify

DAYS = (30, 7, 1)  # before the expiry


def reminded_at_once(expires_at: datetime | None) -> int | None:
    """The reminder that a new expiry needs no more: the person who sets it knows that it is so near."""
    return last_due(expires_at, timezone.now(), DAYS) if expires_at else None


@task()
def remind_of_expiries() -> None:
    """Notify of each token with a reminder due. A second run does nothing."""
    remind(ApiToken.objects.filter(revoked_at=None), ends="expires_at", days=DAYS, send=_remind)


def _remind(token: ApiToken, days: int) -> None:
    assert token.expires_at is not None  # noqa: S101 - `remind` finds no other
    notify(
        kind=TOKEN_EXPIRING,
        token=token,
        facts={"Expires": f"{token.expires_at:%Y-%m-%d %H:%M} UTC"},
        data={"days": days, "expires_at": token.expires_at.isoformat(timespec="seconds")},
    )
