import uuid
from datetime import datetime
from urllib.parse import urlsplit

from django.db import models
from django.db.models import Q
from django.utils import timezone

from access.models.tenants import Tenant

LONGEST_URL = 1000


class Webhook(models.Model):
    """An address of another system that gets signed messages about events of the tenant."""

    class Stopped(models.TextChoices):
        BY_HAND = "by_hand", "Disabled"
        GONE = "gone", "Disabled: the receiver answered 410 Gone"
        FAILING = "failing", "Disabled: no delivery succeeded for days"

    uuid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="webhooks")
    url = models.CharField("URL", max_length=LONGEST_URL)
    kinds = models.JSONField(default=list, help_text="Subscribed kinds of events.")
    audit = models.BooleanField(default=False, help_text="Whether it gets every audit event.")
    enabled = models.BooleanField(default=True)
    stopped = models.CharField(max_length=10, choices=Stopped.choices, blank=True)
    # The signing secrets, encrypted. The previous one signs too until `previous_until`.
    key_number = models.PositiveIntegerField()
    ciphertext = models.BinaryField()
    previous_key_number = models.PositiveIntegerField(null=True)
    previous_ciphertext = models.BinaryField(null=True)
    previous_until = models.DateTimeField(null=True)
    # Attempts that failed since the last success. Until `waits_until` no message is sent.
    failures = models.PositiveIntegerField(default=0)
    failing_since = models.DateTimeField(null=True)
    waits_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by_name = models.CharField(max_length=310)
    # One for each opened form: the same form posted twice makes one webhook.
    submission = models.UUIDField(unique=True, null=True, editable=False)

    class Meta:
        ordering = ["pk"]
        indexes = [
            # Looked at for each audit event of the tenant.
            models.Index(fields=["tenant"], name="webhook_audit", condition=Q(enabled=True, audit=True)),
        ]

    def __str__(self) -> str:
        return self.url

    @property
    def host(self) -> str:
        """The host of the URL, with the port if it is not 443: the short name of the webhook."""
        return urlsplit(self.url).netloc

    @property
    def two_secrets(self) -> bool:
        """Whether the previous secret signs too."""
        return self.previous_until is not None and self.previous_until > timezone.now()


class WebhookDeliveryQuerySet(models.QuerySet["WebhookDelivery"]):
    def due(self, now: datetime) -> "WebhookDeliveryQuerySet":
        """Messages whose next attempt is due, in the order of their turns."""
        return self.filter(state=WebhookDelivery.State.WAITING, next_attempt__lte=now).order_by("next_attempt", "pk")

    def newest(self) -> "WebhookDeliveryQuerySet":
        return self.defer("payload", "answer").order_by("-created_at", "-pk")


class WebhookDelivery(models.Model):
    """One message to a webhook: its payload, which never changes, and how its delivery went."""

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        DELIVERED = "delivered", "Delivered"
        FAILED = "failed", "Failed"

    uuid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="deliveries")
    message_id = models.CharField(max_length=40, help_text="The same for every attempt.")
    kind = models.CharField(max_length=40)
    payload = models.TextField(help_text="The body of the request, as it is signed.")
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveIntegerField(default=0)
    next_attempt = models.DateTimeField(null=True)
    last_attempt = models.DateTimeField(null=True)
    last_status = models.PositiveIntegerField(null=True, help_text="HTTP status of the last answer.")
    last_error = models.CharField(max_length=300, blank=True)
    answer = models.TextField(blank=True, help_text="The first 64 KiB of the last answer.")
    created_at = models.DateTimeField()

    objects = WebhookDeliveryQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["webhook", "-created_at", "-id"], name="delivery_newest"),
            models.Index(fields=["webhook", "next_attempt", "id"], name="delivery_due", condition=Q(state="waiting")),
            models.Index(fields=["created_at"], name="delivery_age"),
        ]

    def __str__(self) -> str:
        return self.message_id

    @property
    def tried_at(self) -> datetime | None:
        """The moment of the next attempt, which may be past by a little; None if there will be none."""
        if self.state != self.State.WAITING or self.next_attempt is None or not self.webhook.enabled:
            return None
        return max(self.next_attempt, self.webhook.waits_until or self.next_attempt)

    @property
    def is_due(self) -> bool:
        return self.tried_at is not None and self.tried_at <= timezone.now()
