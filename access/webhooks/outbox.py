"""Messages to webhooks. They are stored in the transaction of the change that they tell of, and sent by a worker."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from django.db import connection
from ulid import ULID

from access.kinds import AUDIT_EVENT, Kind
from access.models import AuditEvent, Tenant, Webhook, WebhookDelivery
from access.webhooks.delivery import deliver


def publish(*, tenant: Tenant, kind: Kind, data: dict[str, Any], at: datetime) -> None:
    """Store a message for each webhook that subscribes to the kind. Belongs inside the transaction of the change.

    Call it after `log_event`, as in `store`. `data` is sent: never pass a secret.
    """
    enabled = tenant.webhooks.filter(enabled=True).only("pk", "kinds")
    store([webhook for webhook in enabled if kind.id in webhook.kinds], kind, data, at)


def publish_event(event: AuditEvent) -> None:
    """Store a message about an audit event for each webhook that gets all of them. `log_event` calls it."""
    if event.tenant is not None:
        webhooks = event.tenant.webhooks.filter(enabled=True, audit=True).only("pk")
        store(webhooks, AUDIT_EVENT, public(event), event.occurred_at)


def store(webhooks: Iterable[Webhook], kind: Kind, data: dict[str, Any], at: datetime) -> list[WebhookDelivery]:
    """Store one message for these webhooks, and have a worker send it.

    PostgreSQL locks the row of the webhook for the new row. A change that also has an audit event calls this after
    `log_event`, so that the head of the trail is always locked first.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("A message is stored in the transaction of its change.")
    payload = json.dumps(
        {"type": kind.id, "timestamp": _moment(at), "data": data}, ensure_ascii=False, separators=(",", ":")
    )
    message_id = f"msg_{ULID()}"
    deliveries = [
        WebhookDelivery(
            webhook=webhook, message_id=message_id, kind=kind.id, payload=payload, next_attempt=at, created_at=at
        )
        for webhook in webhooks
    ]
    WebhookDelivery.objects.bulk_create(deliveries)
    for delivery in deliveries:
        deliver.enqueue(delivery.webhook_id)
    return deliveries


def public(event: AuditEvent) -> dict[str, Any]:
    """An event in the shape of the public audit API."""
    return {
        "id": event.ulid,
        "action": event.action,
        "occurred_at": _moment(event.occurred_at),
        "actor_id": event.actor_id,
        "actor_type": event.actor_type,
        "target_id": event.target_id,
        "target_type": event.target_type,
        "target_component": event.target_component,
        "new_state": event.new_state,
        "metadata": event.metadata,
    }


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
