"""The number of devices, from the counts that are kept with each fleet."""

from django.db.models import Sum

from access.installation.state import Fact
from access.models import Tenant
from devices.models import Fleet


def size_facts() -> list[Fact]:
    """The devices of the installation."""
    count = Fleet.objects.aggregate(all=Sum("device_count"))["all"] or 0
    return [Fact("Devices", count, url="admin:devices_device_changelist")]


def tenant_size_facts(tenant: Tenant) -> list[Fact]:
    """The devices of the tenant."""
    fleet = Fleet.objects.filter(tenant=tenant).first()
    return [Fact("Devices", fleet.device_count if fleet else 0)]
