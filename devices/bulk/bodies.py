"""The body of a bulk command, encrypted while its action runs: it may hold a PIN or a passcode."""

from django.db import transaction

from access.sealing import newest_key, seal, unseal
from devices.models import BulkAction


def put_body(action: BulkAction, body: bytes | None) -> None:
    """Set the encrypted body, which the caller saves."""
    action.key_number, action.ciphertext = (None, None) if body is None else seal(body, *_place(action))


def body_of(action: BulkAction) -> bytes | None:
    """The decrypted body; None if there is none. Raises SecretUnreadable."""
    if action.key_number is None or action.ciphertext is None:
        return None
    return unseal(action.key_number, action.ciphertext, *_place(action))


@transaction.atomic
def rewrap(*, limit: int) -> int:
    """Re-encrypt up to `limit` bodies that use an older key. Returns their number.

    Raises SecretUnreadable, and changes nothing, if the key of one of them is not configured.
    """
    stale = BulkAction.objects.select_for_update().exclude(ciphertext=None).exclude(key_number=newest_key())
    actions = list(stale.order_by("pk")[:limit])
    for action in actions:
        put_body(action, body_of(action))
        action.save(update_fields=["key_number", "ciphertext"])
    return len(actions)


def _place(action: BulkAction) -> tuple[object, ...]:
    return "devices_bulkaction", "ciphertext", action.tenant_id, action.uuid
