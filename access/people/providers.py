"""The OpenID Connect provider of a tenant: set up, changed and removed by its administrators."""

from allauth.socialaccount.models import SocialAccount
from django.core.exceptions import ValidationError
from django.db import transaction

from access.audit.events import Actor, Target, difference, log_event
from access.models import AuditEvent, IdentityProvider, Tenant
from access.sign_in.providers import ProviderAway, check_issuer, configuration, forget, put_secret

SHOWN = ("name", "issuer", "client_id", "required")  # in the trail; never the secret


def save_provider(
    *, tenant: Tenant, name: str, issuer: str, client_id: str, client_secret: str, required: bool, actor: Actor
) -> IdentityProvider:
    """Set up the provider of the tenant, or change it. An empty secret keeps the one before.

    The endpoints are read from the provider first. With another issuer everybody is recognized by address again.
    Raises ValidationError for bad values, and if the provider cannot be reached.
    """
    issuer = check_issuer(issuer)
    forget(issuer)
    try:
        configuration(issuer)  # over the network, so no row is locked yet
    except ProviderAway as error:
        raise ValidationError({"issuer": str(error)}) from None
    with transaction.atomic():
        return _save(tenant, actor, client_secret, name=name, issuer=issuer, client_id=client_id, required=required)


@transaction.atomic
def remove_provider(*, tenant: Tenant, actor: Actor) -> None:
    """Let people sign in with their passwords again. Those who have none get one by *Forgot your password?*."""
    provider = IdentityProvider.objects.select_for_update(no_key=True).get(tenant=tenant)
    provider.delete()
    SocialAccount.objects.filter(provider=tenant.subdomain).delete()
    log_event(
        target=_target(provider), actor=actor, action=AuditEvent.Action.DELETE, summary="Identity provider removed"
    )


def _save(tenant: Tenant, actor: Actor, client_secret: str, **new: object) -> IdentityProvider:
    Tenant.objects.select_for_update(no_key=True).get(pk=tenant.pk)
    provider = IdentityProvider.objects.filter(tenant=tenant).first()
    is_new = provider is None
    provider = provider or IdentityProvider(tenant=tenant)
    if is_new and not client_secret:
        raise ValidationError({"client_secret": "Enter the client secret that the provider gave you."})
    changes = difference({name: None if is_new else getattr(provider, name) for name in SHOWN}, new)
    for name, value in new.items():
        setattr(provider, name, value)
    if client_secret:
        put_secret(provider, client_secret)
    provider.full_clean(exclude=["ciphertext", "tenant"])
    provider.save()
    if "issuer" in changes:
        SocialAccount.objects.filter(provider=tenant.subdomain).delete()
    if changes or client_secret:
        log_event(
            target=_target(provider),
            actor=actor,
            action=AuditEvent.Action.CREATE if is_new else AuditEvent.Action.UPDATE,
            summary="Identity provider set up" if is_new else "Identity provider changed",
            changes=changes,
            metadata={"new_secret": True} if client_secret and not is_new else None,
        )
    return provider


def _target(provider: IdentityProvider) -> Target:
    tenant = provider.tenant
    return Target(tenant, "tenant", tenant.pk, tenant.name, "identity_provider")
