"""The lease that lets one worker at a time sync an ADE integration."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from devices.models import AdeIntegration

LEASE = timedelta(minutes=5)  # longer than a worker waits for one request to Apple's service


class LeaseLost(Exception):
    """Another worker syncs the integration, or the integration is deleted."""


class Lease:
    """The right of one worker to sync an integration. Its end time identifies the worker that has it.

    `started_with` is the integration as it was when the lease was taken.
    """

    def __init__(self, integration: AdeIntegration, until: datetime) -> None:
        self.started_with, self._until = integration, until

    @classmethod
    def take(cls, pk: int) -> "Lease | None":
        """Return a lease of the integration; None if another worker has one or the tenant is not active."""
        now = timezone.now()
        free = Q(leased_until=None) | Q(leased_until__lte=now)
        with transaction.atomic():
            rows = AdeIntegration.objects.select_for_update(of=("self",)).select_related("tenant")
            integration = rows.filter(free, pk=pk, tenant__active=True).first()
            if integration is None:
                return None
            integration.leased_until = now + LEASE
            integration.save(update_fields=["leased_until"])
        return cls(integration, now + LEASE)

    def locked(self) -> AdeIntegration:
        """Lock the integration in the caller's transaction, and extend the lease. Raises LeaseLost.

        So a worker that was frozen until its lease ended cannot write any more.
        """
        rows = AdeIntegration.objects.select_for_update(of=("self",)).select_related("tenant", "blueprint")
        integration = rows.filter(pk=self.started_with.pk, leased_until=self._until).first()
        if integration is None:
            raise LeaseLost
        self._until = max(timezone.now() + LEASE, self._until + timedelta(microseconds=1))
        integration.leased_until = self._until
        integration.save(update_fields=["leased_until"])
        return integration

    def give_back(self) -> None:
        """End the lease, unless another worker has one now."""
        AdeIntegration.objects.filter(pk=self.started_with.pk, leased_until=self._until).update(leased_until=None)
