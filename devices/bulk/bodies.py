"""The body of a bulk command, encrypted while its action runs: it may hold a PIN or a passcode."""

from access.sealing import newest_key, rewrap_rows, seal, unseal
from devices.models import BulkAction


def put_body(action: BulkAction, body: bytes | None) -> None:
    """Set the encrypted body, which the caller saves."""
    action.key_number, action.ciphertext = (None, None) if body is None else seal(body, *_place(action))


def body_of(action: BulkAction) -> bytes | None:
    """The decrypted body; None if there is none. Raises SecretUnreadable."""
    if action.key_number is None or action.ciphertext is None:
        return None
    return unseal(action.key_number, action.ciphertext, *_place(action))


def rewrap(*, limit: int) -> int:
    """Re-encrypt up to `limit` bodies that use an older key: see `rewrap_rows`."""
    stale = BulkAction.objects.exclude(ciphertext=None).exclude(key_number=newest_key())
    return rewrap_rows(stale, lambda action: put_body(action, body_of(action)), limit=limit)


def _place(action: BulkAction) -> tuple[object, ...]:
    return "devices_bulkaction", "ciphertext", action.tenant_id, action.uuid
