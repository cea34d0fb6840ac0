"""The signing secrets of webhooks, encrypted, and the headers of a message as Standard Webhooks defines them."""

import base64
import secrets
from datetime import UTC, datetime

import standardwebhooks

from access.models import Webhook
from access.sealing import newest_key, rewrap_rows, seal, unseal

PREFIX = "whsec_"
KEYS = ("key_number", "ciphertext", "previous_key_number", "previous_ciphertext")
SECRET_BYTES = 32  # the standard asks for 24 to 64


def new_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def put_secret(webhook: Webhook, secret: str) -> None:
    """Set the encrypted secret of a webhook, which the caller saves."""
    webhook.key_number, webhook.ciphertext = seal(secret.encode(), *_place(webhook, "secret"))


def keep_as_previous(webhook: Webhook, until: datetime) -> None:
    """Let the present secret sign beside its successor until that moment. The caller sets the new one and saves."""
    plain = unseal(webhook.key_number, webhook.ciphertext, *_place(webhook, "secret"))
    webhook.previous_key_number, webhook.previous_ciphertext = seal(plain, *_place(webhook, "previous"))
    webhook.previous_until = until


def headers(webhook: Webhook, message_id: str, payload: str, at: datetime) -> dict[str, str]:
    """The headers that prove a message. Raises SecretUnreadable."""
    at = at.astimezone(UTC)
    signatures = [standardwebhooks.Webhook(each).sign(message_id, at, payload) for each in _secrets(webhook, at)]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def rewrap(*, limit: int) -> int:
    """Re-encrypt the secrets of up to `limit` webhooks that use an older key: see `rewrap_rows`."""
    newest = newest_key()
    stale = Webhook.objects.exclude(key_number=newest) | Webhook.objects.exclude(previous_key_number=None).exclude(
        previous_key_number=newest
    )
    return rewrap_rows(stale, _reseal, limit=limit, fields=KEYS)


def _reseal(webhook: Webhook) -> None:
    put_secret(webhook, unseal(webhook.key_number, webhook.ciphertext, *_place(webhook, "secret")).decode())
    if webhook.previous_ciphertext is not None and webhook.previous_key_number is not None:
        plain = unseal(webhook.previous_key_number, webhook.previous_ciphertext, *_place(webhook, "previous"))
        webhook.previous_key_number, webhook.previous_ciphertext = seal(plain, *_place(webhook, "previous"))


def _secrets(webhook: Webhook, at: datetime) -> list[str]:
    """The present secret, and the one before it while it signs too."""
    found = [unseal(webhook.key_number, webhook.ciphertext, *_place(webhook, "secret"))]
    if (
        webhook.previous_until is not None
        and webhook.previous_until > at
        and webhook.previous_ciphertext is not None
        and webhook.previous_key_number is not None
    ):
        found.append(unseal(webhook.previous_key_number, webhook.previous_ciphertext, *_place(webhook, "previous")))
    return [each.decode() for each in found]


def _place(webhook: Webhook, column: str) -> tuple[object, ...]:
    return ("access_webhook", column, webhook.tenant_id, webhook.uuid)
