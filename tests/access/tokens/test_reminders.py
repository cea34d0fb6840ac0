"""Reminders of an expiry: each once, at 30, 7 and 1 day, and none that the person who set it does not need."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from access.audit.events import Actor
from access.models import ApiToken, OwnerNotice
from access.tokens.lifecycle import edit_token, revoke_token
from access.tokens.reminders import remind_of_expiries
from tests.types import IssueToken

NOW = timezone.now()
DAY = timedelta(days=1)

type Reminded = Callable[[float], int]


@pytest.fixture
def reminded(monkeypatch: pytest.MonkeyPatch) -> Reminded:
    """`reminded(days)`: the number of reminders when the task runs so many days from now."""

    def run(days: float) -> int:
        monkeypatch.setattr("django.utils.timezone.now", lambda: NOW + days * DAY)
        before = OwnerNotice.objects.filter(kind="token.expiring").count()
        remind_of_expiries.call()
        remind_of_expiries.call()  # a second run reminds of nothing
        return OwnerNotice.objects.filter(kind="token.expiring").count() - before

    return run


def edit(token: ApiToken, expires_at: datetime | None) -> None:
    token.refresh_from_db()
    edit_token(
        tenant=token.tenant,
        token_id=token.id,
        name=token.name,
        description="",
        expires_at=expires_at,
        networks=(),
        version=token.version,
        actor=Actor.command("test"),
    )


def test_three_reminders_each_once(issue_token: IssueToken, reminded: Reminded) -> None:
    edit(issue_token(), NOW + 60 * DAY)
    moments = [0, 29.9, 30.1, 31, 52.9, 53.1, 58.9, 59.1, 59.9, 60.1, 70]
    assert [reminded(days) for days in moments] == [0, 0, 1, 0, 0, 1, 0, 1, 0, 0, 0]
    notice = OwnerNotice.objects.filter(kind="token.expiring").first()
    assert notice
    assert notice.facts["Expires"].startswith(f"{NOW + 60 * DAY:%Y-%m-%d}")


def test_a_worker_that_was_away_reminds_once(issue_token: IssueToken, reminded: Reminded) -> None:
    edit(issue_token(), NOW + 60 * DAY)
    assert reminded(59.5) == 1


def test_a_near_expiry_that_was_just_set_is_known(issue_token: IssueToken, reminded: Reminded) -> None:
    edit(issue_token(), NOW + 20 * DAY)
    assert [reminded(days) for days in (1, 12.9, 13.1)] == [0, 0, 1]


def test_a_later_expiry_begins_anew(issue_token: IssueToken, reminded: Reminded) -> None:
    token = issue_token()
    edit(token, NOW + 40 * DAY)
    assert reminded(11) == 1
    edit(token, NOW + 80 * DAY)
    assert [reminded(days) for days in (12, 49, 51)] == [0, 0, 1]


def test_a_revoked_token_needs_none(issue_token: IssueToken, reminded: Reminded) -> None:
    token = issue_token()
    edit(token, NOW + 40 * DAY)
    revoke_token(tenant=token.tenant, token_id=token.id, actor=Actor.command("test"))
    assert reminded(35) == 0
