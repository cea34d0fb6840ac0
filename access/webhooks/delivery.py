"""Sending the messages of webhooks, by a worker: at least once each, and in no promised order.

A failed message is tried again after the DELAYS. The webhook itself waits too, longer after each failure in a row, so
that a receiver that hangs costs the worker one attempt of five seconds for each delay, however many messages wait.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from access import metrics
from access.audit.events import Actor, log_event
from access.kinds import WEBHOOK_DISABLED
from access.models import AuditEvent, Webhook, WebhookDelivery
from access.notices.mail import mail_owners
from access.retention import Kind, delete_old, register
from access.sealing import SecretUnreadable
from access.tasks.backend import task
from access.webhooks.facts import page_path, shown_url, target
from access.webhooks.signing import headers

# Before the second to the tenth attempt, as Standard Webhooks recommends: 75 hours in all.
DELAYS = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
MOST_FAILURES = len(DELAYS) + 1  # in a row, and over so many days: then the webhook is disabled
FAILING_FOR = timedelta(days=3)
# More than an attempt takes, and less than the lease of a task: the second run of a task whose worker was killed finds
# its message due.
CLAIM = timedelta(seconds=12)
BUDGET = 10.0  # seconds of one task; the tasks of others go first then
BATCH = 1000  # rows that one statement deletes
GONE = 410

MESSAGES = register(
    Kind(
        name="messages of webhooks",
        setting="IRU_KEEP_DELIVERIES",
        rows=lambda before: WebhookDelivery.objects.filter(created_at__lt=before),
        age="created_at",
        indexed=True,
    )
)


@dataclass(frozen=True, slots=True)
class Result:
    """How an attempt went. `status` and `answer` are those of the receiver, if it answered."""

    delivered: bool
    status: int | None = None
    answer: str = ""
    error: str = ""


@task()
def deliver(webhook_id: int) -> None:
    """Send the messages of a webhook that are due. A second run finds none of those that the first one sent."""
    end = monotonic() + BUDGET
    while monotonic() < end:
        delivery = _claim(webhook_id)
        if delivery is None:
            return
        result = _attempt(delivery)
        metrics.webhook_attempts.inc("delivered" if result.delivered else "failed")
        _record(delivery, result)
    deliver.enqueue(webhook_id)


@task()
def deliver_waiting() -> None:
    """Have the messages sent that are due: those to try again, and those whose worker was lost."""
    now = timezone.now()
    due = WebhookDelivery.objects.due(now).filter(webhook=OuterRef("pk"))
    for webhook_id in _ready(now).filter(Exists(due.order_by())).values_list("pk", flat=True):
        deliver.enqueue(webhook_id)


@task()
def prune_deliveries() -> None:
    """Delete old messages, also those that still wait. Harmless when it runs twice."""
    delete_old(MESSAGES, batch=BATCH)


def _ready(now: datetime) -> QuerySet[Webhook]:
    """The webhooks that may be sent to now."""
    return Webhook.objects.filter(Q(waits_until=None) | Q(waits_until__lte=now), enabled=True, tenant__active=True)


@transaction.atomic
def _claim(webhook_id: int) -> WebhookDelivery | None:
    """The next message that is due, for this worker alone: it is not due again before this attempt is over."""
    now = timezone.now()
    webhook = _ready(now).filter(pk=webhook_id).first()
    if webhook is None:
        return None
    delivery = webhook.deliveries.due(now).select_for_update(skip_locked=True, no_key=True).first()
    if delivery is not None:
        delivery.webhook = webhook
        delivery.attempts += 1
        delivery.last_attempt, delivery.next_attempt = now, now + CLAIM
        delivery.save(update_fields=["attempts", "last_attempt", "next_attempt"])
    return delivery


def _attempt(delivery: WebhookDelivery) -> Result:
    # A server process, which delivers nothing, does without the memory of the client.
    from access.webhooks.client import Undelivered, post

    webhook = delivery.webhook
    try:
        signed = headers(webhook, delivery.message_id, delivery.payload, timezone.now())
        answer = post(webhook.url, delivery.payload.encode(), signed)
    except (Undelivered, SecretUnreadable) as error:
        return Result(delivered=False, error=str(error)[:300])
    return Result(200 <= answer.status < 300, answer.status, answer.text, _error_of(answer.status))


def _error_of(status: int) -> str:
    if 200 <= status < 300:
        return ""
    return "The receiver redirects. Redirects are not followed." if 300 <= status < 400 else "Not accepted."


@transaction.atomic
def _record(delivery: WebhookDelivery, result: Result) -> None:
    now = timezone.now()
    webhook = Webhook.objects.select_for_update(no_key=True).filter(pk=delivery.webhook_id).first()
    if webhook is None:
        return  # it was deleted during the attempt
    delivery.state = WebhookDelivery.State.DELIVERED if result.delivered else WebhookDelivery.State.WAITING
    delivery.next_attempt = None
    delivery.last_status, delivery.last_error, delivery.answer = result.status, result.error, result.answer
    if not result.delivered:
        if delivery.attempts <= len(DELAYS) and result.status != GONE:
            delivery.next_attempt = now + DELAYS[delivery.attempts - 1]
        else:
            delivery.state = WebhookDelivery.State.FAILED
    # A message that was claimed again in the meantime, or sent again by a person, has a result of its own to come.
    written = WebhookDelivery.objects.filter(
        pk=delivery.pk, attempts=delivery.attempts, last_attempt=delivery.last_attempt
    ).update(
        state=delivery.state,
        next_attempt=delivery.next_attempt,
        last_status=delivery.last_status,
        last_error=delivery.last_error,
        answer=delivery.answer,
    )
    if written:
        _count(webhook, result, now)


def _count(webhook: Webhook, result: Result, now: datetime) -> None:
    """Let the webhook wait after a failure, and stop it after days of them."""
    if result.delivered:
        if webhook.failures:
            webhook.failures, webhook.failing_since, webhook.waits_until = 0, None, None
            webhook.save(update_fields=["failures", "failing_since", "waits_until"])
        return
    webhook.failures += 1
    webhook.failing_since = webhook.failing_since or now
    wait = DELAYS[min(webhook.failures, len(DELAYS)) - 1]
    webhook.waits_until = now + wait
    webhook.save(update_fields=["failures", "failing_since", "waits_until"])
    if result.status == GONE:
        _stop(webhook, Webhook.Stopped.GONE, now)
    elif webhook.failures >= MOST_FAILURES and now - webhook.failing_since >= FAILING_FOR:
        _stop(webhook, Webhook.Stopped.FAILING, now)
    elif wait < timedelta(minutes=1):  # sooner than the next run of `deliver_waiting`
        deliver.using(run_after=webhook.waits_until).enqueue(webhook.pk)


def _stop(webhook: Webhook, reason: Webhook.Stopped, now: datetime) -> None:
    if not webhook.enabled:
        return
    webhook.enabled, webhook.stopped = False, reason
    webhook.save(update_fields=["enabled", "stopped"])
    log_event(
        target=target(webhook),
        actor=Actor(AuditEvent.ActorType.SYSTEM, "", "Webhook delivery"),
        action=AuditEvent.Action.UPDATE,
        summary="Webhook disabled",
        changes={"enabled": {"old": True, "new": False}},
        metadata={"reason": reason.value},
    )
    mail_owners(
        tenant=webhook.tenant,
        kind=WEBHOOK_DISABLED,
        subject=shown_url(webhook.url),
        path=page_path(webhook),
        facts={"Why": reason.label.removeprefix("Disabled: ")},
        at=now,
    )
