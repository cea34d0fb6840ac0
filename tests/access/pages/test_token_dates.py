"""What the pages say of a token's dates, while the clock goes on."""

import re
from datetime import datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from access.models import Administrator, ApiToken
from tests.types import IssueToken

NOW = timezone.now().replace(microsecond=0)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def listed(owner: Administrator, monkeypatch: pytest.MonkeyPatch, now: datetime, query: str = "") -> str:
    """The rows of the token list, as text, when it is `now`."""
    monkeypatch.setattr("django.utils.timezone.now", lambda: now)
    client = Client()
    client.force_login(owner)
    page = client.get(f"/access/tokens/{query}").content.decode()
    body = page.split("<tbody", 1)[1].split("</tbody>")[0] if "<tbody" in page else ""
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


@pytest.mark.parametrize(
    ("passed", "words", "badge"),
    [
        (0 * DAY, "in 41 days", ""),
        (26 * DAY, "in 15 days", ""),
        (28 * DAY, "in 13 days", "Expires soon"),
        (39 * DAY + HOUR, "tomorrow", "Expires soon"),
        (41 * DAY - 3 * HOUR, "in 3 hours", "Expires soon"),
        (41 * DAY + 3 * HOUR, "3 hours ago", "Expired"),
        (42 * DAY + HOUR, "yesterday", "Expired"),
        (50 * DAY, "9 days ago", "Expired"),
    ],
)
def test_an_expiry_is_ahead_until_it_is_past(
    owner: Administrator,
    issue_token: IssueToken,
    monkeypatch: pytest.MonkeyPatch,
    passed: timedelta,
    words: str,
    badge: str,
) -> None:
    token = issue_token("list_devices", created_by=owner)
    ApiToken.objects.filter(pk=token.pk).update(created_at=NOW, last_used_at=NOW, expires_at=NOW + 41 * DAY)
    row = listed(owner, monkeypatch, NOW + passed)
    assert re.search(rf"{words} View Rotate", row), row  # the last cell before the actions
    assert [each for each in ("Expires soon", "Expired") if each in row] == ([badge] if badge else [])


@pytest.mark.slow
@pytest.mark.parametrize(("days", "unused"), [(9, False), (89, False), (91, True)])
@pytest.mark.parametrize("used", [True, False])
def test_a_token_is_unused_after_ninety_days(
    owner: Administrator, issue_token: IssueToken, monkeypatch: pytest.MonkeyPatch, days: int, unused: bool, used: bool
) -> None:
    token = issue_token("list_devices", created_by=owner, name="Wall board")
    made = NOW - 200 * DAY if used else NOW
    ApiToken.objects.filter(pk=token.pk).update(created_at=made, last_used_at=NOW if used else None)
    later = NOW + timedelta(days=days)
    assert ("Unused 90 d" in listed(owner, monkeypatch, later)) == unused
    assert ("Wall board" in listed(owner, monkeypatch, later, "?use=unused")) == unused
