"""Changes of tenants."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from access.audit.events import Actor, Target, difference, log_event
from access.models import AuditEvent, AuditHead, Tenant


@transaction.atomic
def create_tenant(*, name: str, subdomain: str, actor: Actor) -> Tenant:
    """Create an organization. Raises ValidationError for a bad or taken subdomain."""
    tenant = Tenant(name=name, subdomain=subdomain)
    tenant.full_clean()
    tenant.save(force_insert=True)
    AuditHead.objects.create(tenant=tenant)
    log_event(target=Target.whole(tenant), actor=actor, action=AuditEvent.Action.CREATE, summary="Tenant created")
    return tenant


@transaction.atomic
def edit_tenant(*, tenant_id: int, name: str, active: bool, actor: Actor) -> Tenant:
    """Rename, suspend or resume a tenant. While it is suspended, its people and its tokens are refused.

    Raises ValidationError for a missing or overlong name, and for a tenant whose deletion has begun.
    """
    tenant = Tenant.objects.select_for_update(no_key=True).get(pk=tenant_id)
    if active and tenant.deletion_began_at:
        raise ValidationError("It is being deleted, and cannot be used again.")
    new = {"name": name, "active": active}
    if not (changes := difference({"name": tenant.name, "active": tenant.active}, new)):
        return tenant
    tenant.name, tenant.active = name, active
    tenant.full_clean()
    tenant.save(update_fields=list(changes))
    summary = "Tenant renamed"
    if "active" in changes:
        summary = "Tenant resumed" if active else "Tenant suspended"
    log_event(
        target=Target.whole(tenant), actor=actor, action=AuditEvent.Action.UPDATE, summary=summary, changes=changes
    )
    return tenant


@transaction.atomic
def set_token_rule(*, tenant: Tenant, longest_token_days: int | None, actor: Actor) -> None:
    """Have every token that is created or edited from now on expire within so many days; None ends the rule.

    Raises ValidationError for less than one day or more than ten years.
    """
    _set_rule(tenant, actor, "Rule for tokens changed", longest_token_days=longest_token_days)


@transaction.atomic
def require_second_step(*, tenant: Tenant, required: bool, actor: Actor) -> None:
    """Have every administrator of the tenant set up two-step verification before they use another page, or end that."""
    _set_rule(tenant, actor, "Rule for signing in changed", second_step_required=required)


@transaction.atomic
def set_call_limits(*, tenant: Tenant, per_hour: int, per_second: int, actor: Actor) -> None:
    """Limit the calls of all the tenant's tokens together, from the next call on.

    Raises ValidationError for less than one call, or more than a billion.
    """
    _set_rule(tenant, actor, "Limits of calls changed", calls_per_hour=per_hour, calls_per_second=per_second)


def _set_rule(tenant: Tenant, actor: Actor, summary: str, **new: Any) -> None:
    row = Tenant.objects.select_for_update(no_key=True).get(pk=tenant.pk)
    if not (changes := difference({name: getattr(row, name) for name in new}, new)):
        return
    for name, value in new.items():
        setattr(row, name, value)
    row.clean_fields(exclude={field.name for field in row._meta.fields} - new.keys())
    row.save(update_fields=list(new))
    log_event(
        target=Target.whole(row),
        actor=actor,
        action=AuditEvent.Action.UPDATE,
        summary=summary,
        changes=changes,
    )
