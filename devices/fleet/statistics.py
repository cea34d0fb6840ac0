"""Counts of a tenant's devices, each by one fact, with one query on one index."""

from datetime import datetime, timedelta

from django.db.models import Count, Q

from access.models import Tenant
from devices.models import DeviceCommand, Platform

FAILED_DAYS = 7  # days for which a failed command is shown
# Time spans of the last check-in, newest first. Each ends where the one before it begins.
SPANS: dict[str, timedelta | None] = {
    "day": timedelta(days=1),
    "days": timedelta(days=7),
    "weeks": timedelta(days=30),
    "longer": None,
}


def by_platform(tenant: Tenant) -> dict[str, int]:
    counts = tenant.devices.order_by().values("platform").annotate(devices=Count("*"))
    return dict(counts.values_list("platform", "devices"))


def by_system(tenant: Tenant) -> dict[tuple[str, str], int]:
    """Numbers of devices by platform and version of the operating system."""
    counts = tenant.devices.order_by().values("os_version", "platform").annotate(devices=Count("*"))
    return {(platform, version): n for platform, version, n in counts.values_list("platform", "os_version", "devices")}


def by_last_check_in(tenant: Tenant, now: datetime) -> dict[str, int]:
    """Numbers of devices by the names of SPANS, and `never`."""
    counts: dict[str, Count] = {name: Count("pk", filter=in_span(name, now)) for name in (*SPANS, "never")}
    return tenant.devices.aggregate(**counts)


def in_span(name: str, now: datetime) -> Q:
    """The condition that a device's last check-in is in the span."""
    if name == "never":
        return Q(last_check_in=None)
    names = list(SPANS)
    newer = SPANS[names[names.index(name) - 1]] if name != names[0] else None
    condition = Q(last_check_in__lt=now - newer) if newer else Q()
    oldest = SPANS[name]
    return condition & Q(last_check_in__gte=now - oldest) if oldest else condition


def by_encryption(tenant: Tenant) -> dict[bool | None, int]:
    """Numbers of Macs by whether FileVault is on; None for Macs that have not reported it."""
    macs = tenant.devices.filter(platform=Platform.MAC).order_by()
    counts = macs.values("filevault_enabled").annotate(devices=Count("*"))
    return {True: 0, False: 0, None: 0} | dict(counts.values_list("filevault_enabled", "devices"))


def waiting_commands() -> Q:
    return Q(status__in=DeviceCommand.UNFINISHED)


def failed_commands(now: datetime) -> Q:
    return Q(status=DeviceCommand.Status.FAILED, date_completed__gte=now - timedelta(days=FAILED_DAYS))


def devices_with_commands(tenant: Tenant, condition: Q) -> int:
    return tenant.device_commands.filter(condition).aggregate(devices=Count("device", distinct=True))["devices"]  # type: ignore[no-any-return]
