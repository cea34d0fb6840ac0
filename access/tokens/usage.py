"""Last use of tokens: when, and from which address.

Requests store their use in memory, and one thread per server process writes the uses once a second, so that no request
waits for the database's write lock.
"""

import atexit
import logging
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import Error, connection, transaction
from django.db.models import Q

from access.addresses import parse
from access.models import ApiToken
from access.tokens.digests import Digest

RESOLUTION = timedelta(minutes=1)
INTERVAL = 1.0  # seconds between two writes
BATCH = 250  # tokens in one transaction

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Rekeying:
    """The digest of a secret under the newest key, which replaces one that an older key made."""

    old: str
    new: Digest


@dataclass(frozen=True, slots=True)
class Use:
    at: datetime
    address: str | None
    rekeying: Rekeying | None


_uses: dict[UUID, Use] = {}
_stop = threading.Event()


def track_use(
    token_id: UUID,
    address: str,
    at: datetime,
    *,
    last_used_at: datetime | None,
    rekeying: Rekeying | None = None,
) -> None:
    """Remember one use, unless one of the last minute is stored already and there is nothing to rekey."""
    if rekeying is None and last_used_at is not None and at - last_used_at < RESOLUTION:
        return
    # The database would refuse an invalid address, and with it the whole batch.
    parsed = parse(address)
    _uses[token_id] = Use(at, str(parsed) if parsed else None, rekeying)


def flush() -> None:
    """Write all uses. Raises django.db.Error on failure; the uses then stay for the next attempt."""
    while _uses:
        batch: dict[UUID, Use] = {}
        while _uses and len(batch) < BATCH:
            token_id, use = _uses.popitem()
            batch[token_id] = use
        try:
            with transaction.atomic():
                for token_id in sorted(batch):  # always in this order, so that two processes cannot deadlock
                    _write(token_id, batch[token_id])
        except Error:
            for token_id, use in batch.items():
                _uses.setdefault(token_id, use)
            raise


def start() -> None:
    """Start writing in the background. Uses that are left when the process ends are written then."""
    thread = threading.Thread(target=_run, name="token-usage", daemon=True)
    thread.start()
    atexit.register(_finish, thread)


def _write(token_id: UUID, use: Use) -> None:
    due = Q(last_used_at__isnull=True) | Q(last_used_at__lte=use.at - RESOLUTION)
    ApiToken.objects.filter(due, id=token_id).update(last_used_at=use.at, last_used_from=use.address)
    if use.rekeying:
        # Only if the digest is still the same: the token may have a new secret by now.
        ApiToken.objects.filter(id=token_id, digest=use.rekeying.old).update(
            digest=use.rekeying.new.value, key_number=use.rekeying.new.key_number
        )


def _run() -> None:
    while not _stop.wait(INTERVAL):
        try:
            flush()
        except Exception:  # the thread has to survive any error, or no later use would be written
            logger.warning("Token usage could not be written. It will be tried again.", exc_info=True)
            connection.close()
    connection.close()


def _finish(thread: threading.Thread) -> None:
    _stop.set()
    thread.join(timeout=5)  # it may be in the middle of a batch
    try:
        flush()
    except Error:
        logger.warning("The last second of token usage could not be written.", exc_info=True)
    finally:
        connection.close()
