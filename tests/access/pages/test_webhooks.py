"""Access → Webhooks, as a browser without JavaScript and htmx ask for it."""

import re
from typing import Any
from uuid import uuid4

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from access.audit.events import Actor
from access.kinds import SUBSCRIBABLE
from access.models import Administrator, AuditEvent, Tenant, Webhook, WebhookDelivery
from access.sign_in.sessions import AUTHENTICATED_AT
from access.webhooks import lifecycle, signing
from tests.factories.access import WebhookDeliveryFactory, WebhookFactory
from tests.markup import elements
from tests.types import Response

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}
SECRET = re.compile(r"whsec_[A-Za-z0-9+/]{43}=")
URL = "https://hooks.test/iru?token=abc"


@pytest.fixture
def browser(owner: Administrator) -> Client:
    """The owner, who gave the password a moment ago."""
    client = Client()
    client.force_login(owner)
    sign(client, int(timezone.now().timestamp()))
    return client


def sign(client: Client, moment: int) -> None:
    session = client.session
    session[AUTHENTICATED_AT] = moment
    session.save()


def text(response: Response) -> str:
    return response.content.decode()


def form(**changes: Any) -> dict[str, Any]:
    return {"url": URL, "events": ["token.created"], "submission": str(uuid4())} | changes


def summaries(tenant: Tenant) -> list[str]:
    events = tenant.audit_events.filter(target_type="webhook").order_by("sequence")
    return list(events.values_list("summary", flat=True))


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_adding_a_webhook_shows_its_secret_once(browser: Client, tenant: Tenant, headers: dict[str, str]) -> None:
    response = browser.post(reverse("webhook-create"), form(events=["token.created", "audit.event"]), headers=headers)
    assert response.status_code == 200
    assert "no-store" in response["Cache-Control"]
    (secret,) = set(SECRET.findall(text(response)))
    webhook = tenant.webhooks.get()
    assert signing._secrets(webhook, timezone.now()) == [secret]
    assert (webhook.url, webhook.kinds, webhook.audit) == (URL, ["token.created"], True)
    pages = [reverse("webhooks"), reverse("webhook", args=[webhook.uuid]), reverse("webhook-edit", args=[webhook.uuid])]
    assert not any(secret in text(browser.get(page)) for page in pages)
    event = tenant.audit_events.get(target_type="webhook")
    assert (event.summary, event.target_type, event.actor_name) == (
        "Webhook created",
        "webhook",
        webhook.created_by_name,
    )
    # With many receivers the path of the URL is a password, and every auditor reads the trail.
    assert event.new_state == {
        "url": "https://hooks.test/…",
        "kinds": ["token.created"],
        "audit": True,
        "enabled": True,
    }


def test_the_form_offers_every_kind(browser: Client) -> None:
    boxes = elements(text(browser.get(reverse("webhook-create"))), "input")
    assert [box["value"] for box in boxes if box.get("name") == "events"] == [
        *(kind.id for kind in SUBSCRIBABLE),
        "audit.event",
    ]


def test_a_form_that_is_sent_twice_makes_one_webhook(browser: Client, tenant: Tenant) -> None:
    sent = form()
    browser.post(reverse("webhook-create"), sent)
    again = browser.post(reverse("webhook-create"), sent, follow=True)
    webhook = tenant.webhooks.get()
    assert again.redirect_chain == [(reverse("webhook", args=[webhook.uuid]), 302)]
    assert "sent twice" in text(again)
    assert not SECRET.search(text(again))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"url": ""}, "Enter the URL"),
        ({"url": "http://hooks.test/"}, "must begin with https://"),
        ({"url": "https://169.254.169.254/"}, "does not connect to 169.254.169.254"),
        ({"url": "https://user:pw@hooks.test/"}, "must not contain a user name"),
        ({"events": []}, "Choose at least one event"),
        ({"events": ["webhook.test"]}, "not one of the available choices"),
    ],
)
def test_a_refused_form_says_why_and_stores_nothing(
    browser: Client, tenant: Tenant, changes: dict[str, Any], words: str
) -> None:
    response = browser.post(reverse("webhook-create"), form(**changes))
    assert response.status_code == 422
    assert words in text(response)
    assert not tenant.webhooks.exists()


@pytest.mark.parametrize("page", ["webhook-create", "webhook-secret"])
def test_a_secret_is_made_after_the_password_alone(browser: Client, tenant: Tenant, page: str) -> None:
    webhook = WebhookFactory.create(tenant=tenant)
    sign(browser, 0)
    url = reverse(page, args=[webhook.uuid] if page == "webhook-secret" else [])
    response = browser.post(url, form(overlap="on"))
    assert response.status_code == 422
    assert "Confirm your password" in text(response)
    assert Webhook.objects.get().ciphertext == webhook.ciphertext


def test_every_audit_event_can_be_given_up(browser: Client, tenant: Tenant) -> None:
    webhook = WebhookFactory.create(tenant=tenant, kinds=[], audit=True)
    url = reverse("webhook-edit", args=[webhook.uuid])
    boxes = elements(text(browser.get(url)), "input")
    assert [box["value"] for box in boxes if "checked" in box] == ["audit.event"]
    browser.post(url, {"url": URL, "events": ["token.created"]})
    webhook.refresh_from_db()
    assert (webhook.kinds, webhook.audit) == (["token.created"], False)


def test_editing(browser: Client, tenant: Tenant) -> None:
    webhook = WebhookFactory.create(tenant=tenant, url="https://old.test/secret-path")
    url = reverse("webhook-edit", args=[webhook.uuid])
    assert "https://old.test/secret-path" in text(browser.get(url))
    browser.post(url, {"url": URL, "events": ["token.revoked", "token.created"]})
    webhook.refresh_from_db()
    assert (webhook.url, webhook.kinds) == (URL, ["token.created", "token.revoked"])
    event = tenant.audit_events.order_by("-sequence")[0]
    assert event.changes == {
        "url": {"old": "https://old.test/…", "new": "https://hooks.test/…"},
        "kinds": {"old": ["token.created"], "new": ["token.created", "token.revoked"]},
    }
    browser.post(url, {"url": URL, "events": ["token.created", "token.revoked"]})
    assert summaries(tenant) == ["Webhook created", "Webhook edited"]  # nothing changed the second time
    assert browser.post(url, {"url": "http://x", "events": []}).status_code == 422


def test_another_path_of_the_same_host_is_a_change(tenant: Tenant) -> None:
    webhook = WebhookFactory.create(tenant=tenant, url="https://hooks.test/a")
    lifecycle.edit_webhook(
        tenant=tenant,
        webhook_id=webhook.uuid,
        url="https://hooks.test/b",
        kinds=webhook.kinds,
        audit=False,
        actor=Actor.command("test"),
    )
    assert summaries(tenant)[-1] == "Webhook edited"


def test_disabling_and_enabling(browser: Client, tenant: Tenant) -> None:
    webhook = WebhookFactory.create(tenant=tenant)
    page, url = reverse("webhook", args=[webhook.uuid]), reverse("webhook-enabled", args=[webhook.uuid])
    for value, words in (("0", "Nothing is sent, and no new message is stored"), ("1", "Send test message")):
        assert words not in text(browser.get(page)) or value == "1"
        assert words in text(browser.post(url, {"enabled": value}, follow=True))
        browser.post(url, {"enabled": value})  # a second time changes nothing
    assert summaries(tenant) == ["Webhook created", "Webhook disabled", "Webhook enabled"]


def test_enabling_after_days_of_failures_starts_anew(browser: Client, tenant: Tenant) -> None:
    webhook = WebhookFactory.create(tenant=tenant)
    now = timezone.now()
    Webhook.objects.update(enabled=False, stopped="failing", failures=10, failing_since=now, waits_until=now)
    page = text(browser.get(reverse("webhook", args=[webhook.uuid])))
    assert "Disabled: no delivery succeeded for days." in page
    browser.post(reverse("webhook-enabled", args=[webhook.uuid]), {"enabled": "1"})
    webhook.refresh_from_db()
    assert (webhook.enabled, webhook.stopped, webhook.failures, webhook.waits_until) == (True, "", 0, None)


def test_deleting(browser: Client, tenant: Tenant) -> None:
    delivery = WebhookDeliveryFactory.create(webhook__tenant=tenant, webhook__url=URL)
    url = reverse("webhook-delete", args=[delivery.webhook.uuid])
    assert "token=abc" in text(browser.get(url))
    assert "The webhook is deleted" in text(browser.post(url, follow=True))
    assert not Webhook.objects.exists()
    assert not WebhookDelivery.objects.exists()
    event = tenant.audit_events.order_by("-sequence")[0]
    assert (event.action, event.summary, event.new_state) == (AuditEvent.Action.DELETE, "Webhook deleted", None)


@pytest.mark.parametrize("overlap", [True, False])
def test_a_new_secret(browser: Client, tenant: Tenant, overlap: bool) -> None:
    webhook = WebhookFactory.create(tenant=tenant)
    url = reverse("webhook-secret", args=[webhook.uuid])
    response = browser.post(url, {"overlap": "on"} if overlap else {})
    (secret,) = set(SECRET.findall(text(response)))
    assert "no-store" in response["Cache-Control"]
    webhook.refresh_from_db()
    assert signing._secrets(webhook, timezone.now()) == [secret, *([webhook.secret] if overlap else [])]
    assert ("the previous secret signs too until" in text(browser.get(reverse("webhook", args=[webhook.uuid])))) == (
        overlap
    )
    again = browser.post(url, {"overlap": "on"})
    assert again.status_code == (422 if overlap else 200)  # two previous secrets are one too many


def test_a_test_message_and_its_delivery(browser: Client, tenant: Tenant) -> None:
    webhook = WebhookFactory.create(tenant=tenant)
    shown = text(browser.post(reverse("webhook-test", args=[webhook.uuid]), follow=True))
    delivery = webhook.deliveries.get()
    assert delivery.message_id in shown
    assert "webhook.test" in delivery.payload
    WebhookDelivery.objects.update(
        state="failed", attempts=10, last_status=500, last_error="Not accepted.", answer="<script>alert(1)</script>"
    )
    shown = text(browser.get(reverse("webhook-delivery", args=[webhook.uuid, delivery.uuid])))
    assert "500: Not accepted." in shown
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown
    assert "<script>alert" not in shown


def test_redelivering_sends_the_same_message_at_once(browser: Client, tenant: Tenant) -> None:
    delivery = WebhookDeliveryFactory.create(webhook__tenant=tenant, state="failed", attempts=10, next_attempt=None)
    Webhook.objects.update(failures=3, waits_until=timezone.now().replace(year=2999))
    url = reverse("webhook-redeliver", args=[delivery.webhook.uuid, delivery.uuid])
    assert "The message is sent again" in text(browser.post(url, follow=True))
    again = WebhookDelivery.objects.select_related("webhook").get()
    assert (again.message_id, again.payload) == (delivery.message_id, delivery.payload)
    assert (again.state, again.attempts) == ("waiting", 0)
    assert again.next_attempt
    assert again.next_attempt <= timezone.now()
    assert again.webhook.waits_until is None
    assert summaries(tenant)[-1] == "Webhook message sent again"
    assert tenant.audit_events.order_by("-sequence")[0].metadata == {"message_id": delivery.message_id}


def test_a_disabled_webhook_sends_no_test_and_nothing_again(browser: Client, tenant: Tenant) -> None:
    delivery = WebhookDeliveryFactory.create(webhook__tenant=tenant, state="failed")
    Webhook.objects.update(enabled=False)
    for url in (
        reverse("webhook-test", args=[delivery.webhook.uuid]),
        reverse("webhook-redeliver", args=[delivery.webhook.uuid, delivery.uuid]),
    ):
        assert "The webhook is disabled. Enable it first." in text(browser.post(url, follow=True))
    assert WebhookDelivery.objects.get().state == "failed"
    assert summaries(tenant) == ["Webhook created"]


def test_a_delivery_of_another_webhook_of_the_tenant_is_not_found(browser: Client, tenant: Tenant) -> None:
    delivery, other = WebhookDeliveryFactory.create(webhook__tenant=tenant), WebhookFactory.create(tenant=tenant)
    assert browser.get(reverse("webhook-delivery", args=[other.uuid, delivery.uuid])).status_code == 404


def test_the_log_has_the_newest_first_and_pages_of_50(
    browser: Client, tenant: Tenant, django_assert_max_num_queries: Any
) -> None:
    webhook = WebhookFactory.create(tenant=tenant)
    WebhookDeliveryFactory.create_batch(120, webhook=webhook)
    with django_assert_max_num_queries(8):
        page = text(browser.get(reverse("webhook", args=[webhook.uuid])))
    ids = list(webhook.deliveries.order_by("-pk").values_list("message_id", flat=True))
    assert re.findall(r"<code>(msg_\d+)</code>", page) == ids[:50]
    last = text(browser.get(reverse("webhook", args=[webhook.uuid]), {"page": 3}))
    assert re.findall(r"<code>(msg_\d+)</code>", last) == ids[100:]


def test_twenty_webhooks_are_enough(tenant: Tenant) -> None:
    WebhookFactory.create_batch(lifecycle.MOST, tenant=tenant)
    with pytest.raises(ValidationError, match="20 webhooks"):
        WebhookFactory.create(tenant=tenant)


def test_the_form_of_another_tenant_is_refused(tenant: Tenant, other_tenant: Tenant) -> None:
    submission = uuid4()
    WebhookFactory.create(tenant=other_tenant, submission=submission)
    with pytest.raises(ValidationError, match="used before"):
        WebhookFactory.create(tenant=tenant, submission=submission)
