"""A webhook as the audit trail and mails show it."""

from functools import partial
from typing import Any
from urllib.parse import urlsplit

from django.urls import reverse

from access.audit.events import Target
from access.models import Webhook


def shown_url(url: str) -> str:
    """The URL without its path and query: with many receivers they are a password."""
    parts = urlsplit(url)
    return f"https://{parts.netloc}/{'…' if parts.path != '/' or parts.query else ''}"


def state(webhook: Webhook) -> dict[str, Any]:
    return {
        "url": shown_url(webhook.url),
        "kinds": webhook.kinds,
        "audit": webhook.audit,
        "enabled": webhook.enabled,
    }


def target(webhook: Webhook) -> Target:
    name = shown_url(webhook.url)[:310]
    return Target(webhook.tenant, "webhook", webhook.uuid, name, state=partial(state, webhook))


def page_path(webhook: Webhook) -> str:
    return reverse("webhook", args=[webhook.uuid])
