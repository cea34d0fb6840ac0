"""Webhooks and their deliveries, to look at. A signing secret is never shown."""

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse

from access.admin.base import Large, ReadOnly
from access.models import Webhook, WebhookDelivery


@admin.register(Webhook)
class WebhookAdmin(ReadOnly):
    noun, nouns = "webhook", "webhooks"
    list_display = ["url", "tenant", "state", "audit", "failures", "failing_since", "created_at"]
    list_filter = ["enabled", "audit"]
    list_select_related = ["tenant"]
    search_fields = ["url", "tenant__name"]
    ordering = ["-pk"]
    fields = [
        "uuid", "tenant", "url", "state", "kind_list", "audit", "failures", "failing_since", "waits_until",
        "key_number", "created_at", "created_by_name",
    ]  # fmt: skip

    def lists_of(self, request: HttpRequest, obj: Webhook) -> list[tuple[str, str]]:
        url = reverse("admin:access_webhookdelivery_changelist")
        return [("deliveries", f"{url}?webhook__id__exact={obj.pk}")]

    @admin.display(description="Status", ordering="enabled")
    def state(self, webhook: Webhook) -> str:
        return "Enabled" if webhook.enabled else webhook.get_stopped_display() or "Disabled"

    @admin.display(description="Events")
    def kind_list(self, webhook: Webhook) -> str:
        return ", ".join(webhook.kinds) or "None"


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(Large):
    noun, nouns = "webhook delivery", "webhook deliveries"
    tenant_path = "webhook__tenant"
    list_display = ["message_id", "kind", "webhook", "state", "attempts", "last_status", "last_attempt", "created_at"]
    list_filter = ["state"]
    list_select_related = ["webhook__tenant"]
    search_fields = ["message_id", "kind"]
    fields = [
        "message_id", "webhook", "kind", "state", "attempts", "next_attempt", "last_attempt", "last_status",
        "last_error", "payload", "answer", "created_at",
    ]  # fmt: skip
