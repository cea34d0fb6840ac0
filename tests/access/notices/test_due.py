"""Reminders of an end, of which each is sent once."""

from datetime import timedelta

import pytest
from django.utils import timezone

from access.models import ApiToken, Tenant
from access.notices.due import remind
from tests.types import IssueToken

pytestmark = pytest.mark.django_db


def test_a_row_that_changed_since_it_was_found_gets_no_reminder(issue_token: IssueToken) -> None:
    """The first reminder revokes the second token."""
    now = timezone.now()
    for hours in (1, 2, 3):
        ApiToken.objects.filter(pk=issue_token().pk).update(expires_at=now + timedelta(hours=hours))
    first, second, third = ApiToken.objects.order_by("expires_at")
    sent = []

    def send(token: ApiToken, days: int) -> None:
        sent.append((token, days))
        ApiToken.objects.filter(pk=second.pk).update(revoked_at=now)

    tokens = ApiToken.objects.filter(revoked_at=None)
    remind(tokens, ends="expires_at", days=(7, 1), send=send)
    assert sent == [(first, 1), (third, 1)]
    remind(tokens, ends="expires_at", days=(7, 1), send=send)
    assert len(sent) == 2


def test_a_suspended_organization_gets_no_reminder(issue_token: IssueToken, tenant: Tenant) -> None:
    ends_at = timezone.now() + timedelta(hours=1)
    for _ in range(2):
        ApiToken.objects.filter(pk=issue_token().pk).update(expires_at=ends_at)
    sent = []

    def send(token: ApiToken, days: int) -> None:
        sent.append(token)
        Tenant.objects.filter(pk=tenant.pk).update(active=False)

    remind(ApiToken.objects.all(), ends="expires_at", days=(7, 1), send=send)
    assert len(sent) == 1
