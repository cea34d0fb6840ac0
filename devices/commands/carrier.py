"""Whether something carries commands out to the devices of a tenant."""

from django.utils import timezone

from access.models import Tenant
from devices.models import PushCertificate


def carries_out_commands(tenant: Tenant) -> bool:
    """Whether this server can wake the tenant's devices. Until it can, commands wait in their queues."""
    certificates = PushCertificate.objects.filter(tenant=tenant, not_after__gt=timezone.now(), error="")
    return certificates.exclude(certificate="").exists()
