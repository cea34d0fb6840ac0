"""Encryption of secrets at rest: AES-256-GCM under IRU_SECRET_KEYS, bound to the place that stores the ciphertext."""

import logging
import os
from collections.abc import Callable, Collection

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.db import transaction
from django.db.models import Model, QuerySet

from access.keyrings import keyring
from access.refusals import Refusal

NONCE_BYTES = 12  # the length that GCM specifies
SETTING = "IRU_SECRET_KEYS"

logger = logging.getLogger(__name__)


class SecretUnreadable(Refusal):
    """The stored value cannot be decrypted: its key is not configured, or the value was changed or moved."""

    status = 503
    cause = "keys"

    def __init__(self) -> None:
        super().__init__("This secret cannot be read at the moment.")


def newest_key() -> int:
    """Return the number of the key that encrypts new values."""
    return keyring(SETTING)[0][0]


def seal(value: bytes, *place: object) -> tuple[int, bytes]:
    """Encrypt a value for its place: table, column, tenant and the rest of the row's identity.

    Returns the number of the key, and nonce, ciphertext and tag in one value. A ciphertext that is copied to another
    place cannot be decrypted there.
    """
    number, key = keyring(SETTING)[0]
    nonce = os.urandom(NONCE_BYTES)
    return number, nonce + AESGCM(key).encrypt(nonce, value, _associated_data(place))


def unseal(number: int, sealed: bytes | memoryview, *place: object) -> bytes:
    """Decrypt what `seal` returned for the same place. Raises SecretUnreadable, and alerts the operator in the log."""
    key = dict(keyring(SETTING)).get(number)
    data = bytes(sealed)
    try:
        if key is None:
            raise InvalidTag
        return AESGCM(key).decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], _associated_data(place))
    except (InvalidTag, ValueError):
        logger.critical("A secret of %s does not decrypt under key %s.", " ".join(map(str, place)), number)
        raise SecretUnreadable from None


@transaction.atomic
def rewrap_rows[Row: Model](
    stale: QuerySet[Row],
    reseal: Callable[[Row], None],
    *,
    limit: int,
    fields: Collection[str] = ("key_number", "ciphertext"),
) -> int:
    """Have `reseal` encrypt the values of up to `limit` rows again, and save these fields. Returns the number of rows.

    Raises SecretUnreadable, and changes nothing, if the key of one of them is not configured.
    """
    rows = list(stale.select_for_update(no_key=True).order_by("pk")[:limit])
    for row in rows:
        reseal(row)
        row.save(update_fields=fields)
    return len(rows)


def _associated_data(place: tuple[object, ...]) -> bytes:
    return "\0".join(map(str, place)).encode()
