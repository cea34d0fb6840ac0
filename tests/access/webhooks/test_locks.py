"""Changes of a webhook beside changes that send it messages: one waits, and no two wait for each other."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event
from typing import Any

import pytest
from django.db import connection

from access.audit.events import Actor
from access.kinds import SUBSCRIBABLE
from access.models import Tenant, Webhook
from access.tokens.lifecycle import create_token
from access.webhooks.lifecycle import delete_webhook, edit_webhook, replace_secret
from tests.database import repeated
from tests.factories.access import WebhookFactory

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

ACTOR = Actor.command("test")
TIMES = 25


def until(over: Event, change: Callable[[int], object]) -> None:
    """Make the change again and again until the other thread is done."""
    number = 0
    try:
        while not over.is_set():
            repeated(partial(change, number))
            number += 1
    finally:
        connection.close()


def beside(change: Callable[[int], object], other: Callable[[], object]) -> None:
    over = Event()
    with ThreadPoolExecutor(2) as pool:
        changing = [pool.submit(until, over, change) for _ in range(2)]
        try:
            for _ in range(TIMES):
                other()
        finally:
            over.set()
        for each in changing:
            each.result()


def test_webhooks_are_added_and_deleted_while_tokens_are_created(tenant: Tenant) -> None:
    def come_and_go() -> None:
        webhook = repeated(lambda: WebhookFactory.create(tenant=tenant, audit=True))
        repeated(lambda: delete_webhook(tenant=tenant, webhook_id=webhook.uuid, actor=ACTOR))

    beside(lambda number: create_token(tenant=tenant, name=f"Token {number}", actor=ACTOR), come_and_go)
    assert not Webhook.objects.exists()


def test_a_webhook_is_changed_while_tokens_are_created(tenant: Tenant) -> None:
    webhook = WebhookFactory.create(tenant=tenant, audit=True)
    kinds = [kind.id for kind in SUBSCRIBABLE]

    def edit() -> None:
        chosen = kinds[: 1 + len(webhook.kinds) % len(kinds)]
        webhook.kinds = chosen
        one: dict[str, Any] = {"tenant": tenant, "webhook_id": webhook.uuid, "actor": ACTOR}
        repeated(lambda: edit_webhook(**one, url=webhook.url, kinds=chosen, audit=True))
        repeated(lambda: replace_secret(**one, overlap=False))

    beside(lambda number: create_token(tenant=tenant, name=f"Token {number}", actor=ACTOR), edit)
    events, messages = tenant.audit_events, webhook.deliveries.filter(kind="audit.event")
    assert messages.count() == events.count()
