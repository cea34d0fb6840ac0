"""The counts of a whole fleet, for the overview: a small fleet is counted for each request, a large one every few
minutes.

Counting 100,000 devices takes four times as long as the rest of the page: docs/decisions/fleet-summaries.md.
"""

from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from access.models import Tenant
from access.tasks.backend import task
from devices.fleet import statistics
from devices.models import Fleet, FleetSummary

LIVE = 10_000  # devices that are counted for each request
EVERY = timedelta(minutes=5)
OLDEST = timedelta(hours=1)  # no worker runs if a summary is older: a slow page is better than wrong numbers


@dataclass(frozen=True, slots=True)
class FleetCounts:
    """Counts of a fleet. `systems` has (platform, version, number); `encryption` counts Macs. Other counts are by name.

    `counted_at` is None if they were counted just now.
    """

    platforms: dict[str, int]
    systems: list[tuple[str, str, int]]
    check_ins: dict[str, int]
    encryption: dict[str, int]
    commands: dict[str, int]
    counted_at: datetime | None = None


_STORED = {field.name for field in fields(FleetCounts)} - {"counted_at"}


def fleet_counts(tenant: Tenant, *, devices: int) -> FleetCounts:
    """The counts of the tenant's fleet. `devices` is its size. For a large fleet they date from `counted_at`."""
    if devices > LIVE:
        recent = FleetSummary.objects.filter(tenant=tenant, counted_at__gte=timezone.now() - OLDEST)
        summary = recent.first()
        if summary and summary.counts.keys() == _STORED:  # another version may have stored it
            return FleetCounts(**summary.counts, counted_at=summary.counted_at)
    return FleetCounts(**_count(tenant, timezone.now()))


def summarize(tenant: Tenant) -> None:
    """Store the current counts of a large fleet."""
    if Fleet.objects.filter(tenant=tenant, device_count__gt=LIVE).exists():
        now = timezone.now()
        counts = {"counts": _count(tenant, now), "counted_at": now}
        FleetSummary.objects.update_or_create(tenant=tenant, defaults=counts)


@task()
def summarize_fleets() -> None:
    """Store the current counts of all large fleets. Harmless when it runs twice."""
    for tenant in Tenant.objects.filter(fleet__device_count__gt=LIVE).order_by("pk"):
        summarize(tenant)


def _count(tenant: Tenant, now: datetime) -> dict[str, Any]:
    encryption = statistics.by_encryption(tenant)
    systems = statistics.by_system(tenant)
    commands = {"waiting": statistics.waiting_commands(), "failed": statistics.failed_commands(now)}
    return {
        "platforms": statistics.by_platform(tenant),
        "systems": [(platform, version, number) for (platform, version), number in systems.items()],
        "check_ins": statistics.by_last_check_in(tenant, now),
        "encryption": {"on": encryption[True], "off": encryption[False], "unknown": encryption[None]},
        "commands": {name: statistics.devices_with_commands(tenant, condition) for name, condition in commands.items()},
    }
