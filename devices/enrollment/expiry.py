"""Credentials of Automated Device Enrollment that end soon, for the operators of the installation."""

from datetime import timedelta

from django.db.models import Count, Min
from django.utils import timezone

from access.installation.state import Fact
from devices.models import AdeIntegration

SOON = timedelta(days=30)


def expiry_facts() -> list[Fact]:
    """The server tokens of Apple that end within 30 days or have ended: renewing one needs a person."""
    ending = AdeIntegration.objects.filter(ciphertext__isnull=False, access_token_expiry__lt=timezone.now() + SOON)
    found = ending.aggregate(all=Count("pk"), next=Min("access_token_expiry"))
    if not found["all"]:
        return [Fact("ADE tokens that expire soon", 0, "within 30 days")]
    first = f"the first on {found['next']:%Y-%m-%d}"
    return [Fact("ADE tokens that expire soon", found["all"], first, alarm=True)]
