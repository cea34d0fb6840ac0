from django.db import transaction

from access.models import AuditEvent, AuditHead, Tenant
from access.services.audit import Actor, record


@transaction.atomic
def create_tenant(*, name: str, subdomain: str, actor: Actor) -> Tenant:
    """Create an organization. Raises ValidationError for a bad or taken subdomain."""
    tenant = Tenant(name=name, subdomain=subdomain)
    tenant.full_clean()
    tenant.save(force_insert=True)
    AuditHead.objects.create(tenant=tenant)
    record(
        tenant=tenant,
        actor=actor,
        action=AuditEvent.Action.CREATE,
        summary="Tenant created",
        target_type="tenant",
        target_id=tenant.pk,
        target_name=tenant.name,
    )
    return tenant
