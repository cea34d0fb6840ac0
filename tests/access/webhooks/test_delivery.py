"""Messages from the change to a real receiver: signatures, retries with a clock that the test moves, and their end."""

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_tasks_db.models import DBTaskResult
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from access.audit.events import Actor, Target, log_event
from access.kinds import AUDIT_EVENT, SUBSCRIBABLE, WEBHOOK_TEST, Kind
from access.models import Administrator, AuditEvent, Tenant, Webhook, WebhookDelivery
from access.sealing import SecretUnreadable
from access.tokens.lifecycle import create_token
from access.tokens.notices import notify
from access.webhooks import delivery as module
from access.webhooks import lifecycle, outbox, signing
from access.webhooks.delivery import DELAYS, deliver, deliver_waiting, prune_deliveries
from devices.api.schemas.audit import AuditEventOut
from tests import processes, receivers
from tests.factories.access import TenantFactory, WebhookDeliveryFactory, WebhookFactory
from tests.receivers import Receiver
from tests.types import IssuedWebhook, IssueToken, RunTasks

pytestmark = pytest.mark.django_db

ACTOR = Actor.command("test")
State = WebhookDelivery.State

type Advance = Callable[[timedelta], None]


@pytest.fixture
def advance(monkeypatch: pytest.MonkeyPatch) -> Advance:
    """Move the clock of Django forward: it stands still otherwise."""
    now = [timezone.now()]
    monkeypatch.setattr(timezone, "now", lambda: now[0])

    def advance(by: timedelta) -> None:
        now[0] += by

    return advance


@pytest.fixture
def webhook(tenant: Tenant, receiver: Receiver) -> IssuedWebhook:
    """A webhook for new tokens, of `receiver`."""
    return WebhookFactory.create(tenant=tenant, url=receiver.url)


@pytest.fixture
def work(run_tasks: RunTasks) -> Callable[[], None]:
    """What a worker does in a minute: the messages that are due."""

    def work() -> None:
        deliver_waiting.call()
        run_tasks()

    return work


def verified(receiver: Receiver, secret: str, number: int = -1) -> Any:
    request = receiver.requests[number]
    return Verifier(secret).verify(request.body, request.headers)


@pytest.mark.parametrize("kind", SUBSCRIBABLE, ids=lambda kind: kind.id)
def test_a_message_of_each_kind_is_signed(
    tenant: Tenant, receiver: Receiver, issue_token: IssueToken, run_tasks: RunTasks, kind: Kind
) -> None:
    token = issue_token()
    webhook = WebhookFactory.create(tenant=tenant, url=receiver.url, kinds=[kind.id])
    WebhookFactory.create(tenant=tenant, kinds=[each.id for each in SUBSCRIBABLE if each is not kind], audit=True)
    with transaction.atomic():
        notify(kind=kind, token=token, actor=ACTOR, at=datetime(2026, 5, 1, 12, tzinfo=UTC), data={"days": 7})
    run_tasks()
    assert len(receiver.requests) == 1
    assert verified(receiver, webhook.secret) == {
        "type": kind.id,
        "timestamp": "2026-05-01T12:00:00.000000Z",
        "data": {
            "token": {"id": str(token.id), "name": token.name},
            "actor": {"type": "system", "id": "", "name": "manage.py test", "address": None},
            "days": 7,
        },
    }
    with pytest.raises(WebhookVerificationError):
        verified(receiver, signing.new_secret())
    delivery = webhook.deliveries.get()
    assert (delivery.state, delivery.attempts, delivery.last_status, delivery.answer) == (
        State.DELIVERED,
        1,
        200,
        "thanks",
    )


def test_a_change_that_is_rolled_back_sends_nothing(
    tenant: Tenant, webhook: IssuedWebhook, receiver: Receiver, run_tasks: RunTasks
) -> None:
    Webhook.objects.update(audit=True)
    with transaction.atomic():
        create_token(tenant=tenant, name="No", actor=ACTOR)
        transaction.set_rollback(True)
    assert run_tasks() == 0
    assert not receiver.requests
    create_token(tenant=tenant, name="Yes", actor=ACTOR)
    run_tasks()
    assert [json.loads(request.body)["type"] for request in receiver.requests] == ["audit.event", "token.created"]


@pytest.mark.django_db(transaction=True)
def test_outside_a_transaction_nothing_is_stored() -> None:
    with pytest.raises(RuntimeError):
        outbox.store([], WEBHOOK_TEST, {}, timezone.now())


def test_every_audit_event_in_the_shape_of_the_api(
    tenant: Tenant, other_tenant: Tenant, receiver: Receiver, run_tasks: RunTasks
) -> None:
    webhook = WebhookFactory.create(tenant=tenant, url=receiver.url, kinds=[], audit=True)
    create_token(tenant=other_tenant, name="Elsewhere", actor=ACTOR)
    create_token(tenant=tenant, name="Ours", actor=ACTOR, description="d")
    with transaction.atomic():
        log_event(
            target=Target(None, "installation", "", "all"),
            actor=ACTOR,
            action=AuditEvent.Action.UPDATE,
            summary="Of no tenant",
        )
    run_tasks()
    # Its own creation is the first.
    assert [verified(receiver, webhook.secret, number)["data"] for number in range(len(receiver.requests))] == [
        AuditEventOut.of(event).model_dump() for event in tenant.audit_events.order_by("sequence")
    ]
    message = verified(receiver, webhook.secret)
    assert (message["type"], message["timestamp"]) == (AUDIT_EVENT.id, message["data"]["occurred_at"])


@pytest.mark.parametrize(("audit", "enabled"), [(False, True), (True, False)])
def test_an_event_that_no_webhook_wants_costs_no_statement(
    tenant: Tenant, audit: bool, enabled: bool, other_tenant: Tenant
) -> None:
    def statements() -> list[str]:
        with CaptureQueriesContext(connection) as queries, transaction.atomic():
            log_event(
                target=Target.whole(tenant), actor=ACTOR, action=AuditEvent.Action.UPDATE, summary="Something changed"
            )
        return [query["sql"].split(" ", 2)[0] for query in queries]

    WebhookFactory.create(tenant=other_tenant, audit=True)
    before = statements()
    webhook = WebhookFactory.create(tenant=tenant, audit=audit)
    lifecycle.set_enabled(tenant=tenant, webhook_id=webhook.uuid, enabled=enabled, actor=ACTOR)
    assert statements() == before
    assert not any("access_webhook" in each for each in before)


def test_the_secret_and_the_payloads_hold_no_secret(
    tenant: Tenant, webhook: IssuedWebhook, receiver: Receiver, run_tasks: RunTasks, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    Webhook.objects.update(audit=True)
    issued = create_token(tenant=tenant, name="New", actor=ACTOR)
    old = webhook.secret
    new = lifecycle.replace_secret(tenant=tenant, webhook_id=webhook.uuid, overlap=True, actor=ACTOR).secret
    run_tasks()
    stored = [
        str({**row, **{name: bytes(value) for name, value in row.items() if isinstance(value, memoryview)}})
        for model in (Webhook, WebhookDelivery, AuditEvent, DBTaskResult)
        for row in model.objects.values()
    ]
    seen = "\n".join([*stored, caplog.text, *(str(request) for request in receiver.requests)])
    assert webhook.deliveries.filter(state=State.DELIVERED).count() == 3
    for secret in (issued.secret, old, new, old.removeprefix("whsec_"), new.removeprefix("whsec_")):
        assert secret not in seen


def test_after_a_new_secret_both_sign_for_a_day(
    tenant: Tenant, webhook: IssuedWebhook, receiver: Receiver, run_tasks: RunTasks, advance: Advance
) -> None:
    issued = lifecycle.replace_secret(tenant=tenant, webhook_id=webhook.uuid, overlap=True, actor=ACTOR)
    lifecycle.send_test(tenant=tenant, webhook_id=webhook.uuid, actor=ACTOR)
    run_tasks()
    for secret in (webhook.secret, issued.secret):
        assert verified(receiver, secret)["type"] == "webhook.test"

    advance(timedelta(hours=24))
    lifecycle.send_test(tenant=tenant, webhook_id=webhook.uuid, actor=ACTOR)
    run_tasks()
    (signature,) = receiver.requests[-1].headers["webhook-signature"].split()
    request = receiver.requests[-1]
    at = datetime.fromtimestamp(int(request.headers["webhook-timestamp"]), UTC)
    assert signature == Verifier(issued.secret).sign(request.headers["webhook-id"], at, request.body)


def test_a_message_is_tried_ten_times_in_75_hours(
    tenant: Tenant, webhook: IssuedWebhook, receiver: Receiver, work: Callable[[], None], advance: Advance
) -> None:
    receiver.behavior = receivers.answers(500, b"broken")
    lifecycle.send_test(tenant=tenant, webhook_id=webhook.uuid, actor=ACTOR)
    work()
    for number, delay in enumerate(DELAYS, 1):
        assert len(receiver.requests) == number
        delivery = webhook.deliveries.get()
        assert (delivery.state, delivery.attempts, delivery.last_status) == (State.WAITING, number, 500)
        assert (delivery.answer, delivery.last_error) == ("broken", "Not accepted.")
        advance(delay - timedelta(seconds=1))
        work()
        assert len(receiver.requests) == number  # not a second too early
        advance(timedelta(seconds=1))
        work()
    delivery = webhook.deliveries.get()
    assert (len(receiver.requests), delivery.state, delivery.next_attempt) == (10, State.FAILED, None)
    assert sum(DELAYS, timedelta()) > timedelta(days=3)
    assert {request.headers["webhook-id"] for request in receiver.requests} == {delivery.message_id}
    assert len({request.body for request in receiver.requests}) == 1
    advance(timedelta(days=1))
    work()
    assert len(receiver.requests) == 10


def test_the_second_attempt_waits_for_no_schedule(
    tenant: Tenant, webhook: IssuedWebhook, receiver: Receiver, run_tasks: RunTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.behavior = receivers.answers(503)
    lifecycle.send_test(tenant=tenant, webhook_id=webhook.uuid, actor=ACTOR)
    run_tasks()
    later = timezone.now() + timedelta(seconds=6)
    monkeypatch.setattr(timezone, "now", lambda: later)
    receiver.behavior = receivers.answers(204, b"")
    run_tasks()
    assert webhook.deliveries.get().state == State.DELIVERED
    webhook.refresh_from_db()
    assert (webhook.failures, webhook.waits_until) == (0, None)


def test_a_webhook_that_fails_for_days_is_disabled_and_the_owner_is_mailed(
    tenant: Tenant,
    owner: Administrator,
    webhook: IssuedWebhook,
    receiver: Receiver,
    work: Callable[[], None],
    advance: Advance,
) -> None:
    receiver.behavior = receivers.answers(500)
    lifecycle.send_test(tenant=tenant, webhook_id=webhook.uuid, actor=ACTOR)
    for delay in (timedelta(), *DELAYS):
        webhook.refresh_from_db()
        assert webhook.enabled
        advance(delay)
        work()
    webhook.refresh_from_db()
    assert (webhook.enabled, webhook.stopped) == (False, Webhook.Stopped.FAILING)
    (message,) = mail.outbox
    assert message.to == [owner.email]
    assert f"/access/webhooks/{webhook.uuid}/" in str(message.body)
    assert "/iru" not in str(message.body)  # the path may be a password of the receiver
    event = tenant.audit_events.about("webhook", webhook.uuid).first()
    assert event
    assert (event.summary, event.actor_name, event.metadata) == (
        "Webhook disabled",
        "Webhook delivery",
        {"reason": "failing"},
    )


def test_tests_by_a_person_do_not_disable_a_webhook(
    tenant: Tenant, webhook: IssuedWebhook, receiver: Receiver, run_tasks: RunTasks
) -> None:
    receiver.behavior = receivers.answers(500)
    for _ in range(12):
        lifecycle.send_test(tenant=tenant, webhook_id=webhook.uuid, actor=ACTOR)
        run_tasks()
    webhook.refresh_from_db()
    assert (webhook.failures, webhook.enabled) == (12, True)


def test_410_disables_the_webhook_at_once(
    tenant: Tenant, owner: Administrator, webhook: IssuedWebhook, receiver: Receiver, run_tasks: RunTasks
) -> None:
    receiver.behavior = receivers.answers(410)
    lifecycle.send_test(tenant=tenant, webhook_id=webhook.uuid, actor=ACTOR)
    lifecycle.send_test(tenant=tenant, webhook_id=webhook.uuid, actor=ACTOR)
    run_tasks()
    webhook.refresh_from_db()
    assert (webhook.enabled, webhook.stopped) == (False, Webhook.Stopped.GONE)
    assert sorted(webhook.deliveries.values_list("state", flat=True)) == [State.FAILED, State.WAITING]
    assert len(receiver.requests) == len(mail.outbox) == 1


@pytest.mark.parametrize("status", [301, 307, 400, 404, 429, 503])
def test_any_other_answer_is_a_failure(
    tenant: Tenant, webhook: IssuedWebhook, receiver: Receiver, run_tasks: RunTasks, status: int
) -> None:
    receiver.behavior = receivers.answers(status)
    lifecycle.send_test(tenant=tenant, webhook_id=webhook.uuid, actor=ACTOR)
    run_tasks()
    delivery = webhook.deliveries.get()
    assert (delivery.state, delivery.last_status, bool(delivery.last_error)) == (State.WAITING, status, True)


def test_a_receiver_that_fails_gets_one_attempt_however_many_messages_wait(
    tenant: Tenant, webhook: IssuedWebhook, receiver: Receiver, work: Callable[[], None], advance: Advance
) -> None:
    receiver.behavior = receivers.answers(500)
    for number in range(20):
        create_token(tenant=tenant, name=f"Token {number}", actor=ACTOR)
    work()
    assert len(receiver.requests) == 1
    advance(timedelta(minutes=6))
    work()
    assert len(receiver.requests) == 2
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 2
    receiver.behavior = receivers.answers(200)
    advance(timedelta(minutes=6))
    work()
    assert webhook.deliveries.filter(state=State.DELIVERED).count() == 20
    assert len(receiver.requests) == 22


def test_a_message_whose_worker_was_lost_is_due_again(
    tenant: Tenant, webhook: IssuedWebhook, receiver: Receiver, work: Callable[[], None], advance: Advance
) -> None:
    lifecycle.send_test(tenant=tenant, webhook_id=webhook.uuid, actor=ACTOR)
    claimed = module._claim(webhook.pk)
    assert claimed
    work()
    assert not receiver.requests  # the other worker may still be sending it
    advance(module.CLAIM)
    work()
    assert len(receiver.requests) == 1
    module._record(claimed, module.Result(delivered=False, error="The worker came back late."))
    assert webhook.deliveries.get().state == State.DELIVERED


def test_a_task_that_takes_long_makes_way_for_others(
    tenant: Tenant, webhook: IssuedWebhook, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        create_token(tenant=tenant, name=f"Token {number}", actor=ACTOR)
    tasks = DBTaskResult.objects.count()
    monkeypatch.setattr(module, "BUDGET", 0.000001)
    deliver.call(webhook.pk)
    assert len(receiver.requests) <= 1
    assert DBTaskResult.objects.count() == tasks + 1  # it goes on later


def test_a_suspended_tenant_sends_nothing(
    tenant: Tenant, webhook: IssuedWebhook, receiver: Receiver, work: Callable[[], None]
) -> None:
    lifecycle.send_test(tenant=tenant, webhook_id=webhook.uuid, actor=ACTOR)
    Tenant.objects.update(active=False)
    work()
    assert not receiver.requests
    Tenant.objects.update(active=True)
    work()
    assert len(receiver.requests) == 1


def test_a_secret_that_cannot_be_decrypted_is_a_failure_and_no_unsigned_message(
    tenant: Tenant, webhook: IssuedWebhook, receiver: Receiver, run_tasks: RunTasks, settings: Any
) -> None:
    lifecycle.send_test(tenant=tenant, webhook_id=webhook.uuid, actor=ACTOR)
    settings.IRU_SECRET_KEYS = [f"7:{'4' * 64}"]
    run_tasks()
    assert not receiver.requests
    assert "cannot be read" in webhook.deliveries.get().last_error


def test_a_new_key_encrypts_both_secrets(tenant: Tenant, webhook: IssuedWebhook, settings: Any) -> None:
    new = lifecycle.replace_secret(tenant=tenant, webhook_id=webhook.uuid, overlap=True, actor=ACTOR).secret
    settings.IRU_SECRET_KEYS = [f"2:{'4' * 64}", *settings.IRU_SECRET_KEYS]
    assert (signing.rewrap(limit=10), signing.rewrap(limit=10)) == (1, 0)
    settings.IRU_SECRET_KEYS = settings.IRU_SECRET_KEYS[:1]
    webhook.refresh_from_db()
    assert signing._secrets(webhook, timezone.now()) == [new, webhook.secret]


def test_a_secret_of_another_webhook_does_not_decrypt(tenant: Tenant, webhook: IssuedWebhook) -> None:
    other = WebhookFactory.create(tenant=tenant)
    other.ciphertext = Webhook.objects.get(pk=webhook.pk).ciphertext
    with pytest.raises(SecretUnreadable):
        signing.headers(other, "msg_1", "{}", timezone.now())


def test_messages_are_deleted_after_30_days(webhook: IssuedWebhook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH", 2)
    now = timezone.now()
    for days in (31, 31, 31, 29):
        WebhookDeliveryFactory.create(webhook=webhook, created_at=now - timedelta(days=days))
    prune_deliveries.call()
    assert webhook.deliveries.count() == 1


def test_the_other_tenants_webhooks_hear_nothing(run_tasks: RunTasks, tenant: Tenant, receiver: Receiver) -> None:
    WebhookFactory.create(tenant=TenantFactory.create(), url=receiver.url, audit=True)
    DBTaskResult.objects.all().delete()
    create_token(tenant=tenant, name="Ours", actor=ACTOR)
    run_tasks()
    assert not receiver.requests


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_kill_9_of_the_worker_loses_no_message(
    tenant: Tenant, certificate: Path, receiver: Receiver, tmp_path: Path
) -> None:
    """The worker dies in the middle of the first message. Another one sends all of them, the first one twice."""
    webhook = WebhookFactory.create(tenant=tenant, url=receiver.url.replace(receivers.NAME, "localhost"))
    environment = {"IRU_WEBHOOK_NETWORKS": "127.0.0.1,::1", "SSL_CERT_FILE": str(certificate)}
    receiver.behavior = receivers.says_nothing
    for number in range(5):
        create_token(tenant=tenant, name=f"Token {number}", actor=ACTOR)
    with processes.managed("worker", output=tmp_path / "one", extra=environment) as worker:
        processes.wait_for(lambda: receiver.requests, 60)
        worker.kill()
        worker.wait(20)
    receiver.behavior = receivers.answers()
    with processes.managed("worker", output=tmp_path / "two", extra=environment):
        processes.wait_for(lambda: webhook.deliveries.filter(state=State.DELIVERED).count() == 5, 120)
    ids = [request.headers["webhook-id"] for request in receiver.requests]
    assert set(ids) == set(webhook.deliveries.values_list("message_id", flat=True))
    assert len(ids) == 6
