"""The life of a webhook: create, edit, enable, new secret, test, delete; and sending a message again."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from access.audit.events import Actor, difference, log_event
from access.kinds import SUBSCRIBABLE, WEBHOOK_TEST
from access.models import AuditEvent, Tenant, Webhook, WebhookDelivery
from access.webhooks import outbox
from access.webhooks.delivery import deliver
from access.webhooks.destinations import Refused, checked_url
from access.webhooks.facts import state, target
from access.webhooks.signing import keep_as_previous, new_secret, put_secret

MOST = 20  # webhooks of a tenant
OVERLAP = timedelta(hours=24)  # during which the previous secret signs too

Action = AuditEvent.Action


@dataclass(frozen=True, slots=True)
class IssuedSecret:
    """A webhook and its new signing secret. No other object ever holds the secret."""

    webhook: Webhook
    secret: str = field(repr=False)


class AlreadySubmitted(Exception):
    """The form was posted before; `webhook` is the one that it created then."""

    def __init__(self, webhook: Webhook) -> None:
        self.webhook = webhook


@transaction.atomic
def create_webhook(
    *, tenant: Tenant, url: str, kinds: Iterable[str], audit: bool, actor: Actor, submission: uuid.UUID | None = None
) -> IssuedSecret:
    """Add a webhook. `submission` identifies the opened form; its second use raises AlreadySubmitted.

    Raises ValidationError for a URL that webhooks may not send to, an unknown kind, or one webhook too many.
    """
    Tenant.objects.select_for_update(no_key=True).get(pk=tenant.pk)  # two at once are counted one after the other
    if submission and (earlier := Webhook.objects.filter(submission=submission).first()):
        if earlier.tenant_id == tenant.pk:
            raise AlreadySubmitted(earlier)
        raise ValidationError("This form was used before. Load the page again.")
    if tenant.webhooks.count() >= MOST:
        raise ValidationError(f"There are {MOST} webhooks already. Delete one that is not used.")
    secret = new_secret()
    webhook = Webhook(
        tenant=tenant,
        **_checked(url, kinds, audit=audit),
        audit=audit,
        created_by_name=actor.name,
        submission=submission,
    )
    put_secret(webhook, secret)
    try:
        with transaction.atomic():
            webhook.save(force_insert=True)
    except IntegrityError:  # the form of another tenant, at the same moment
        raise ValidationError("This form was used before. Load the page again.") from None
    log_event(target=target(webhook), actor=actor, action=Action.CREATE, summary="Webhook created")
    return IssuedSecret(webhook, secret)


@transaction.atomic
def edit_webhook(
    *, tenant: Tenant, webhook_id: uuid.UUID, url: str, kinds: Iterable[str], audit: bool, actor: Actor
) -> Webhook:
    """Change the URL and the subscribed events. Messages that wait are sent to the new URL.

    Raises ValidationError as `create_webhook` does, and Webhook.DoesNotExist.
    """
    webhook = _locked(tenant, webhook_id)
    before, old_url = state(webhook), webhook.url
    new = _checked(url, kinds, audit=audit)
    webhook.url, webhook.kinds, webhook.audit = new["url"], new["kinds"], audit
    changes = difference(before, state(webhook))
    if webhook.url != old_url:
        changes["url"] = {"old": before["url"], "new": state(webhook)["url"]}
        webhook.failures, webhook.failing_since, webhook.waits_until = 0, None, None
    if not changes:
        return webhook
    webhook.save(update_fields=["url", "kinds", "audit", "failures", "failing_since", "waits_until"])
    _log(webhook, actor, "Webhook edited", changes=changes)
    return webhook


@transaction.atomic
def set_enabled(*, tenant: Tenant, webhook_id: uuid.UUID, enabled: bool, actor: Actor) -> Webhook:
    """Enable or disable a webhook. Messages that wait stay for 30 days, and are sent once it is enabled again.

    While it is disabled, no new message is stored for it. Raises Webhook.DoesNotExist.
    """
    webhook = _locked(tenant, webhook_id)
    if webhook.enabled == enabled:
        return webhook
    webhook.enabled, webhook.stopped = enabled, "" if enabled else Webhook.Stopped.BY_HAND
    webhook.failures, webhook.failing_since, webhook.waits_until = 0, None, None
    webhook.save(update_fields=["enabled", "stopped", "failures", "failing_since", "waits_until"])
    summary = "Webhook enabled" if enabled else "Webhook disabled"
    _log(webhook, actor, summary, changes={"enabled": {"old": not enabled, "new": enabled}})
    if enabled:
        deliver.enqueue(webhook.pk)
    return webhook


@transaction.atomic
def replace_secret(*, tenant: Tenant, webhook_id: uuid.UUID, overlap: bool, actor: Actor) -> IssuedSecret:
    """Give a webhook a new signing secret. With `overlap` the previous one signs too for 24 hours.

    Raises ValidationError for an overlap while an earlier one lasts, SecretUnreadable, and Webhook.DoesNotExist.
    """
    webhook = _locked(tenant, webhook_id)
    now = timezone.now()
    if overlap and webhook.previous_until is not None and webhook.previous_until > now:
        raise ValidationError(
            "The secret was replaced within the last 24 hours, and one previous secret at most can sign too. "
            "Go on without the previous secret, or wait."
        )
    if overlap:
        keep_as_previous(webhook, now + OVERLAP)
    else:
        webhook.previous_key_number = webhook.previous_ciphertext = webhook.previous_until = None
    secret = new_secret()
    put_secret(webhook, secret)
    webhook.save(
        update_fields=["key_number", "ciphertext", "previous_key_number", "previous_ciphertext", "previous_until"]
    )
    _log(webhook, actor, "Webhook secret replaced", metadata={"previous_secret_signs_for_hours": 24 if overlap else 0})
    return IssuedSecret(webhook, secret)


@transaction.atomic
def send_test(*, tenant: Tenant, webhook_id: uuid.UUID, actor: Actor) -> WebhookDelivery:
    """Send a message of the kind `webhook.test`, at once. Raises ValidationError if the webhook is disabled."""
    webhook = _locked(tenant, webhook_id)
    _require_enabled(webhook)
    _end_wait(webhook)
    _log(webhook, actor, "Webhook tested")
    data = {"webhook": str(webhook.uuid), "actor": {"type": actor.type, "id": actor.id, "name": actor.name}}
    return outbox.store([webhook], WEBHOOK_TEST, data, timezone.now())[0]


@transaction.atomic
def redeliver(*, tenant: Tenant, webhook_id: uuid.UUID, delivery_id: uuid.UUID, actor: Actor) -> WebhookDelivery:
    """Send a message again, at once, with the same id and payload; a failure is followed by the usual attempts.

    Raises ValidationError if the webhook is disabled, Webhook.DoesNotExist and WebhookDelivery.DoesNotExist.
    """
    webhook = _locked(tenant, webhook_id)
    delivery: WebhookDelivery = webhook.deliveries.select_for_update(no_key=True).get(uuid=delivery_id)
    _require_enabled(webhook)
    _end_wait(webhook)
    delivery.state, delivery.attempts, delivery.next_attempt = WebhookDelivery.State.WAITING, 0, timezone.now()
    delivery.save(update_fields=["state", "attempts", "next_attempt"])
    _log(webhook, actor, "Webhook message sent again", metadata={"message_id": delivery.message_id})
    deliver.enqueue(webhook.pk)
    return delivery


@transaction.atomic
def delete_webhook(*, tenant: Tenant, webhook_id: uuid.UUID, actor: Actor) -> None:
    """Delete a webhook with its messages. Raises Webhook.DoesNotExist."""
    webhook = _locked(tenant, webhook_id)
    webhook.deliveries.all().delete()
    # The event comes first, because PostgreSQL lets the deletion wait for changes that store a message, and these hold
    # the head of the trail already.
    log_event(target=target(webhook), actor=actor, action=Action.DELETE, summary="Webhook deleted")
    webhook.delete()


def _checked(url: str, kinds: Iterable[str], *, audit: bool) -> dict[str, Any]:
    """The values to store. Raises ValidationError."""
    chosen = set(kinds)
    if unknown := chosen - {kind.id for kind in SUBSCRIBABLE}:
        raise ValidationError({"kinds": f"There is no event called {', '.join(sorted(unknown))}."})
    if not chosen and not audit:
        raise ValidationError({"kinds": "Choose at least one event, or every audit event."})
    try:
        return {"url": checked_url(url), "kinds": [kind.id for kind in SUBSCRIBABLE if kind.id in chosen]}
    except Refused as error:
        raise ValidationError({"url": str(error)}) from None


def _require_enabled(webhook: Webhook) -> None:
    if not webhook.enabled:
        raise ValidationError("The webhook is disabled. Enable it first.")


def _end_wait(webhook: Webhook) -> None:
    """Let the next attempt be made at once, although the last one failed."""
    webhook.waits_until = None
    webhook.save(update_fields=["waits_until"])


def _log(webhook: Webhook, actor: Actor, summary: str, **fields: Any) -> None:
    log_event(target=target(webhook), actor=actor, action=Action.UPDATE, summary=summary, **fields)


def _locked(tenant: Tenant, webhook_id: uuid.UUID) -> Webhook:
    """The webhook, locked so that a message can still be stored for it: the sender may hold the head of the trail."""
    webhook: Webhook = tenant.webhooks.select_for_update(no_key=True).get(uuid=webhook_id)
    return webhook
