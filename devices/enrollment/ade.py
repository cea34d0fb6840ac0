"""Create, renew, change and delete integrations with Automated Device Enrollment."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import Count
from django.utils import timezone

from access.audit.events import Actor, Target, difference, log_event
from access.models import AuditEvent, Tenant
from access.refusals import Refusal
from devices.enrollment import ade_keys
from devices.enrollment.ade_sync import sync_ade_integration
from devices.enrollment.apple import REQUEST, Account, AppleDevices, AppleRefused, AppleUnavailable
from devices.enrollment.server_tokens import ServerToken, refused
from devices.models import AdeDevice, AdeIntegration, Blueprint
from devices.references import get_referenced

BLUEPRINT_REQUIRED = "Required when not using blueprint routing"
ROUTED_BLUEPRINT = "Leave it out when using blueprint routing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """The defaults of devices that are assigned to the server later: Blueprint or routing, and the support contact."""

    blueprint_id: UUID | None
    use_blueprint_routing: bool
    email: str
    phone: str

    def check(self) -> None:
        """Raise a ValidationError for an invalid field."""
        if self.blueprint_id is None and not self.use_blueprint_routing:
            raise ValidationError({"blueprint_id": BLUEPRINT_REQUIRED})
        if self.blueprint_id is not None and self.use_blueprint_routing:
            raise ValidationError({"blueprint_id": ROUTED_BLUEPRINT})
        try:
            validate_email(self.email)
        except ValidationError as error:
            raise ValidationError({"email": error.messages}) from None

    def locked_blueprint(self, tenant: Tenant) -> Blueprint | None:
        """Return the Blueprint, locked: it cannot be deleted until the end of the transaction."""
        if self.blueprint_id is None:
            return None
        rows = tenant.blueprints.select_for_update(no_key=True).filter(uuid=self.blueprint_id)
        return get_referenced(rows, "blueprint_id", self.blueprint_id)


class AppleAway(Refusal):
    """Apple did not confirm the owner of the token, so the integration is not stored."""

    status = 503
    cause = "apple"

    def __init__(self) -> None:
        super().__init__("Apple's device enrollment service did not answer. Try again later.")

    def headers(self) -> dict[str, str]:
        return {"Retry-After": "60"}


def create_integration(
    *,
    tenant: Tenant,
    content: bytes,
    defaults: Defaults,
    actor: Actor,
) -> AdeIntegration:
    """Add the server of a token file, and have a worker fetch its devices.

    Raises ValidationError for a file that is not a usable token, and AppleAway if Apple's service does not answer.
    """
    defaults.check()
    token, account = _opened(tenant, content)
    with transaction.atomic():
        # The lock keeps two calls from adding the same server. It comes before the Blueprint's, as in every change.
        Tenant.objects.select_for_update(no_key=True).only("pk").get(pk=tenant.pk)
        blueprint = defaults.locked_blueprint(tenant)
        if tenant.ade_integrations.filter(server_uuid=account.server_uuid).exists():
            raise refused(f"The server “{account.server_name}” has an integration already. Renew that one.")
        integration = AdeIntegration(tenant=tenant)
        _put_defaults(integration, defaults, blueprint)
        _put_account(integration, token, account)
        integration.save(force_insert=True)
        sync_ade_integration.enqueue(integration.pk)
        log_event(
            target=target_of(integration),
            actor=actor,
            action=AuditEvent.Action.CREATE,
            summary="ADE integration created",
        )
    return integration


def renew_integration(
    *,
    tenant: Tenant,
    integration_id: UUID,
    content: bytes,
    defaults: Defaults,
    actor: Actor,
) -> AdeIntegration:
    """Replace the server token and the defaults. The integration keeps its id, its devices and its place in the list.

    Raises AdeIntegration.DoesNotExist, AppleAway and ValidationError, also for the token of another server.
    """
    known = tenant.ade_integrations.only("pk").get(uuid=integration_id)
    defaults.check()
    token, account = _opened(tenant, content)
    with transaction.atomic():
        blueprint = defaults.locked_blueprint(tenant)
        integration = tenant.ade_integrations.select_for_update().get(pk=known.pk)
        if account.server_uuid != integration.server_uuid:
            raise refused(
                f"This token belongs to another server, “{account.server_name}”. Add that server as an integration of "
                "its own."
            )
        before = _state(integration)
        _put_defaults(integration, defaults, blueprint)
        _put_account(integration, token, account)
        integration.save(update_fields=[*_DEFAULTS, *_ACCOUNT, *_TOKEN])
        sync_ade_integration.enqueue(integration.pk)
        log_event(
            target=target_of(integration),
            actor=actor,
            action=AuditEvent.Action.UPDATE,
            summary="ADE integration renewed",
            changes=difference(before, _state(integration)),
        )
    return integration


@transaction.atomic
def update_integration(
    *,
    tenant: Tenant,
    integration_id: UUID,
    defaults: Defaults,
    actor: Actor,
) -> AdeIntegration:
    """Change the defaults of devices that are assigned from now on. Devices that are already assigned keep theirs.

    Raises AdeIntegration.DoesNotExist and ValidationError.
    """
    pk = tenant.ade_integrations.values_list("pk", flat=True).get(uuid=integration_id)
    defaults.check()
    blueprint = defaults.locked_blueprint(tenant)
    integration = tenant.ade_integrations.select_for_update().get(pk=pk)
    before = _state(integration)
    _put_defaults(integration, defaults, blueprint)
    if changes := difference(before, _state(integration)):
        integration.save(update_fields=_DEFAULTS)
        log_event(
            target=target_of(integration),
            actor=actor,
            action=AuditEvent.Action.UPDATE,
            summary="ADE integration updated",
            changes=changes,
        )
    return integration


@transaction.atomic
def delete_integration(*, tenant: Tenant, integration_id: UUID, actor: Actor) -> None:
    """Delete an integration with its token and the records of its devices. Enrolled devices stay as they are.

    Raises AdeIntegration.DoesNotExist.
    """
    integration = tenant.ade_integrations.select_for_update().get(uuid=integration_id)
    count, _ = integration.devices.all().delete()
    integration.delete()
    log_event(
        target=target_of(integration),
        actor=actor,
        action=AuditEvent.Action.DELETE,
        summary="ADE integration deleted",
        metadata={"devices": count},
    )


@transaction.atomic
def request_sync(*, tenant: Tenant, integration_id: UUID, actor: Actor) -> AdeIntegration:
    """Have a worker sync the integration now. Raises AdeIntegration.DoesNotExist."""
    integration = tenant.ade_integrations.get(uuid=integration_id)
    sync_ade_integration.enqueue(integration.pk)
    log_event(
        target=target_of(integration),
        actor=actor,
        action=AuditEvent.Action.UPDATE,
        summary="ADE sync requested",
    )
    return integration


def device_counts(integrations: Iterable[AdeIntegration]) -> dict[int, dict[str, int]]:
    """Return the number of devices of each family for each integration, by its primary key. In one query."""
    counts: dict[int, dict[str, int]] = {integration.pk: {} for integration in integrations}
    found = AdeDevice.objects.filter(integration__in=counts).values_list("integration", "device_family")
    rows = {(pk, family): number for pk, family, number in found.annotate(number=Count("*")).order_by()}
    families = [*AdeDevice.Family.values, *sorted({family for _, family in rows} - {*AdeDevice.Family.values})]
    for pk, of_families in counts.items():
        of_families.update({family: rows[pk, family] for family in families if (pk, family) in rows})
    return counts


def target_of(integration: AdeIntegration) -> Target:
    return Target(
        integration.tenant,
        "ade_integration",
        integration.uuid,
        integration.server_name,
        state=partial(_state, integration),
    )


_DEFAULTS = ("blueprint", "use_blueprint_routing", "email", "phone")
_ACCOUNT = (*Account.model_fields, "stoken_file_name")
_TOKEN = ("access_token_expiry", "key_number", "ciphertext", "refusal", "refused_at")


def _opened(tenant: Tenant, content: bytes) -> tuple[ServerToken, Account]:
    """Return the token in the file, and its account at Apple. Call it outside a transaction: Apple may be slow."""
    token = ade_keys.open_server_token(tenant=tenant, content=content)
    try:
        with AppleDevices(token, REQUEST) as apple:
            return token, apple.account()
    except AppleRefused as error:
        raise refused(f"Apple does not accept this server token. {error}") from None
    except AppleUnavailable:
        raise AppleAway from None


def _put_account(integration: AdeIntegration, token: ServerToken, account: Account) -> None:
    for name, value in account:
        setattr(integration, name, value)
    uploaded = timezone.now().strftime("%Y-%m-%dT%H-%M-%SZ")
    integration.stoken_file_name = f"{account.server_name}_Token_{uploaded}_smime.p7m"
    ade_keys.put_server_token(integration, token)
    integration.refusal, integration.refused_at = "", None


def _put_defaults(integration: AdeIntegration, defaults: Defaults, blueprint: Blueprint | None) -> None:
    integration.blueprint, integration.use_blueprint_routing = blueprint, defaults.use_blueprint_routing
    integration.email, integration.phone = defaults.email, defaults.phone


def _state(integration: AdeIntegration) -> dict[str, Any]:
    return {
        "server_name": integration.server_name,
        "blueprint": integration.blueprint.name if integration.blueprint else None,
        "use_blueprint_routing": integration.use_blueprint_routing,
        "email": integration.email,
        "phone": integration.phone,
        "access_token_expiry": integration.access_token_expiry.isoformat(),
    }
